"""Putting right what the table of a kind and history say of one object, where one proves the other.

What is there only once is never taken away: a row that history does not hold is kept and told of.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import sqlalchemy as sa

from sync.change import DELETED
from sync.document import Document
from sync.kind import Kind
from sync.mirror.database import writing
from sync.mirror.mirror import Mirror
from sync.mirror.tables import Tables, of_kind
from sync.mirror.values import own_document, proven_document

RowKey = tuple[int, str]
"""Which row of a kind: source id and key."""

KEPT = "history does not know it; the row is kept"
_DAMAGED = "history itself is damaged, and nothing else holds that version"
_UNKNOWN = "history does not say what was there last"
_NO_SOURCE = "its source is not there"


@dataclass(frozen=True)
class Version:
    """One change of an object in history.

    Attributes:
        document: None if it is not the one that was seen then, or none.
    """

    id: int
    op: str
    digest: str | None
    text: Any
    superseded_in: int | None
    document: Document | None


@dataclass(frozen=True)
class HeldRow:
    """The row of an object.

    Attributes:
        document: None if it cannot be read, or is another object's.
        digest: of the document, "" without one.
    """

    change_id: int
    text: Any
    document: Document | None
    digest: str
    columns: dict[str, Any]


class Remedy(Enum):
    """What an object needs."""

    WRITE_ROW = auto()
    WRITE_COLUMNS = auto()
    WRITE_HISTORY = auto()
    DELETE_ROW = auto()


def remedy(kind: Kind, held: HeldRow | None, history: Sequence[Version]) -> Remedy | str:
    """What an object needs, or why it is left as it is.

    Args:
        kind: of the object.
        held: its row, if there is one.
        history: all its changes, the oldest first.
    """
    last = history[-1] if history else None
    if last is None or [each for each in history if each.superseded_in is None] != [last]:
        return KEPT if held else _UNKNOWN
    digests = {each.digest for each in history if each.document is not None}
    is_known = held is None or held.document is None or held.digest in digests
    if last.op == DELETED:
        # Gone is only what history saw going later, and still has as it was.
        ids = {each.id for each in history if each.document is not None}
        is_proven = last.text is None and held is not None and held.change_id in ids - {last.id}
        return Remedy.DELETE_ROW if is_proven and is_known else KEPT
    is_its_own = held is None or held.change_id == last.id
    if held is not None and held.document is not None and held.digest == last.digest and is_its_own:
        return _by_row(kind, held, last)
    if last.document is None:
        return _DAMAGED
    return Remedy.WRITE_ROW if is_its_own or is_known else KEPT


def _by_row(kind: Kind, held: HeldRow, last: Version) -> Remedy | str:
    """What an object needs whose row has the very document that was seen last."""
    if last.document is None:
        return Remedy.WRITE_HISTORY
    return _DAMAGED if held.columns == kind.row(held.document or {}) else Remedy.WRITE_COLUMNS


def rebuild(mirror: Mirror, kind: Kind, objects: Collection[RowKey]) -> dict[RowKey, str]:
    """Put objects right, as far as their row or history proves what was there.

    Args:
        mirror: locked against other writers.
        kind: of all of them.
        objects: which.

    Returns:
        {object: why} of those that are left as they are.
    """
    left: dict[RowKey, str] = {}
    source = mirror.tables.source
    with mirror.stop.shield(), mirror.engine.connect() as connection, writing(connection):
        sources = set(connection.execute(sa.select(source.c.id)).scalars())
        rows = _Rows(connection, mirror.tables, kind)
        for where in objects:
            held, history = rows.held(where), rows.history(where)
            due = remedy(kind, held, history) if where[0] in sources else _NO_SOURCE
            if isinstance(due, str):
                left[where] = due
            else:
                rows.take(where, due, held, history[-1])
    return left


class _Rows:
    """What the mirror has of the objects of one kind, within a transaction."""

    def __init__(self, connection: sa.Connection, tables: Tables, kind: Kind) -> None:
        self._run = connection.execute
        self._kind = kind
        self._table = tables.kinds[kind.name]
        self._change = tables.change

    def held(self, where: RowKey) -> HeldRow | None:
        row = self._run(sa.select(self._table).where(*self._is(where))).mappings().first()
        if row is None:
            return None
        kind = self._kind
        document = own_document(kind, where[1], row["document"])
        columns = {column: row[column] for column, _ in kind.columns.values()}
        digest = kind.digest(document) if document is not None else ""
        return HeldRow(row["change_id"], row["document"], document, digest, columns)

    def history(self, where: RowKey) -> list[Version]:
        source_id, key = where
        change = self._change
        query = (
            sa.select(change)
            .where(*of_kind(change, source_id, self._kind), change.c.key == key)
            .order_by(change.c.snapshot_id)
        )
        return [
            Version(
                id=row.id,
                op=row.op,
                digest=row.digest,
                text=row.document,
                superseded_in=row.superseded_in,
                document=proven_document(self._kind, key, row.document, row.digest),
            )
            for row in self._run(query)
        ]

    def take(self, where: RowKey, due: Remedy, held: HeldRow | None, last: Version) -> None:
        """Do what an object needs."""
        text, document = last.text, last.document
        if held is not None and due in (Remedy.WRITE_COLUMNS, Remedy.WRITE_HISTORY):
            # The row's own stamps are fresher than those of history.
            text, document = held.text, held.document
        if due is Remedy.WRITE_HISTORY:
            change = self._change
            self._run(sa.update(change).where(change.c.id == last.id).values(document=text))
        self._run(sa.delete(self._table).where(*self._is(where)))
        if due is not Remedy.DELETE_ROW and document is not None:
            own = {"source_id": where[0], "key": where[1], "change_id": last.id, "document": text}
            self._run(sa.insert(self._table).values({**own, **self._kind.row(document)}))

    def _is(self, where: RowKey) -> tuple[sa.ColumnElement[bool], ...]:
        return self._table.c.source_id == where[0], self._table.c.key == where[1]
