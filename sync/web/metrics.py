"""What Prometheus is told: how fresh the mirror is, and what the jobs did since the start."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Summary, generate_latest

from sync.mirror import standing
from sync.mirror.mirror import Mirror
from sync.mirror.values import Snapshot, Source, Status

_SOURCE = ("scope", "source", "remote_id")


class Metrics:
    """Counters that jobs move, and gauges that are made from the mirror at every look."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        made = partial(_made, self._registry)
        self._jobs = made(Counter, "jobs", "Jobs that ended", "job", "exit_code")
        self._job_seconds = made(Summary, "job_seconds", "How long jobs took", "job")
        self._changes = made(Counter, "changes", "Changes seen", *_SOURCE, "kind", "op")
        self._bytes = made(Counter, "file_bytes", "Bytes of files fetched", *_SOURCE)
        self._failed = made(Counter, "failed_files", "Files that failed", *_SOURCE)
        self._repeats = made(Counter, "repeated_calls", "Calls that were made again")

    def job_done(self, job: str, exit_code: int, took_s: float) -> None:
        """Count a job."""
        self._jobs.labels(job, exit_code).inc()
        self._job_seconds.labels(job).observe(took_s)

    def repeated(self, calls: int) -> None:
        """Count calls that a job had to make again."""
        self._repeats.inc(calls)

    def run_done(self, snapshots: Iterable[Snapshot]) -> None:
        """Count what a backup saw."""
        for each in snapshots:
            source = _labels(each.source)
            self._bytes.labels(*source).inc(each.files.bytes)
            self._failed.labels(*source).inc(each.files.failed)
            for kind, result in each.kinds.items():
                for op in ("created", "updated", "deleted"):
                    self._changes.labels(*source, kind, op).inc(getattr(result.tally, op))

    def exposed(self, mirror: Mirror | None) -> bytes:
        """All of it as Prometheus reads it.

        Args:
            mirror: to look at; without one, all that it knows is missing.
        """
        counters: bytes = generate_latest(self._registry)
        return counters + (generate_latest(_gauges(mirror)) if mirror else b"")


def _gauges(mirror: Mirror) -> CollectorRegistry:
    """What the mirror knows now of the sources that live."""
    registry = CollectorRegistry()
    gauge = partial(_made, registry, Gauge)
    seen = gauge("last_success_timestamp_seconds", "When last seen whole", *_SOURCE, "kind")
    objects = gauge("objects", "Objects there", *_SOURCE, "kind")
    files = gauge("files", "Files referred to", *_SOURCE, "status")
    took = gauge("last_snapshot_seconds", "How long the last snapshot took", *_SOURCE)
    complete = gauge("last_snapshot_complete", "Was the last snapshot complete", *_SOURCE)
    sources = {each.id: _labels(each) for each in mirror.sources() if each.gone_at is None}
    found = (
        (seen, {each: at.timestamp() for each, at in standing.last_seen_whole(mirror).items()}),
        (objects, standing.objects(mirror)),
        (files, standing.files_by_status(mirror)),
    )
    for made, values in found:
        for (source_id, name), value in values.items():
            if source_id in sources:
                made.labels(*sources[source_id], name).set(value)
    for each in standing.last_snapshots(mirror):
        if each.source.id in sources and each.finished_at:
            labels = sources[each.source.id]
            took.labels(*labels).set((each.finished_at - each.started_at).total_seconds())
            complete.labels(*labels).set(each.status is Status.COMPLETE)
    return registry


def _made(registry: CollectorRegistry, sort: Any, name: str, about: str, *labels: str) -> Any:
    return sort(f"aisuru_sync_{name}", f"{about}.", labels, registry=registry)


def _labels(source: Source) -> tuple[str, str, str]:
    return source.scope, source.name, source.remote_id
