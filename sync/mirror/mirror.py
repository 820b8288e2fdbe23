"""The mirror as jobs see it: sources, snapshots, and what is there now.

Rows come back as frozen values. Readers hold no lock; writers take it for one short transaction.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from sync.batches import batches
from sync.change import DELETED
from sync.document import Document, storable
from sync.errors import UsageError
from sync.kind import Kind, Scope
from sync.kinds.file import FILE
from sync.kinds.memori import MEMORI
from sync.mirror import schema
from sync.mirror.apply import Stage
from sync.mirror.database import BATCH, by_key, open_database, writing, writing_durably
from sync.mirror.past import Past
from sync.mirror.staging import Staging
from sync.mirror.tables import Tables
from sync.mirror.values import (
    FileCounts,
    KindResult,
    Snapshot,
    Source,
    Status,
    held,
    kind_result_of,
    own_document,
    snapshot_of,
    source_of,
    storable_error,
)
from sync.stop import Stop
from sync.wording import quoted


class Mirror:
    """One database, for one registry of kinds.

    Args:
        url: of the database.
        kinds: the registry that the tables follow.
        stop: held back while something is written.

    Attributes:
        past: what its objects were.
    """

    def __init__(self, url: str, kinds: Mapping[str, Kind], stop: Stop | None = None) -> None:
        self.stop = stop or Stop()
        self.engine = open_database(url)
        self.tables = Tables(kinds.values())
        self.past = Past(self.all, self.tables)
        # Made once: the database's driver remembers what it made of statements by their tables.
        self._stages = {
            each.name: Stage(each, self.tables.kinds[each.name]) for each in (*kinds.values(), FILE)
        }
        self._order = {name: place for place, name in enumerate(kinds)}

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    def migrate(self) -> None:
        """Make or upgrade the tables."""
        schema.migrate(self.engine)

    def check_version(self) -> None:
        """Raise `NoMirror` unless the tables are those of this version."""
        schema.check_version(self.engine)

    def identity(self) -> str | None:
        """What tells this mirror from others, None as long as nobody asked for that."""
        found = self.all(sa.select(self.tables.mirror.c.mirror_id))
        return str(found[0].mirror_id) if found else None

    def make_identity(self) -> str:
        """What tells this mirror from others; once this is back, it lasts."""
        known = self.identity()
        if known is not None:
            return known
        made = uuid4().hex
        with self.stop.shield(), self.engine.connect() as connection, writing_durably(connection):
            connection.execute(sa.insert(self.tables.mirror).values(mirror_id=made))
        return made

    def register_account(self, user_id: str, name: str) -> Source:
        """Note the account under its name of now; returns its source, made at first sight.

        Raises:
            UsageError: the mirror belongs to another account.
        """
        self.check_account(user_id, name)
        return self._register(Scope.ACCOUNT, user_id, name, None)

    def check_account(self, user_id: str, name: str) -> None:
        """Raise `UsageError` if the mirror belongs to another account."""
        for source in self.sources():
            if source.scope is Scope.ACCOUNT and source.remote_id != user_id:
                held, given = f"{source.name!r} ({source.remote_id})", f"{name!r} ({user_id})"
                raise UsageError(
                    f"this mirror holds the account of {held}, not of {given}",
                    "give each account a `database` and `files` of its own in [storage]",
                )

    def register_memori(self, memori_id: str, name: str, engine_id: str) -> Source:
        """Note a Memori under its name of now; returns its source, made at first sight."""
        return self._register(Scope.MEMORI, memori_id, name, engine_id)

    def sources(self, memori: str | None = None) -> list[Source]:
        """All sources, the account first, or those of one Memori.

        Args:
            memori: its name or id.

        Raises:
            UsageError: there is no such Memori.
        """
        query = sa.select(self.tables.source).order_by(self.tables.source.c.id)
        known = [source_of(row) for row in self.rows(query)]
        if memori is None:
            return known
        found = [each for each in known if memori in (each.name, each.remote_id)]
        if not found:
            names = quoted(each.name for each in known if each.scope is Scope.MEMORI)
            raise UsageError(f"the mirror holds no Memori {memori!r}", f"it holds: {names}")
        return found

    def mark_gone(self, owned: Collection[str]) -> list[Source]:
        """Mark the Memoris that are proven gone from the account; what they held stays.

        Args:
            owned: ids of those that the account shows now.

        Returns:
            Those that were not marked yet.
        """
        source, change = self.tables.source, self.tables.change
        accounts = sa.select(source.c.id).where(source.c.scope == Scope.ACCOUNT).correlate(None)
        proven = sa.exists().where(
            change.c.source_id.in_(accounts),
            change.c.kind == MEMORI.name,
            change.c.key == source.c.remote_id,
            change.c.op == DELETED,
            change.c.superseded_in.is_(None),
        )
        with self._writing() as connection:
            marked = connection.execute(
                sa.update(source)
                .where(source.c.scope == Scope.MEMORI, source.c.gone_at.is_(None), proven)
                .where(source.c.remote_id.not_in(owned))
                .values(gone_at=datetime.now(UTC))
                .returning(source)
            )
            return [source_of(row) for row in marked]

    def start_snapshot(self, source: Source, run_id: int, reason: str) -> int:
        """Open a snapshot of a source; returns its id."""
        with self._writing() as connection:
            values = {
                "run_id": run_id,
                "source_id": source.id,
                "started_at": datetime.now(UTC),
                "status": Status.RUNNING,
                "reason": reason,
            }
            new = (
                sa.insert(self.tables.snapshot).values(values).returning(self.tables.snapshot.c.id)
            )
            return int(connection.execute(new).scalar_one())

    def finish_snapshot(
        self, snapshot_id: int, status: Status, files: FileCounts, error: str | None = None
    ) -> None:
        """Close a snapshot with its outcome."""
        snapshot = self.tables.snapshot
        counts = {f"files_{each.name}": getattr(files, each.name) for each in fields(files)}
        with self._writing() as connection:
            connection.execute(
                sa.update(snapshot)
                .where(snapshot.c.id == snapshot_id)
                .values(
                    status=status,
                    finished_at=datetime.now(UTC),
                    error=storable_error(error),
                    **counts,
                )
            )

    def interrupt_running(self) -> None:
        """Mark what an earlier process left `running`."""
        snapshot, restore = self.tables.snapshot, self.tables.restore
        with self._writing() as connection:
            connection.execute(
                sa.update(snapshot)
                .where(snapshot.c.status == Status.RUNNING)
                .values(status=Status.INTERRUPTED, error="the process ended before it was finished")
            )
            connection.execute(
                sa.update(restore)
                .where(restore.c.status == Status.RUNNING)
                .values(status=Status.INTERRUPTED)
            )

    def next_run_id(self) -> int:
        """A number for a new run."""
        highest = sa.select(sa.func.coalesce(sa.func.max(self.tables.snapshot.c.run_id), 0))
        with self._reading() as connection:
            return int(connection.execute(highest).scalar_one()) + 1

    @contextmanager
    def staging(self, source: Source, snapshot_id: int) -> Iterator[Staging]:
        """What a snapshot sees, on a connection of its own."""
        place = (source.id, snapshot_id)
        with self.scratch() as connection:
            yield Staging(connection, self.tables, self._stages, place, self.stop)

    @contextmanager
    def scratch(self) -> Iterator[sa.Connection]:
        """A connection to make temporary tables on, which nobody uses afterwards."""
        with self.engine.connect() as connection:
            try:
                yield connection
            finally:
                # Its temporary tables must not meet the next user of the connection.
                connection.invalidate()

    def snapshots(self, run_id: int | None = None) -> list[Snapshot]:
        """All snapshots, or those of one run, oldest first, each with its kinds."""
        snapshot, kind = self.tables.snapshot, self.tables.snapshot_kind
        query = sa.select(snapshot).order_by(snapshot.c.id)
        kinds_query = sa.select(kind)
        if run_id is not None:
            query = query.where(snapshot.c.run_id == run_id)
            kinds_query = kinds_query.join(snapshot).where(snapshot.c.run_id == run_id)
        sources = {each.id: each for each in self.sources()}
        with self._reading() as connection:
            kinds: dict[int, dict[str, KindResult]] = {}
            in_order = sorted(
                connection.execute(kinds_query), key=lambda row: self._order.get(row.kind, 0)
            )
            for row in in_order:
                kinds.setdefault(row.snapshot_id, {})[row.kind] = kind_result_of(row)
            return [
                snapshot_of(row, sources[row.source_id], kinds.get(row.id, {}))
                for row in connection.execute(query)
            ]

    def documents(
        self, source: Source, kind: Kind, *, like: Collection[str] = ()
    ) -> Iterator[Document]:
        """What is there now of a kind, in batches, by key.

        Args:
            source: whose objects.
            kind: of which kind.
            like: only documents whose JSON text holds one of these, whatever the letter case.
        """
        table = self.tables.kinds[kind.name]
        query = sa.select(table.c.key, table.c.document).where(table.c.source_id == source.id)
        if like:
            text = table.c.document
            query = query.where(sa.or_(*(text.icontains(each, autoescape=True) for each in like)))
        for row in by_key(self.all, query, table.c.key):
            yield held(row.document, kind.name, row.key)

    def sibling(self, snapshot_id: int, source: Source) -> int | None:
        """The snapshot of a source that was taken in the same run as another one."""
        snapshot, other = self.tables.snapshot, self.tables.snapshot.alias()
        query = (
            sa.select(snapshot.c.id)
            .join(other, other.c.run_id == snapshot.c.run_id)
            .where(other.c.id == snapshot_id, snapshot.c.source_id == source.id)
        )
        with self._reading() as connection:
            return connection.execute(query).scalar()

    def stored_files(self, keys: Iterable[str]) -> dict[str, Document]:
        """{key: document} of the files, of any source and time, whose bytes were stored."""
        change = self.tables.change
        # Sources are what the index begins with: without them all of it is read for each batch.
        anyone = sa.select(self.tables.source.c.id)
        found: dict[str, Document] = {}
        for batch in batches(keys, BATCH):
            query = (
                sa.select(change.c.key, change.c.document)
                .where(change.c.source_id.in_(anyone), change.c.kind == FILE.name)
                .where(change.c.key.in_(batch))
                .where(change.c.document.is_not(None))
                .order_by(change.c.id)
            )
            for row in self.rows(query):
                document = own_document(FILE, row.key, row.document)
                if document is not None and document.get("sha256"):
                    found[row.key] = document
        return found

    def all(self, query: sa.Select[Any]) -> list[sa.Row[Any]]:
        """The rows of a query, read in a transaction of their own."""
        return list(self.rows(query))

    def rows(self, query: sa.Select[Any]) -> Iterator[sa.Row[Any]]:
        """The rows of a query as they come, for whoever takes them all at once."""
        with self._reading() as connection:
            yield from connection.execute(query)

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with self.stop.shield(), self.engine.connect() as connection, writing(connection):
            yield connection

    def _register(self, scope: Scope, remote_id: str, name: str, engine_id: str | None) -> Source:
        source = self.tables.source
        mine = (source.c.scope == scope, source.c.remote_id == remote_id)
        values = {"name": storable(name), "engine_id": engine_id, "gone_at": None}
        with self._writing() as connection:
            if connection.execute(sa.select(source.c.id).where(*mine)).scalar() is None:
                connection.execute(
                    sa.insert(source).values(scope=scope, remote_id=remote_id, **values)
                )
            else:
                connection.execute(sa.update(source).where(*mine).values(**values))
            return source_of(connection.execute(sa.select(source).where(*mine)).one())
