"""Status: what there is, and how fresh it is.

A source is as fresh as the kind of it that was not seen whole for longest: a run that was limited
to some kinds makes only those fresh.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sync.errors import FOR_A_HUMAN
from sync.kind import Kind, Scope
from sync.link import without_query
from sync.mirror import jobs, standing
from sync.mirror.jobs import JobRun
from sync.mirror.mirror import Mirror
from sync.mirror.standing import PastRestore
from sync.mirror.values import Snapshot, Source, Status

_Row = TypeVar("_Row", Snapshot, PastRestore)

TOO_OLD = 7
"""Exit code of a status that finds a source older than allowed."""

_WORST_FIRST = (
    Status.FAILED,
    Status.INTERRUPTED,
    Status.RUNNING,
    Status.INCOMPLETE,
    Status.COMPLETE,
    Status.FORGOTTEN,
    Status.GIVEN_UP,
)


@dataclass(frozen=True)
class SourceStatus:
    """How one source stands.

    Attributes:
        kinds: {kind: when it was last seen whole, or None}.
        last: its last snapshot, however that went; None if there is none.
        missing: files it refers to that the remote does not have.
        failed: files it refers to that could not be fetched and are not stored, or not any more,
            each as it is told; those that differ in their query alone are told alike.
        left_out: files it refers to that the settings leave out, and that were never stored.
    """

    source: Source
    kinds: Mapping[str, datetime | None]
    last: Snapshot | None
    missing: int
    failed: tuple[str, ...]
    left_out: int = 0

    @property
    def complete_at(self) -> datetime | None:
        """When all of it had been seen whole."""
        return whole_at(self.kinds.values())


@dataclass(frozen=True)
class LastRun:
    """When the last run began, and how it went."""

    id: int
    started_at: datetime
    status: Status


@dataclass(frozen=True)
class Standing:
    """How a mirror stands.

    Attributes:
        now: what ages count from.
        sources: those that are backed up.
        run: the last one.
        restores: those that were left open.
        gone: Memoris that are not in the account any more.
        left_out: Memoris that the settings do not name, and that are therefore not backed up.
        never: names of Memoris that should be backed up and never were.
        jobs: the last run of each thing that the service does.
    """

    now: datetime
    sources: tuple[SourceStatus, ...]
    run: LastRun | None
    restores: tuple[PastRestore, ...]
    gone: tuple[Source, ...]
    left_out: tuple[Source, ...]
    never: tuple[str, ...]
    jobs: tuple[JobRun, ...] = ()

    @property
    def helpless(self) -> list[JobRun]:
        """Jobs that ended so that only a human can help: damage, a guard, credentials."""
        return [each for each in self.jobs if each.exit_code in FOR_A_HUMAN]

    def too_old(self, max_age: timedelta) -> list[SourceStatus]:
        """The sources that were not seen whole within a time."""
        return [each for each in self.sources if is_too_old(each.complete_at, self.now, max_age)]


def status(mirror: Mirror, kinds: Mapping[str, Kind], memoris: Collection[str] = ()) -> Standing:
    """Look how a mirror stands.

    Args:
        mirror: which one.
        kinds: the registry; a source must be seen whole in all kinds of its scope.
        memoris: names or ids of the Memoris that are backed up; none means all.
    """
    sources = mirror.sources()
    gone = tuple(each for each in sources if each.gone_at is not None)
    left_out = tuple(each for each in sources if each not in gone and _is_left_out(each, memoris))
    dead = standing.dead(mirror)
    seen, files = standing.last_seen_whole(mirror), standing.files_by_status(mirror)
    failed = standing.failed_files(mirror)
    snapshots = {
        each.source.id: _honest(each, dead.snapshots) for each in standing.last_snapshots(mirror)
    }
    found = tuple(
        SourceStatus(
            source=source,
            kinds={
                kind.name: seen.get((source.id, kind.name))
                for kind in kinds.values()
                if kind.scope is source.scope
            },
            last=snapshots.get(source.id),
            missing=files.get((source.id, "missing"), 0),
            failed=tuple(map(without_query, failed.get(source.id, ()))),
            left_out=files.get((source.id, "left_out"), 0),
        )
        for source in sources
        if source not in (*gone, *left_out)
    )
    run = _last_run(list(snapshots.values()))
    left_open = standing.open_restores(standing.restores(mirror))
    restores = tuple(_honest(each, dead.restores) for each in left_open)
    known = {each.name for each in sources} | {each.remote_id for each in sources}
    wanted = list(memoris) or standing.memoris_without_source(mirror)
    never = tuple(each for each in wanted if each not in known)
    done = tuple(jobs.last_runs(mirror).values())
    return Standing(datetime.now(UTC), found, run, restores, gone, left_out, never, done)


def _honest(row: _Row, dead: Collection[int]) -> _Row:
    """What is dead does not run."""
    is_dead = row.id in dead and row.status is Status.RUNNING
    return replace(row, status=Status.INTERRUPTED) if is_dead else row


def _is_left_out(source: Source, memoris: Collection[str]) -> bool:
    is_named = source.name in memoris or source.remote_id in memoris
    return bool(memoris) and source.scope is Scope.MEMORI and not is_named


def whole_at(kinds: Collection[datetime | None]) -> datetime | None:
    """When all of several kinds had been seen whole; None if one never was, or there is none."""
    seen = [each for each in kinds if each is not None]
    return min(seen) if seen and len(seen) == len(kinds) else None


def is_too_old(seen_at: datetime | None, now: datetime, max_age: timedelta) -> bool:
    """Is a sight older than allowed? What was never seen is, and what a wrong clock dated ahead."""
    return seen_at is None or abs(now - seen_at) > max_age


def worst_status(statuses: Collection[Status]) -> Status:
    """How a run went whose snapshots went so."""
    return min(statuses, key=_WORST_FIRST.index)


def _last_run(last: Collection[Snapshot]) -> LastRun | None:
    """The last run, of which every source that it looked at has its last snapshot."""
    if not last:
        return None
    run_id = max(each.run_id for each in last)
    mine = [each for each in last if each.run_id == run_id]
    return LastRun(
        run_id, min(each.started_at for each in mine), worst_status([each.status for each in mine])
    )
