"""`aisuru-sync log`: what changed, and when it was seen."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import click

from sync.cli.door import COUNT, MEMORI, Door, Reply, make_command

if TYPE_CHECKING:
    from sync.history import Logged


@make_command(
    click.Argument(["kind"], required=False),
    click.Argument(["key"], required=False),
    click.Option(["--since"], metavar="TIME", help="Seen then or later: yesterday, 2h, ISO 8601."),
    MEMORI,
    click.Option(["-n", "--limit"], type=COUNT, metavar="N", help="Only the latest N changes."),
    name="log",
    short_help="Tell what changed, the latest first.",
)
def command(
    door: Door,
    kind: str | None,
    key: str | None,
    since: str | None,
    memori: str | None,
    limit: int | None,
) -> Reply:
    """Tell every change, the latest first, of everything, of one KIND, or of one object (KEY).

    Each stands under the snapshot that saw it, with the names of the fields that changed. An
    object that a restore brought back under another key is one object, whichever of its keys you
    give. Files are told of with KIND `file`.
    """
    from sync.cli.changes import log_lines, logged_json
    from sync.history import log
    from sync.when import beginning

    app = door.app()
    after = None if since is None else beginning(since)

    def changes() -> "Iterator[Logged]":
        with app.reading() as mirror:
            yield from log(mirror, app.kinds, kind, key, since=after, memori=memori)

    found = islice(changes(), limit)
    return Reply(data={"changes": map(logged_json, found)}, text=log_lines(found))
