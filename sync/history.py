"""History: what an object is, and what it was."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sync.document import Document
from sync.errors import UsageError
from sync.kind import Kind, is_usable_key
from sync.kinds.file import FILE
from sync.mirror.mirror import Mirror
from sync.mirror.values import Source
from sync.redact import STARS


@dataclass(frozen=True)
class Shown:
    """One object at one moment.

    Attributes:
        snapshot_id: the snapshot it is shown at.
        is_deleted: it is not there any more, and shown as it was last.
        document: with masked fields as stars.
    """

    source: Source
    snapshot_id: int
    document: Document
    is_deleted: bool = False


def show(
    mirror: Mirror,
    kinds: Mapping[str, Kind],
    kind_name: str,
    key: str,
    *,
    snapshot_id: int | None = None,
    at: datetime | None = None,
    memori: str | None = None,
) -> Shown:
    """Find an object, now or as it was.

    Args:
        mirror: where to look.
        kinds: the registry.
        kind_name: one of them, or `file`.
        key: the object's.
        snapshot_id: as at this snapshot of its source; by default as seen last.
        at: as at the last snapshot of its source that was begun by then.
        memori: name or id of the Memori, where several have such a key.

    Raises:
        UsageError: there is no such kind, Memori, snapshot or object, or there are several.
    """
    kind = {**kinds, FILE.name: FILE}.get(kind_name)
    if kind is None:
        raise UsageError(f"there is no kind {kind_name!r}", f"kinds: {', '.join(kinds)}")
    if not is_usable_key(key):
        raise UsageError("that is no key of any object")
    if snapshot_id is not None and at is not None:
        raise UsageError("give either --snapshot or --at")
    if snapshot_id is not None and not mirror.has_snapshot(snapshot_id):
        raise UsageError(f"there is no snapshot {snapshot_id}", "see: aisuru-sync snapshots")
    sources = _sources(mirror, memori)
    found = list(_as_at(mirror, kind, key, sources, snapshot_id, at))
    if not found and snapshot_id is None and at is None:
        found = list(_as_last_seen(mirror, kind, key, sources))
    if not found:
        when = " of that time" if at or snapshot_id else ""
        raise UsageError(f"the mirror holds no {kind_name} {key!r}{when}")
    if len(found) > 1:
        names = ", ".join(each.source.name for each in found)
        raise UsageError(f"several have a {kind_name} {key!r}: {names}", "add --memori")
    return found[0]


def _as_at(
    mirror: Mirror,
    kind: Kind,
    key: str,
    sources: Iterable[Source],
    snapshot_id: int | None,
    at: datetime | None,
) -> Iterator[Shown]:
    for source in sources:
        moment_id = mirror.last_snapshot(source, snapshot_id=snapshot_id, at=at)
        if moment_id is not None:
            document = mirror.document(source, kind, key, moment_id)
            if document is not None:
                yield Shown(source, moment_id, masked(kind, document))


def _as_last_seen(
    mirror: Mirror, kind: Kind, key: str, sources: Iterable[Source]
) -> Iterator[Shown]:
    for source in sources:
        if last := mirror.last_version(source, kind, key):
            yield Shown(source, last[0], masked(kind, last[1]), is_deleted=True)


def masked(kind: Kind, document: Document) -> Document:
    """A document as it may be shown."""
    return {
        name: STARS if name in kind.masked and value else value for name, value in document.items()
    }


def moment(text: str) -> datetime:
    """Read a time; without an offset it is meant local, and a day is meant to its end.

    Raises:
        UsageError: it is none.
    """
    try:
        read = datetime.fromisoformat(text)
        is_day = len(text.strip()) == len("2026-11-24")
        return (read + timedelta(days=1) if is_day else read).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is not a time", "write 2026-11-24 or 2026-11-24T18:00"
        ) from None


def _sources(mirror: Mirror, memori: str | None) -> list[Source]:
    sources = mirror.sources()
    if memori is None:
        return sources
    found = [each for each in sources if memori in (each.name, each.remote_id)]
    if not found:
        raise UsageError(f"the mirror holds no Memori {memori!r}")
    return found
