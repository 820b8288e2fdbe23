"""History: what an object is, and what it was."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sync.document import Document
from sync.errors import UsageError
from sync.kind import Kind
from sync.kinds.file import FILE
from sync.mirror.mirror import Mirror, Source

_STARS = "******"


@dataclass(frozen=True)
class Shown:
    """One object at one moment.

    Attributes:
        snapshot_id: the snapshot it is shown at.
        document: with masked fields as stars.
    """

    source: Source
    snapshot_id: int
    document: Document


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
    if snapshot_id is not None and at is not None:
        raise UsageError("give either --snapshot or --at")
    if snapshot_id is not None and not mirror.has_snapshot(snapshot_id):
        raise UsageError(f"there is no snapshot {snapshot_id}", "see: aisuru-sync snapshots")
    found = []
    for source in _sources(mirror, memori):
        moment_id = mirror.last_snapshot(source, snapshot_id=snapshot_id, at=at)
        if moment_id is None:
            continue
        document = mirror.document(source, kind, key, moment_id)
        if document is not None:
            found.append(Shown(source, moment_id, masked(kind, document)))
    if not found:
        raise UsageError(f"there is no {kind_name} {key!r} in the mirror then and there")
    if len(found) > 1:
        names = ", ".join(each.source.name for each in found)
        raise UsageError(f"several have a {kind_name} {key!r}: {names}", "add --memori")
    return found[0]


def masked(kind: Kind, document: Document) -> Document:
    """A document as it may be shown."""
    return {
        name: _STARS if name in kind.masked and value else value for name, value in document.items()
    }


def moment(text: str) -> datetime:
    """Read a time; without an offset it is meant local.

    Raises:
        UsageError: it is none.
    """
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
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
