"""The mirror's rows as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from sync.document import Document, parse, storable
from sync.errors import BadAnswer, DamageFound
from sync.kind import Kind, Scope


class Status(StrEnum):
    """How a snapshot, the listing of a kind in it, or a restore went (design 5)."""

    RUNNING = "running"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    FORGOTTEN = "forgotten"
    GIVEN_UP = "given_up"


class Reason(StrEnum):
    """What a snapshot was taken for; a restore takes one before and one after itself."""

    MANUAL = "manual"
    SCHEDULE = "schedule"
    BEFORE_RESTORE = "before_restore"
    AFTER_RESTORE = "after_restore"


OF_RESTORES = (Reason.BEFORE_RESTORE, Reason.AFTER_RESTORE)
BEGUN, DONE, FAILED = "begun", "done", "failed"
"""What became of a step of a restore."""


@dataclass(frozen=True)
class Source:
    """Where objects are listed from; `id` is the mirror's own.

    It stays the same one whatever it is called, and if it goes.
    """

    id: int
    scope: Scope
    name: str = field(compare=False)
    remote_id: str
    gone_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Tally:
    """What a listing of one kind brought.

    Attributes:
        listed: distinct objects seen.
    """

    listed: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0


@dataclass(frozen=True)
class KindResult:
    """How far the listing of one kind can be trusted, and what it brought.

    Attributes:
        error: why it is not complete.
    """

    status: Status
    tally: Tally = field(default_factory=Tally)
    error: str | None = None


@dataclass(frozen=True)
class FileCounts:
    """What became of the files that a source refers to."""

    referenced: int = 0
    downloaded: int = 0
    unchanged: int = 0
    missing: int = 0
    failed: int = 0
    bytes: int = 0
    left_out: int = 0


@dataclass(frozen=True)
class Snapshot:
    """One view of one source."""

    id: int
    run_id: int
    source: Source
    started_at: datetime
    finished_at: datetime | None
    status: Status
    reason: str
    error: str | None
    files: FileCounts
    kinds: Mapping[str, KindResult] = field(default_factory=dict)

    @property
    def is_backup(self) -> bool:
        """Was it taken by a backup, and not by a restore?"""
        return self.reason not in OF_RESTORES


@dataclass(frozen=True)
class Change:
    """One step of an object's history; documents are None where the object was not there.

    Attributes:
        snapshot_id: of the snapshot that saw it, which was begun at `seen_at`.
    """

    source: Source
    snapshot_id: int
    seen_at: datetime
    kind: str
    key: str
    op: str
    before: Document | None
    document: Document | None


def storable_error(error: str | None) -> str | None:
    """An error as a column takes it on any database."""
    return None if error is None else storable(error)


def parsed(text: str | None) -> Document | None:
    """A document as its column holds it."""
    return None if text is None else parse(text.encode())


def readable(text: Any) -> Document | None:
    """A document as its column holds it, None for whatever else is there."""
    try:
        document = parse(text.encode()) if isinstance(text, str) else None
    except (BadAnswer, UnicodeEncodeError):
        return None
    return document if isinstance(document, dict) else None


def own_document(kind: Kind, key: str, text: Any) -> Document | None:
    """A document as its column holds it, None unless it is that of the object with this key."""
    document = readable(text)
    return document if document is not None and document.get(kind.key) == key else None


def proven_document(kind: Kind, key: str, text: Any, digest: str | None) -> Document | None:
    """A document as its column holds it, None unless it is the one that had this digest."""
    document = own_document(kind, key, text)
    return document if document is not None and kind.digest(document) == digest else None


def held(text: Any, kind: str, key: str) -> Document:
    """The document of an object as its column holds it.

    Raises:
        DamageFound: it is none.
    """
    document = readable(text)
    if document is None:
        what = f"what is stored of {kind} {key} cannot be read"
        raise DamageFound(what, "see: aisuru-sync check")
    return document


def source_of(row: sa.Row[Any]) -> Source:
    """A row of `source`."""
    return Source(row.id, Scope(row.scope), row.name, row.remote_id, row.gone_at)


def kind_result_of(row: sa.Row[Any]) -> KindResult:
    """A row of `snapshot_kind`."""
    tally = Tally(row.listed, row.created, row.updated, row.deleted, row.unchanged)
    return KindResult(Status(row.status), tally, row.error)


def snapshot_of(row: sa.Row[Any], source: Source, kinds: Mapping[str, KindResult]) -> Snapshot:
    """A row of `snapshot`, with its source and kinds."""
    files = FileCounts(*(getattr(row, f"files_{each.name}") for each in fields(FileCounts)))
    return Snapshot(
        id=row.id,
        run_id=row.run_id,
        source=source,
        started_at=row.started_at,
        finished_at=row.finished_at,
        status=Status(row.status),
        reason=row.reason,
        error=row.error,
        files=files,
        kinds=kinds,
    )
