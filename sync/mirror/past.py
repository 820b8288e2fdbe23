"""The past: every version of every object, as the history in `change` holds it.

Readers only. What can be many comes in batches, each read by itself, so that no transaction and no
memory grows with the history.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sync.batches import batches
from sync.change import DELETED
from sync.document import Document
from sync.errors import UsageError
from sync.kind import Kind
from sync.mirror.database import BATCH, by_key
from sync.mirror.tables import Tables, of_kind
from sync.mirror.values import Change, Source, Status, held, parsed, proven_document, source_of
from sync.when import local


class Past:
    """What the objects of one mirror were.

    Args:
        run: runs a query in a transaction of its own.
        tables: of the mirror.
    """

    def __init__(self, run: Callable[[sa.Select[Any]], list[sa.Row[Any]]], tables: Tables) -> None:
        self._all = run
        self._tables = tables

    def seen_by(self, snapshot_id: int) -> Source | None:
        """The source that a snapshot is of; None if there is no such snapshot."""
        source, snapshot = self._tables.source, self._tables.snapshot
        query = sa.select(source).join(snapshot).where(snapshot.c.id == snapshot_id)
        found = self._all(query)
        return source_of(found[0]) if found else None

    def check_kept(self, snapshot_id: int) -> None:
        """Make sure that there is still something to know of a snapshot.

        Raises:
            UsageError: it was forgotten; the message names those next to it that were not.
        """
        snapshot, chosen = self._tables.snapshot, self._tables.snapshot.alias()
        of_source = (
            sa.select(snapshot.c.id, snapshot.c.started_at, snapshot.c.status)
            .join(chosen, chosen.c.source_id == snapshot.c.source_id)
            .where(chosen.c.id == snapshot_id)
            .order_by(snapshot.c.id)
        )
        found = self._all(of_source)
        if (snapshot_id, Status.FORGOTTEN) not in ((each.id, each.status) for each in found):
            return
        kept = [each for each in found if each.status != Status.FORGOTTEN]
        beside = [
            *[each for each in kept if each.id < snapshot_id][-1:],
            *[each for each in kept if each.id > snapshot_id][:1],
        ]
        names = " and ".join(f"{each.id} of {local(each.started_at)}" for each in beside)
        raise UsageError(
            f"snapshot {snapshot_id} was forgotten by a prune",
            f"next to it these are kept: {names}" if names else "see: aisuru-sync snapshots",
        )

    def last_snapshot(
        self, source: Source, *, snapshot_id: int | None = None, at: datetime | None = None
    ) -> int | None:
        """The last snapshot of a source, if need be this one, or begun by then; None if none is.

        What was forgotten does not count.
        """
        snapshot = self._tables.snapshot
        query = sa.select(sa.func.max(snapshot.c.id)).where(
            snapshot.c.source_id == source.id, snapshot.c.status != Status.FORGOTTEN
        )
        if snapshot_id is not None:
            query = query.where(snapshot.c.id == snapshot_id)
        if at is not None:
            query = query.where(snapshot.c.started_at <= at)
        last: int | None = self._all(query)[0][0]
        return last

    def documents(
        self, source: Source, kind: Kind, keys: Iterable[str], snapshot_id: int | None = None
    ) -> dict[str, Document]:
        """{key: document} of those objects that are there now, or were at a snapshot."""
        change = self._tables.change
        query = sa.select(change.c.key, change.c.document).where(
            *self._of(source, kind), change.c.op != DELETED, self._at(snapshot_id)
        )
        return {row.key: held(row.document, kind.name, row.key) for row in self._each(query, keys)}

    def last_versions(
        self, source: Source, kind: Kind, keys: Iterable[str]
    ) -> dict[str, tuple[int, Document]]:
        """{key: (snapshot that saw it so, document)} of objects as seen last, gone ones too."""
        change = self._tables.change
        query = (
            sa.select(change.c.key, change.c.snapshot_id, change.c.document)
            .where(*self._of(source, kind), change.c.op != DELETED)
            .order_by(change.c.id)
        )
        return {
            row.key: (row.snapshot_id, held(row.document, kind.name, row.key))
            for row in self._each(query, keys)
        }

    def state(
        self, source: Source, kind: Kind, snapshot_id: int | None = None
    ) -> Iterator[tuple[str, Document]]:
        """All objects of a kind as (key, document), at a snapshot or now, by key."""
        change = self._tables.change
        query = sa.select(change.c.key, change.c.document).where(
            *self._of(source, kind), change.c.op != DELETED, self._at(snapshot_id)
        )
        for row in by_key(self._all, query, change.c.key):
            yield row.key, held(row.document, kind.name, row.key)

    def proven_state(
        self, source: Source, kind: Kind, snapshot_id: int | None
    ) -> Iterator[tuple[str, Document | None]]:
        """As `state`, but None for whatever is not, or not any more, what was seen then."""
        change = self._tables.change
        query = self._with_digest(source, kind, snapshot_id)
        for row in by_key(self._all, query, change.c.key):
            yield row.key, proven_document(kind, row.key, row.document, row.digest)

    def proven(
        self, source: Source, kind: Kind, keys: Iterable[str], snapshot_id: int | None
    ) -> dict[str, Document | None]:
        """As `documents`, but None for whatever is not, or not any more, what was seen then."""
        query = self._with_digest(source, kind, snapshot_id)
        return {
            row.key: proven_document(kind, row.key, row.document, row.digest)
            for row in self._each(query, keys)
        }

    def gone(
        self, source: Source, kind: Kind, keys: Iterable[str], snapshot_id: int | None = None
    ) -> set[str]:
        """The keys of objects that were there once, and not any more at a snapshot, or now."""
        query = sa.select(self._tables.change.c.key).where(
            *self._of(source, kind), self._tables.change.c.op == DELETED, self._at(snapshot_id)
        )
        return {row.key for row in self._each(query, keys)}

    def touched(self, source: Source, kind: Kind, after_id: int, until_id: int) -> Iterator[str]:
        """The keys that have changed after a snapshot, until another one, in their order."""
        change = self._tables.change
        query = (
            sa.select(change.c.key)
            .distinct()
            .where(*self._of(source, kind))
            .where(change.c.snapshot_id > after_id, change.c.snapshot_id <= until_id)
        )
        for row in by_key(self._all, query, change.c.key):
            yield row.key

    def has_seen(self, source: Source, kind: Kind, keys: Iterable[str]) -> bool:
        """Is there anything in the history of any of these keys?"""
        query = sa.select(self._tables.change.c.key).where(*self._of(source, kind)).limit(1)
        return any(True for _ in self._each(query, keys))

    def changes(
        self,
        keys: Mapping[Source, Collection[str] | None],
        kinds: Collection[str],
        since: datetime | None = None,
    ) -> Iterator[Change]:
        """What changed, the latest first.

        Args:
            keys: whose history: {source: keys of its objects, None for all}.
            kinds: names of kinds, `file` among them if wanted.
            since: only what snapshots saw that were begun then or later.
        """
        change, snapshot = self._tables.change, self._tables.snapshot
        # Without keys the primary key gives the order; `+ 0` keeps databases from other indexes,
        # after which all there is would be sorted for every batch.
        mine = [
            change.c.source_id + 0 == source.id
            if some is None
            else sa.and_(change.c.source_id == source.id, change.c.key.in_(some))
            for source, some in keys.items()
        ]
        query = (
            sa.select(change.c.id)
            .where(sa.or_(sa.false(), *mine), change.c.kind.in_(kinds))
            .order_by(change.c.id.desc())
            .limit(BATCH)
        )
        if since is not None:
            first = sa.select(sa.func.min(snapshot.c.id)).where(snapshot.c.started_at >= since)
            query = query.where(change.c.snapshot_id + 0 >= first.scalar_subquery())
        sources = {each.id: each for each in keys}
        batch = self._with_before(query)
        while batch:
            for row in batch:
                # A clock may have been set back between two snapshots.
                if since is None or row.started_at >= since:
                    yield _change_of(row, sources[row.source_id])
            batch = self._with_before(query.where(change.c.id < batch[-1].id))

    def _with_before(self, ids: sa.Select[Any]) -> list[sa.Row[Any]]:
        """Changes, the latest first, with what was there before and when they were seen."""
        change, snapshot = self._tables.change, self._tables.snapshot
        chosen, before = ids.subquery(), change.alias()
        query = (
            sa.select(change, snapshot.c.started_at, before.c.document.label("before"))
            .join(chosen, chosen.c.id == change.c.id)
            .join(snapshot, snapshot.c.id == change.c.snapshot_id)
            .outerjoin(
                before,
                sa.and_(
                    before.c.source_id == change.c.source_id,
                    before.c.kind == change.c.kind,
                    before.c.key == change.c.key,
                    before.c.superseded_in == change.c.snapshot_id,
                ),
            )
            .order_by(change.c.id.desc())
        )
        return self._all(query)

    def _with_digest(
        self, source: Source, kind: Kind, snapshot_id: int | None
    ) -> sa.Select[tuple[str, str, str]]:
        change = self._tables.change
        return sa.select(change.c.key, change.c.document, change.c.digest).where(
            *self._of(source, kind), change.c.op != DELETED, self._at(snapshot_id)
        )

    def _of(self, source: Source, kind: Kind) -> tuple[sa.ColumnElement[bool], ...]:
        return of_kind(self._tables.change, source.id, kind)

    def _at(self, snapshot_id: int | None) -> sa.ColumnElement[bool]:
        """The changes that stood at a snapshot, or that stand now."""
        change = self._tables.change
        last = change.c.superseded_in.is_(None)
        if snapshot_id is None:
            return last
        later = sa.or_(last, change.c.superseded_in > snapshot_id)
        return sa.and_(change.c.snapshot_id <= snapshot_id, later)

    def _each(self, query: sa.Select[Any], keys: Iterable[str]) -> Iterator[sa.Row[Any]]:
        for batch in batches(keys, BATCH):
            yield from self._all(query.where(self._tables.change.c.key.in_(batch)))


def _change_of(row: sa.Row[Any], source: Source) -> Change:
    return Change(
        source=source,
        snapshot_id=row.snapshot_id,
        seen_at=row.started_at,
        kind=row.kind,
        key=row.key,
        op=row.op,
        before=parsed(row.before),
        document=parsed(row.document),
    )
