"""`aisuru-sync check`: does the mirror agree with itself and its files?"""

from sync.cli.door import Door, Reply, table
from sync.cli.door import command as make_command
from sync.errors import DamageFound


@make_command(name="check", short_help="Look for damage in the mirror and its files.")
def command(door: Door) -> Reply:
    """Look for damage in the database, in every version of every object, and in the files.

    Of each file it is checked that it is there and has its size. Needs no network. Exit code 4
    means that something is damaged; it is listed.
    """
    from sync.check import check

    app = door.app()
    with app.reading() as mirror:
        report = check(mirror, app.store, app.kinds)
    found = [vars(each) for each in report.damage]
    rows = [(each.what, each.where, each.problem) for each in report.damage]
    summary = f"{report.objects} objects with their history and {report.files} files checked"
    if report.files_never_stored:
        summary += f" ({report.files_never_stored} more could not be fetched so far)"
    verdict = f"{len(found)} damaged" if found else "no damage"
    return Reply(
        data={
            "objects": report.objects,
            "files": report.files,
            "files_never_stored": report.files_never_stored,
            "damage": found,
        },
        text=[
            *([table("what", "where", "problem", rows=rows)] if rows else []),
            f"{summary}: {verdict}",
        ],
        exit_code=DamageFound.exit_code if found else 0,
    )
