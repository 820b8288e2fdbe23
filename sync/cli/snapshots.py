"""`aisuru-sync snapshots`: what there is to go back to."""

import click

from sync.cli.door import COUNT, MEMORI, Door, Reply, make_command


@make_command(
    MEMORI,
    click.Option(["-n", "--limit"], type=COUNT, metavar="N", help="Only the latest N snapshots."),
    click.Option(["--all", "with_forgotten"], is_flag=True, help="Forgotten ones, too."),
    name="snapshots",
    short_help="List what was backed up, and when.",
)
def command(door: Door, memori: str | None, limit: int | None, *, with_forgotten: bool) -> Reply:
    """List every snapshot, oldest first, and how far each can be trusted.

    `complete` means that all lists were proven whole and all files came that are there. What is
    not complete has its reason below. What a prune forgot can not be gone back to; it is listed
    only with --all.
    """
    from sync.cli.report import errors_of, limits_of, snapshot_json, snapshots_table
    from sync.mirror.values import Status

    app = door.app()
    with app.reading() as mirror:
        sources = mirror.sources(memori)
        found = [
            each
            for each in mirror.snapshots()
            if each.source in sources and (with_forgotten or each.status is not Status.FORGOTTEN)
        ]
    found = found[-limit:] if limit else found
    return Reply(
        data={"snapshots": [snapshot_json(each, kinds=True) for each in found]},
        text=[snapshots_table(found), *limits_of(found, app.kinds), *errors_of(found)],
        is_prose=True,
    )
