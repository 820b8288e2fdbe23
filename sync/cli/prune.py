"""`aisuru-sync prune`: forget old runs, then the files that nothing needs any more."""

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from sync.cli.door import Door, Reply, make_command, table
from sync.wording import counted, sized

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from sync.prune import Pruned, Run

_NUMBER = click.IntRange(0)


def _keep(name: str, what: str) -> click.Option:
    return click.Option([f"--keep-{name}", name], type=_NUMBER, metavar="N", help=what)


@make_command(
    _keep("last", "Keep the last N complete ones."),
    _keep("hourly", "Keep the newest of each of the last N hours."),
    _keep("daily", "Of each of the last N days."),
    _keep("weekly", "Of each of the last N ISO weeks."),
    _keep("monthly", "Of each of the last N months."),
    _keep("yearly", "Of each of the last N years."),
    click.Option(["--keep-within", "within"], metavar="AGE", help="Keep all so young: 90d, 8w."),
    click.Option(["--dry-run"], is_flag=True, help="Tell what would go, and forget nothing."),
    name="prune",
    short_help="Forget old runs, and files that nothing needs.",
)
def command(
    door: Door,
    within: str | None,
    *,
    dry_run: bool,
    **numbers: int | None,
) -> Reply:
    """Forget runs that are not kept, then the files that nothing refers to any more.

    What is kept is said here or in [prune] of the settings; an option replaces the setting of its
    name, and the others stay. If nothing is said, nothing is forgotten: exit code 2.

    Hours, days, weeks, months and years are those of the clock, and only those count in which
    there is a complete snapshot; the newest of each is kept. They are counted for each kind of each
    agent by itself, so a run that looked at some of it never takes the place of one that saw all.
    AGE counts back from the last complete snapshot, for each kind, so time in which no backup works
    makes nothing old. Runs are kept or forgotten as a whole.

    Whatever is said, these are never forgotten: the last complete snapshot of each source, also of
    agents that are gone, and the last one in which each kind was seen whole (`latest`); what is
    newer than that, complete or not (`since`); what restores need that are open (see `status`), and
    what the last restore of each agent found before it (`restore`); and what a kept one did not see
    whole, where it was seen whole last (`base`). Older ones that are not complete, or that a
    restore took, are kept only if they are within AGE.

    What is there now, which object came back as which, and the journal of restores stay. Files go
    only if they are a day old. The database does not get smaller, but uses again what is free in
    it.
    """
    from sync.cli.progress import progress
    from sync.prune import look, prune
    from sync.when import duration

    app = door.app()
    given: dict[str, Any] = {name: each for name, each in numbers.items() if each is not None}
    if within is not None:
        given["within"] = duration(within)
    policy = replace(app.config.prune.policy, **given)
    if dry_run:
        with app.reading() as mirror:
            found = look(mirror, app.store, policy, app.zone)
    else:
        with app.mending("a prune") as mirror, progress() as watch:
            found = prune(mirror, app.store, policy, watch, app.zone)
    return Reply(
        data={
            "dry_run": dry_run,
            "kept": [{**_json(each), "reasons": each.reasons} for each in found.kept],
            "forgotten": [_json(each) for each in found.forgotten],
            "changes": found.changes,
            "files": found.files,
            "bytes": found.bytes,
        },
        text=_text(found, dry_run=dry_run),
        is_prose=True,
        trouble=None if dry_run else _unsure(found),
    )


def _json(run: "Run") -> dict[str, Any]:
    return {"run_id": run.id, "snapshots": run.snapshots, "started_at": run.started_at}


def _text(found: "Pruned", *, dry_run: bool) -> "Iterator[RenderableType]":
    runs = sorted((*found.kept, *found.forgotten), key=lambda run: run.id)
    rows: list[tuple[str, ...]] = []
    for is_kept, group in groupby(runs, key=lambda run: bool(run.reasons)):
        # What goes between two that stay is one line: it may be many.
        part = list(group)
        rows += [_row([each]) for each in part] if is_kept else [_row(part)]
    yield table("run", "started", "snapshots", "kept as", rows=rows)
    yield from _unsure(found)
    told = f"{counted(len(found.kept), 'run')} kept, {len(found.forgotten)} forgotten"
    changes = counted(found.changes, "change")
    files = f"{counted(found.files, 'file')} ({sized(found.bytes)})"
    yield f"{'dry run: ' if dry_run else ''}{told}; {changes} and {files} removed"


def _unsure(found: "Pruned") -> "Iterator[str]":
    """How many runs stay only because it does not go on as it should."""
    from sync.retention import SINCE

    if unsure := [each for each in found.kept if each.reasons == (SINCE,)]:
        number = counted(len(unsure), "run")
        yield f"kept only because no complete backup came after: {number}; see `snapshots`"


def _row(runs: "Sequence[Run]") -> tuple[str, ...]:
    """A run, or several that are forgotten."""
    first, last = (each.started_at.astimezone() for each in (runs[0], runs[-1]))
    if first.date() == last.date():
        when = f"{first:%Y-%m-%d %H:%M}" + (f" to {last:%H:%M}" if len(runs) > 1 else "")
    else:
        when = f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
    return (
        _span([each.id for each in runs]),
        when,
        _span([each for run in runs for each in run.snapshots]),
        ", ".join(runs[0].reasons) or "(forgotten)",
    )


def _span(ids: "Sequence[int]") -> str:
    """Ids: `5`, `5 to 9`, or `5 … 9` where there are others between them."""
    first, last = min(ids), max(ids)
    if first == last:
        return str(first)
    return f"{first} to {last}" if last - first == len(ids) - 1 else f"{first} … {last}"
