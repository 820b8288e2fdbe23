"""`aisuru-sync diff`: how two snapshots differ, field by field."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING

import click

from sync.cli.door import ID, Door, Reply, make_command

if TYPE_CHECKING:
    from sync.lives import Difference


@make_command(
    click.Argument(["first"], type=ID, metavar="A"),
    click.Argument(["second"], type=ID, metavar="[B]", required=False),
    click.Option(["--kind", "kinds"], multiple=True, metavar="K", help="Only this kind."),
    click.Option(["--exit-code"], is_flag=True, help="End with 20 if there are differences."),
    name="diff",
    short_help="Compare two snapshots, field by field.",
)
def command(
    door: Door, first: int, second: int | None, kinds: tuple[str, ...], exit_code: bool
) -> Reply:
    """Compare the snapshots A and B of one source; B is its latest if it is not given.

    `-` is what was at A, `+` what was at B. An object that a restore brought back under another
    key is one object, and what only points to that key is no difference; neither are stamps and
    counters. PINs are shown as stars. --kind can be given several times; files are compared with
    --kind file.
    """
    from sync.cli.changes import diff_lines, difference_json
    from sync.history import DIFFERENT, diff, doubts, span

    app = door.app()
    with app.reading() as mirror:
        between = span(mirror, first, second)
        doubted = doubts(mirror, between, kinds)

    def differences() -> "Iterator[Difference]":
        with app.reading() as mirror:
            yield from diff(mirror, app.kinds, between, kinds)

    heading = [
        f"{between.source.name}, from snapshot {between.first_id} to {between.second_id}",
        *(
            f"snapshot {each.snapshot_id} is {each.status} in {each.kind}:"
            " what it did not see stands as it was before"
            for each in doubted
        ),
        "",
    ]
    found = differences()
    one = list(islice(found, 1))
    told = chain(one, found)
    return Reply(
        data={
            "snapshots": [between.first_id, between.second_id],
            "incomplete": [vars(each) for each in doubted],
            "changes": (difference_json(between.source, each) for each in told),
        },
        text=chain(heading, diff_lines(told)),
        exit_code=DIFFERENT if exit_code and one else 0,
    )
