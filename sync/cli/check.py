"""`aisuru-sync check`: does the mirror agree with itself and its files?"""

import click

from sync.cli.door import Door, Reply
from sync.cli.door import command as make_command
from sync.errors import DamageFound


@make_command(
    click.Option(
        ["--read-data", "percent"],
        is_flag=False,
        flag_value=100.0,
        default=0.0,
        type=click.FloatRange(0, 100),
        metavar="[PERCENT]",
        help="Read files to their end, too: all, or a share that moves from day to day.",
    ),
    name="check",
    short_help="Look for damage in the mirror and its files.",
)
def command(door: Door, percent: float) -> Reply:
    """Look for damage in the database, in every version of every object, and in the files.

    Of each file that is or was, it is checked that it is there and has its size; with --read-data
    also that its bytes are those that were stored. Needs no network. Exit code 4 means that
    something is damaged; it is listed, and `repair` puts back what it can.
    """
    from sync.check import check
    from sync.cli.progress import progress
    from sync.cli.report import damage_json, damage_lines

    app = door.app()
    with app.reading() as mirror, progress() as watch:
        report = check(mirror, app.store, app.kinds, percent, watch)
    found = report.damage
    summary = f"{report.objects} objects with their history and {report.files} files checked"
    if percent:
        summary += f", {report.blobs_read} read to their end"
    if report.files_never_stored:
        summary += f" ({report.files_never_stored} more could not be fetched so far)"
    verdict = f"{len(found)} damaged; `aisuru-sync repair` puts back what it can"
    return Reply(
        data={
            "objects": report.objects,
            "files": report.files,
            "files_never_stored": report.files_never_stored,
            "blobs_read": report.blobs_read,
            "damage": damage_json(found),
        },
        text=[*damage_lines(found), f"{summary}: {verdict if found else 'no damage'}"],
        exit_code=DamageFound.exit_code if found else 0,
    )
