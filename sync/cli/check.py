"""`aisuru-sync check`: does the mirror agree with itself and its files?"""

import math
from typing import Any

import click

from sync.cli.door import Door, Reply, make_command
from sync.errors import DamageFound


class _Percent(click.FloatRange):
    """A share; what is no number at all is within no range."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not a number.", param, ctx)
        return number


@make_command(
    click.Option(
        ["--read-data", "percent"],
        is_flag=False,
        flag_value=100.0,
        default=0.0,
        type=_Percent(0, 100),
        metavar="[PERCENT]",
        help="Read files to their end, too: all, or a share that moves from day to day.",
    ),
    click.Option(
        ["--remote", "is_remote"],
        is_flag=True,
        help="Compare a sample with the remote, too.",
    ),
    name="check",
    short_help="Look for damage in the mirror and its files.",
)
def command(door: Door, percent: float, *, is_remote: bool) -> Reply:
    """Look for damage in the database, in every version of every object, and in the files.

    Of each file that is or was, it is checked that it is there and has its size; with --read-data
    also that its bytes are those that were stored. Exit code 4 means that something is damaged; it
    is listed, and `repair` puts back what it can.

    Needs no network, unless --remote asks for a sample of what is held: up to 20 objects of each
    kind of each source, and 5 files. What was changed or deleted there since the last backup is
    counted, and is no damage.
    """
    from sync.check import check
    from sync.cli.damage import comparison_json, comparison_text, damage_json, damage_lines
    from sync.cli.progress import progress
    from sync.compare import compare
    from sync.errors import worst
    from sync.wording import counted

    app = door.app()
    compared = None
    if is_remote:
        app.credentials()
    with app.reading() as mirror, progress() as watch:
        report = check(mirror, app.store, app.kinds, percent, watch)
        if is_remote:
            compared = compare(mirror, app.backed_up, app.account, app.means, watch)
    seen = compared.damage if compared else []
    found = report.damage + [each for each in seen if each not in report.damage]
    failures = list(compared.errors.values()) if compared else []
    codes = [DamageFound.exit_code] if found else []
    objects, files = counted(report.objects, "object"), counted(report.files, "file")
    summary = f"{objects} with their history and {files} checked"
    if percent:
        summary += f", {report.blobs_read} read to their end"
    if report.files_never_stored:
        summary += f" ({report.files_never_stored} more could not be fetched so far)"
    verdict = f"{len(found)} damaged" if found else "no damage"
    if report.damage:
        verdict += "; `aisuru-sync repair` puts back what it can"
    if failures:
        verdict += f"; {len(failures)} could not be compared, as told above"
    return Reply(
        data={
            "objects": report.objects,
            "files": report.files,
            "files_never_stored": report.files_never_stored,
            "blobs_read": report.blobs_read,
            "damage": damage_json(found),
            "remote": comparison_json(compared) if compared else None,
        },
        text=[
            *(comparison_text(compared) if compared else ()),
            *damage_lines(found),
            f"{summary}: {verdict}",
        ],
        exit_code=worst([*codes, *(each.exit_code for each in failures)]),
        is_prose=True,
        trouble=(),
    )
