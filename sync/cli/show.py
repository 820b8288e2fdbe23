"""`aisuru-sync show`: one object, as it is or as it was."""

import json
from typing import Any

import click

from sync.cli.door import AT, MEMORI, SNAPSHOT, Door, Reply, make_command


@make_command(
    click.Argument(["kind"]),
    click.Argument(["key"]),
    SNAPSHOT,
    AT,
    MEMORI,
    name="show",
    short_help="Show one object, now or as it was.",
)
def command(
    door: Door, kind: str, key: str, snapshot_id: int | None, at: str | None, memori: str | None
) -> Reply:
    """Show the object KEY of KIND, as last seen, or as it was at a snapshot or a time.

    An object that a restore brought back under another key is found under any of its keys.
    PINs are kept in the mirror, but shown as stars.
    """
    from sync.cli.report import source_json, tell_forgotten
    from sync.history import show
    from sync.when import moment

    app = door.app()
    with app.reading() as mirror:
        when = None if at is None else moment(at)
        shown = show(mirror, app.kinds, kind, key, snapshot_id=snapshot_id, at=when, memori=memori)
        snapshots = mirror.snapshots() if when else []
        chosen = (each for each in snapshots if each.id == shown.snapshot_id)
        tell_forgotten(door, snapshots, chosen, when)
    data = {
        "source": source_json(shown.source),
        "kind": kind,
        "key": key,
        "present_key": shown.key,
        "snapshot_id": shown.snapshot_id,
        "is_deleted": shown.is_deleted,
        "document": shown.document,
    }
    lines = [f"{name}: {_line(value)}" for name, value in shown.document.items()]
    state = f"deleted since; as seen first in this form by snapshot {shown.snapshot_id}"
    if not shown.is_deleted:
        state = f"at snapshot {shown.snapshot_id}"
    if shown.key != key:
        state = f"which is {shown.key} there, {state}"
    return Reply(data=data, text=[f"{kind} {key} of {shown.source.name}, {state}", *lines])


def _line(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
