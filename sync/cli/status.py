"""`aisuru-sync status`: what there is, and how fresh it is."""

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from sync.cli.door import Door, Reply, make_command, table
from sync.when import spoken

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sync.status import SourceStatus, Standing

_NAMED = 5
"""So many files that fail are named of each source; JSON names all."""


@make_command(
    click.Option(["--max-age"], metavar="AGE", help="End with 7 if anything is older: 26h, 2d."),
    name="status",
    short_help="Tell what there is, and how fresh it is.",
)
def command(door: Door, max_age: str | None) -> Reply:
    """Tell how fresh each source is: when it was last seen whole, and how its last snapshot went.

    A source is as fresh as its stalest kind, since a run may be limited to some kinds; and a
    snapshot counts only if all files came that are there. With --max-age the exit code is 7 if
    any source is older, or was never seen whole. Agents that are gone from the account, or that
    the settings do not name, do not count. Needs no network.
    """
    from sync.status import TOO_OLD, status
    from sync.when import duration

    app = door.app()
    limit = None if max_age is None else duration(max_age)
    with app.reading() as mirror:
        standing = status(mirror, app.backed_up, app.memoris)
    too_old = [] if limit is None else standing.too_old(limit)
    names = [*(each.source.name for each in too_old), *standing.never]
    names = names or ([] if standing.sources else ["everything"])
    is_too_old = limit is not None and bool(names)
    text = [*_text(standing)]
    if is_too_old:
        text += ["", f"older than {max_age}: {', '.join(names)}"]
    return Reply(
        data={**_json(standing), "too_old": [_name(each) for each in too_old]},
        text=text,
        exit_code=TOO_OLD if is_too_old else 0,
        is_prose=True,
    )


def _name(each: "SourceStatus") -> dict[str, Any]:
    from sync.cli.report import source_json

    return source_json(each.source)


def _json(standing: "Standing") -> dict[str, Any]:
    from sync.cli.report import snapshot_json, source_json

    def age_s(at: datetime | None) -> int | None:
        return None if at is None else int((standing.now - at).total_seconds())

    return {
        "sources": [
            {
                "source": source_json(each.source),
                "complete_at": each.complete_at,
                "age_s": age_s(each.complete_at),
                "kinds": {
                    name: {"complete_at": at, "age_s": age_s(at)} for name, at in each.kinds.items()
                },
                "last_snapshot": snapshot_json(each.last, kinds=False) if each.last else None,
                "files": {
                    "missing": each.missing,
                    "failed": len(each.failed),
                    "left_out": each.left_out,
                    "failed_keys": list(dict.fromkeys(each.failed)),
                },
            }
            for each in standing.sources
        ],
        "last_run": standing.run
        and {
            "run_id": standing.run.id,
            "started_at": standing.run.started_at,
            "status": standing.run.status,
        },
        "never_backed_up": list(standing.never),
        "left_out": [source_json(each) for each in standing.left_out],
        "gone": [{"source": source_json(each), "gone_at": each.gone_at} for each in standing.gone],
        "jobs": [
            {
                "name": each.name,
                "started_at": each.started_at,
                "finished_at": each.finished_at,
                "exit_code": each.exit_code,
                "failures": each.failures,
                "error": each.error,
            }
            for each in standing.jobs
        ],
        "open_restores": [
            {
                "restore_id": each.id,
                "target": source_json(each.target),
                "snapshot_id": each.snapshot_id,
                "status": each.status,
                "started_at": each.started_at,
                "finished_at": each.finished_at,
            }
            for each in standing.restores
        ],
    }


def _text(standing: "Standing") -> "Iterator[RenderableType]":
    rows = [
        (
            each.source.name,
            _day(each.complete_at),
            spoken(standing.now - each.complete_at) if each.complete_at else "",
            f"{each.last.id}, {each.last.status}" if each.last else "",
            each.missing or "",
            len(each.failed) or "",
        )
        for each in standing.sources
    ]
    columns = ("source", "seen whole", "age", "last snapshot", "missing", "failed")
    yield table(*columns, rows=rows, right=("missing", "failed"))
    for each in standing.sources:
        yield from _stale_kinds(each)
    yield from _files(standing.sources)
    if run := standing.run:
        yield f"the last run is {run.id}, of {_day(run.started_at)}: {run.status}"
    for job in standing.jobs:
        if job.exit_code:
            why = f": {job.error}" if job.error else ""
            yield f"the service's {job.name} of {_day(job.started_at)} ended {job.exit_code}{why}"
    for gone in standing.gone:
        yield f"{gone.name} is gone from the account since {_day(gone.gone_at)}; what it held stays"
    for name in standing.never:
        yield f"{name} was never backed up"
    for left_out in standing.left_out:
        yield f"{left_out.name} is not backed up any more: no [[memori]] of the settings names it"
    for restore in standing.restores:
        begun = f"restore {restore.id} of {restore.target.name}, begun {_day(restore.started_at)}"
        is_alive = restore.status == "running"
        go_on = f": `restore --resume {restore.id}` goes on from there, `--give-up` closes it"
        yield f"{begun}, is {restore.status}{'' if is_alive else go_on}"


def _stale_kinds(each: "SourceStatus") -> Iterator[str]:
    """Where a source was seen in parts, what of it is behind."""
    latest = max((at for at in each.kinds.values() if at), default=None)
    behind: dict[datetime | None, list[str]] = {}
    for name, at in each.kinds.items():
        if latest is not None and at != latest:
            behind.setdefault(at, []).append(name)
    for at, names in behind.items():
        yield f"{each.source.name}: {', '.join(names)} last seen whole: {_day(at)}"


def _files(sources: "Collection[SourceStatus]") -> Iterator[str]:
    """How many files are left out, which ones fail, and that those could be left out."""
    from sync.cli.report import WITHOUT
    from sync.wording import counted

    for each in sources:
        if each.left_out:
            number = counted(each.left_out, "file")
            is_or_are = "is" if each.left_out == 1 else "are"
            yield f"{each.source.name}: {number} {is_or_are} left out, as `without_files` says"
        told = Counter(each.failed).most_common()[:_NAMED]
        for key, times in sorted(told):
            alike = f" ({counted(times, 'file')})" if times > 1 else ""
            yield f"{each.source.name}: could not be fetched: {key}{alike}"
        if more := len(each.failed) - sum(times for _, times in told):
            yield f"{each.source.name}: and {counted(more, 'file')} more"
        last = each.last
        if last and last.files.failed > len(each.failed):
            failed = f"{counted(last.files.failed, 'file')} failed in snapshot {last.id}"
            yield f"{each.source.name}: {failed}; the next `backup` names them, and why"
    if any(each.failed or (each.last and each.last.files.failed) for each in sources):
        yield WITHOUT


def _day(at: datetime | None) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}" if at else "never"
