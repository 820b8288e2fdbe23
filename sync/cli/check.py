"""`aisuru-sync check`: does the mirror agree with itself and its files?"""

from sync.cli.door import Door, Reply, table
from sync.cli.door import command as make_command
from sync.errors import DamageFound


@make_command(name="check", short_help="Look for damage in the mirror and its files.")
def command(door: Door) -> Reply:
    """Look for damage: the database's integrity, every object against its history, every file.

    Needs no network. Exit code 4 means that something is damaged; it is listed.
    """
    from sync.check import check

    app = door.app()
    with app.reading() as mirror:
        report = check(mirror, app.store, app.kinds)
    found = [vars(each) for each in report.damage]
    rows = [(each.what, each.where, each.problem) for each in report.damage]
    summary = f"{report.objects} objects and {report.files} files checked"
    verdict = f"{len(found)} damaged" if found else "no damage"
    return Reply(
        data={"objects": report.objects, "files": report.files, "damage": found},
        text=[
            *([table("what", "where", "problem", rows=rows)] if rows else []),
            f"{summary}: {verdict}",
        ],
        exit_code=DamageFound.exit_code if found else 0,
    )
