"""`aisuru-sync export`: what is mirrored, as files that need no program of ours."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from sync.cli.door import AT, SNAPSHOT, Door, Reply, make_command, table

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from sync.export.choice import Choice
    from sync.export.export import Exported
    from sync.restore_point import Age

_LINES = 20
"""How many lines of what is lacking are worth reading; README.txt has them all."""


@make_command(
    click.Argument(["path"]),
    click.Option(["--memori"], metavar="N", help="Only this agent, by name or id."),
    SNAPSHOT,
    AT,
    click.Option(["--with-pins", "shows_pins"], is_flag=True, help="Show the PINs of people."),
    name="export",
    short_help="Write all to a folder or ZIP that needs no program of ours.",
)
def command(
    door: Door,
    path: str,
    memori: str | None,
    snapshot_id: int | None,
    at: str | None,
    shows_pins: bool,
) -> Reply:
    """Write what is mirrored to PATH: a new folder, or a ZIP if it ends in `.zip`.

    It can be read without this program: people as CSV, each content as a page with its files
    beside it under the names that people gave them, and all of it as JSON. README.txt in it says
    what is where, and `sha256sum -c SHA256SUMS` proves that it is as it was written.

    By default all agents and the account, each as of its latest usable snapshot. Needs no
    network, and goes on beside a backup. PINs of people are shown as stars unless --with-pins
    is given. Exit code 3 means that some files were never stored, or a kind was never seen whole;
    4, that something is damaged. It is named, and everything else is there.
    """
    from pathlib import Path

    from sync.check import HINT
    from sync.cli.progress import progress
    from sync.cli.report import source_json, tell_forgotten
    from sync.export.choice import choose
    from sync.export.export import export
    from sync.export.output import check_path
    from sync.when import moment

    to = Path(path)
    check_path(to)
    when = None if at is None else moment(at)
    app = door.app()
    with app.reading() as mirror, progress() as watch:
        choice = choose(mirror, app.kinds, memori, snapshot_id, when)
        parts = [*([choice.account] if choice.account else []), *choice.agents]
        tell_forgotten(door, mirror.snapshots(), (each.snapshot for each in parts), when)
        done = export(mirror, app.store, app.kinds, choice, to, shows_pins=shows_pins, watch=watch)
    sources = [
        {
            "source": source_json(part.snapshot.source),
            "snapshot_id": part.snapshot.id,
            "objects": told.counts,
            "older_kinds": _older_json(told.ages),
        }
        for part, told in done.sources
    ]
    missing = [
        {"source": each.source, "key": each.key, "name": each.name, "reason": each.reason}
        for each in done.lacks
    ]
    data = {
        "path": str(to.absolute()),
        "sources": sources,
        "left_out": choice.left_out,
        "never_backed_up": list(choice.never.values()),
        "files": done.files,
        "bytes": done.size_bytes,
        "missing": missing,
    }
    text = _text(done, to, choice)
    if done.lacks and app.store.is_missing():
        text.append(f"{app.store.root} is not there; {HINT}")
    code = _exit_code(done, choice.left_out)
    return Reply(data, text, code, is_prose=True, trouble=_doubts(done, choice))


def _exit_code(done: "Exported", left_out: Sequence[str]) -> int:
    from sync.errors import DamageFound, worst
    from sync.snapshot import PARTIAL

    codes = [DamageFound.exit_code if each.is_damage else PARTIAL for each in done.lacks]
    codes += [PARTIAL for part, _ in done.sources if not part.is_whole]
    return worst([*codes, *(PARTIAL for _ in left_out)])


def _older_json(ages: "Mapping[str, Age]") -> dict[str, Any]:
    return {
        kind: {"snapshot_id": age.proven and age.proven.id, "lacks": age.why}
        for kind, age in ages.items()
        if age.why
    }


def _text(done: "Exported", path: "Path", choice: "Choice") -> "list[RenderableType]":
    from sync.when import local
    from sync.wording import counted, sized

    rows = [
        (
            told.name,
            told.snapshot_id,
            local(told.seen_at),
            sum(told.counts.values()),
        )
        for _, told in done.sources
    ]
    columns = ("source", "snapshot", "as of", "objects")
    text: list[RenderableType] = [table(*columns, rows=rows, right=("snapshot", "objects"))]
    text += _doubts(done, choice)
    if done.lacks:
        text += ["", f"{counted(len(done.lacks), 'thing')} could not be exported as it was:"]
    text += [f"  {each.source}: {each.name}: {each.reason}" for each in done.lacks[:_LINES]]
    if len(done.lacks) > _LINES:
        text.append(f"  … and {len(done.lacks) - _LINES} more: README.txt in it has them all")
    what = f"{counted(done.files, 'file')}, {sized(done.size_bytes)}"
    return [*text, "", f"{path}: {what}"]


def _doubts(done: "Exported", choice: "Choice") -> list[str]:
    """What is older than it seems, or not there at all, a line each."""
    from sync.cli.report import ages_lines

    lines = [f"{told.name}: {line}" for _, told in done.sources for line in ages_lines(told.ages)]
    lines += [f"{name}: nothing was backed up of it, so it is left out" for name in choice.left_out]
    for name in choice.never.values():
        lines.append(f"{name}: nothing was ever backed up of it but its settings")
    return lines
