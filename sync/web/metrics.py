"""What Prometheus is told: how fresh the mirror is, and what the jobs did since the start."""

from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Summary
from prometheus_client.exposition import choose_encoder

from sync.mirror import standing
from sync.mirror.mirror import Mirror
from sync.mirror.values import Snapshot, Source, Status

_SOURCE = ("scope", "source", "remote_id")


class Metrics:
    """Counters that jobs move, and gauges that are read from the mirror at every look."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._jobs = self._made(Counter, "jobs", "Jobs that ended", "job", "exit_code")
        self._job_seconds = self._made(Summary, "job_seconds", "How long jobs took", "job")
        self._changes = self._made(Counter, "changes", "Changes seen", *_SOURCE, "kind", "op")
        self._bytes = self._made(Counter, "file_bytes", "Bytes of files fetched", *_SOURCE)
        self._failed = self._made(Counter, "failed_files", "Files that failed", *_SOURCE)
        self._repeats = self._made(Counter, "repeated_calls", "Calls that were made again")
        self._seen = self._made(
            Gauge, "last_success_timestamp_seconds", "When last seen whole", *_SOURCE, "kind"
        )
        self._objects = self._made(Gauge, "objects", "Objects there", *_SOURCE, "kind")
        self._files = self._made(Gauge, "files", "Files referred to", *_SOURCE, "status")
        self._snapshot_seconds = self._made(
            Gauge, "last_snapshot_seconds", "How long the last snapshot took", *_SOURCE
        )
        self._complete = self._made(
            Gauge, "last_snapshot_complete", "Was the last snapshot complete", *_SOURCE
        )

    def _made(self, sort: Any, name: str, about: str, *labels: str) -> Any:
        return sort(f"aisuru_sync_{name}", f"{about}.", labels, registry=self._registry)

    def job_done(self, job: str, exit_code: int, took_s: float) -> None:
        """Count a job."""
        self._jobs.labels(job, exit_code).inc()
        self._job_seconds.labels(job).observe(took_s)

    def run_done(self, snapshots: Iterable[Snapshot], repeats: int) -> None:
        """Count what a backup saw.

        Args:
            snapshots: of the run.
            repeats: calls that it had to make again.
        """
        self._repeats.inc(repeats)
        for each in snapshots:
            source = _labels(each.source)
            self._bytes.labels(*source).inc(each.files.bytes)
            self._failed.labels(*source).inc(each.files.failed)
            for kind, result in each.kinds.items():
                for op in ("created", "updated", "deleted"):
                    self._changes.labels(*source, kind, op).inc(getattr(result.tally, op))

    def look_at(self, mirror: Mirror) -> None:
        """Set everything that the mirror knows."""
        gauges = (self._seen, self._objects, self._files, self._snapshot_seconds, self._complete)
        for gauge in gauges:
            gauge.clear()
        sources = {each.id: each for each in mirror.sources() if each.gone_at is None}
        for (source_id, kind), at in standing.last_seen_whole(mirror).items():
            if source_id in sources:
                self._seen.labels(*_labels(sources[source_id]), kind).set(at.timestamp())
        for (source_id, kind), number in standing.objects(mirror).items():
            if source_id in sources:
                self._objects.labels(*_labels(sources[source_id]), kind).set(number)
        for (source_id, state), number in standing.files_by_status(mirror).items():
            if source_id in sources:
                self._files.labels(*_labels(sources[source_id]), state).set(number)
        for each in standing.last_snapshots(mirror):
            if each.source.id in sources and each.finished_at:
                took_s = (each.finished_at - each.started_at).total_seconds()
                self._snapshot_seconds.labels(*_labels(each.source)).set(took_s)
                self._complete.labels(*_labels(each.source)).set(each.status is Status.COMPLETE)

    def exposed(self, accept: str = "") -> tuple[bytes, str]:
        """All of it as Prometheus reads it, and its MIME type."""
        encode, mime_type = choose_encoder(accept)
        return encode(self._registry), mime_type


def _labels(source: Source) -> tuple[str, str, str]:
    return source.scope, source.name, source.remote_id
