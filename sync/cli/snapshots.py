"""`aisuru-sync snapshots`: what there is to go back to."""

from sync.cli.door import Door, Reply
from sync.cli.door import command as make_command


@make_command(name="snapshots", short_help="List what was backed up, and when.")
def command(door: Door) -> Reply:
    """List every snapshot, oldest first, and how far each can be trusted."""
    from sync.cli.report import errors_of, limits_of, snapshot_json, snapshots_table

    app = door.app()
    with app.reading() as mirror:
        found = mirror.snapshots()
    return Reply(
        data={"snapshots": [snapshot_json(each, kinds=False) for each in found]},
        text=[snapshots_table(found), *limits_of(found, app.kinds), *errors_of(found)],
    )
