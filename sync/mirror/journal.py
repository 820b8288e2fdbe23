"""The journal of restores: what was begun, what came of it, and which key became which.

A step is committed as `begun` before its call goes out, and as `done` with its key map in one
commit after the answer came, both durably, so that a cut anywhere can be settled (design 8.4).
"""

from collections.abc import Collection, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.document import Document, canonical, parse
from sync.kind import Ident
from sync.lives import first_keys
from sync.mirror.bulk import analyse, upsert
from sync.mirror.database import writing_durably
from sync.mirror.mirror import Mirror
from sync.mirror.values import BEGUN, DONE, FAILED, Source, Status

if TYPE_CHECKING:
    from sync.mirror.bulk import Upsert

_COPY = "copy of "
_STEP = "step_id"


@dataclass(frozen=True)
class Begun:
    """A step whose outcome is not known.

    Attributes:
        before_snapshot_id: the listing taken before its restore began, or went on.
        sent: what was sent; of a file, where it was to belong.
        sha256: of the file that was sent, or None.
        is_copy: it came from another Memori.
    """

    id: int
    op: str
    kind: str
    old_key: str
    parent_new_key: str | None
    sent: Document
    sha256: str | None
    before_snapshot_id: int
    is_copy: bool = False


@dataclass(frozen=True)
class _Statements:
    """What is noted around every call; built once, because that takes longer than running it."""

    begin: sa.Insert
    end: sa.Update
    map: "Upsert"


class Journal:
    """The restores into one source.

    Args:
        mirror: where it is kept.
        source: the target: always a Memori, for assets too.
        copied: objects that stay where they are: what is made of them is no successor of theirs.
        theirs: objects of another Memori that come into this one.
        firsts: {ident: first key} of what restores into others made of something: by it is known
            what this one has of the same object, whatever key that had.
    """

    def __init__(
        self,
        mirror: Mirror,
        source: Source,
        copied: Container[Ident] = (),
        theirs: Collection[Ident] = (),
        firsts: Mapping[Ident, str] = MappingProxyType({}),
    ) -> None:
        self._mirror = mirror
        self._copied = copied
        self._theirs = theirs
        self._firsts = firsts
        self._source = source
        self._tables = mirror.tables
        self._ask = _statements(mirror)
        self._lock = Lock()

    def start(
        self,
        wanted_snapshot_id: int,
        before_snapshot_id: int,
        selection: Mapping[str, Any] | None = None,
    ) -> int:
        """Note a restore that begins; returns its id.

        Args:
            wanted_snapshot_id: what it goes back to.
            before_snapshot_id: the listing taken before it.
            selection: what of it was asked for; sets come back as lists.
        """
        restore = self._tables.restore
        values = {
            "source_id": self._source.id,
            "wanted_snapshot_id": wanted_snapshot_id,
            "before_snapshot_id": before_snapshot_id,
            "status": Status.RUNNING,
            "started_at": datetime.now(UTC),
            "selection": _selection(selection),
        }
        with self._durably() as connection:
            new = sa.insert(restore).values(values).returning(restore.c.id)
            return int(connection.execute(new).scalar_one())

    def resume(
        self, restore_id: int, snapshot_id: int, selection: Mapping[str, Any] | None = None
    ) -> None:
        """Note that a restore goes on; none of its steps is open any more.

        Args:
            restore_id: of the restore.
            snapshot_id: the listing taken just now. What the restore does from here on is judged
                against it; what was there before the restore stays known.
            selection: what is asked for now.
        """
        restore = self._tables.restore
        values = {
            "status": Status.RUNNING,
            "finished_at": None,
            "resumed_snapshot_id": snapshot_id,
            "selection": _selection(selection),
        }
        with self._durably() as connection:
            connection.execute(sa.update(restore).where(restore.c.id == restore_id).values(values))

    def finish(self, restore_id: int, status: Status) -> None:
        """Note how a restore ended."""
        restore = self._tables.restore
        with self._durably() as connection:
            connection.execute(
                sa.update(restore)
                .where(restore.c.id == restore_id)
                .values(status=status, finished_at=datetime.now(UTC))
            )
            # The next backup asks about each key that came back.
            analyse(connection, self._tables.key_map)

    def begin(
        self,
        restore_id: int,
        op: str,
        ident: Ident,
        sent: Document,
        *,
        parent_new_key: str | None = None,
        sha256: str | None = None,
    ) -> int:
        """Note a step whose call goes out next; returns its id."""
        values = {
            "restore_id": restore_id,
            "op": op,
            "kind": ident[0],
            "old_key": ident[1],
            "parent_new_key": parent_new_key,
            "sent": canonical(sent),
            "sha256": sha256,
            "status": BEGUN,
        }
        with self._durably() as connection:
            return int(connection.execute(self._ask.begin, values).scalar_one())

    def done(self, step_id: int, ident: Ident, new_key: str, *, stays: bool = False) -> None:
        """Note that a step was carried out, and the key its object has now.

        Args:
            step_id: of the step.
            ident: the object.
            new_key: its key now.
            stays: it is a copied one.
        """
        values = {_STEP: step_id, "status": DONE, "new_key": new_key, "error": None}
        with self._durably() as connection:
            connection.execute(self._ask.end, values)
            self._map(connection, ident, new_key, stays=stays)

    def failed(self, step_id: int, error: str) -> None:
        """Note that a step was not carried out."""
        values = {_STEP: step_id, "status": FAILED, "new_key": None, "error": error}
        with self._durably() as connection:
            connection.execute(self._ask.end, values)

    def recognise(self, matches: Mapping[Ident, str]) -> None:
        """Note objects that someone made again by hand: {ident: key now}."""
        with self._durably() as connection:
            for ident, key in matches.items():
                self._map(connection, ident, key)

    def came_back(self) -> dict[Ident, str]:
        """{ident: the key it came back under}; what was made of a copied one has a mark."""
        key_map = self._tables.key_map
        query = sa.select(key_map).where(key_map.c.source_id == self._source.id)
        return {(row.kind, row.old_key): row.new_key for row in self._mirror.rows(query)}

    def successors(self) -> dict[Ident, str]:
        """{ident: the key under which it, or a copy of it, is here}."""
        found = self.came_back()
        own = {(name, old.removeprefix(_COPY)): new for (name, old), new in found.items()}
        copies = {ident: key for ident, key in own.items() if ident in self._copied}
        has_copies = bool(self._firsts or self._theirs) or own != found
        return {**(self._here(own) if has_copies else {}), **found, **copies}

    def _here(self, own: Mapping[Ident, str]) -> dict[Ident, str]:
        """{ident: the key of what came here of the same object, or of theirs at least the first}.

        Whatever key of an object it is that something came here of: also one that it has elsewhere.
        """
        came: dict[Ident, str] = {}
        for (name, old), new in own.items():
            came.setdefault((name, self._firsts.get((name, old), old)), new)
        firsts = {**{each: each[1] for each in came}, **self._firsts}
        found = {
            ident: came.get((ident[0], first), first)
            for ident, first in firsts.items()
            if ident in self._theirs or (ident[0], first) in came
        }
        return {ident: key for ident, key in found.items() if key != ident[1]}

    def begun(self) -> list[Begun]:
        """Steps of earlier restores whose outcome is not known, oldest first."""
        step, restore = self._tables.restore_step, self._tables.restore
        wanted = self._tables.snapshot
        # Whatever a restore had begun is settled before it goes on.
        before = sa.func.coalesce(restore.c.resumed_snapshot_id, restore.c.before_snapshot_id)
        query = (
            sa.select(
                step,
                before.label("before_snapshot_id"),
                (wanted.c.source_id != restore.c.source_id).label("is_copy"),
            )
            .join(restore, restore.c.id == step.c.restore_id)
            .join(wanted, wanted.c.id == restore.c.wanted_snapshot_id)
            .where(restore.c.source_id == self._source.id, step.c.status == BEGUN)
            .order_by(step.c.id)
        )
        return [_begun(row) for row in self._mirror.rows(query)]

    def failed_last(self) -> set[Ident]:
        """Objects whose last step was not carried out."""
        step, restore = self._tables.restore_step, self._tables.restore
        query = (
            sa.select(step.c.kind, step.c.old_key, step.c.status)
            .join(restore, restore.c.id == step.c.restore_id)
            .where(restore.c.source_id == self._source.id)
            .order_by(step.c.id)
        )
        last = {(row.kind, row.old_key): row.status for row in self._mirror.rows(query)}
        return {ident for ident, status in last.items() if status == FAILED}

    def made(self) -> set[Ident]:
        """Objects that some step is known to have made."""
        step, restore = self._tables.restore_step, self._tables.restore
        query = (
            sa.select(step.c.kind, step.c.new_key)
            .join(restore, restore.c.id == step.c.restore_id)
            .where(restore.c.source_id == self._source.id, step.c.new_key.is_not(None))
        )
        return {(row.kind, row.new_key) for row in self._mirror.rows(query)}

    def begun_with(self, restore_id: int, op: str) -> set[Ident]:
        """Objects that a restore began to do something of a sort with, whatever came of it."""
        step = self._tables.restore_step
        query = sa.select(step.c.kind, step.c.old_key).where(
            step.c.restore_id == restore_id, step.c.op == op
        )
        return {(row.kind, row.old_key) for row in self._mirror.rows(query)}

    def steps(self, restore_id: int) -> dict[str, int]:
        """{status: how many steps of a restore have it}."""
        step = self._tables.restore_step
        query = sa.select(step.c.status, sa.func.count().label("steps")).where(
            step.c.restore_id == restore_id
        )
        found = self._mirror.rows(query.group_by(step.c.status))
        return {row.status: row.steps for row in found}

    def _map(
        self, connection: sa.Connection, ident: Ident, new_key: str, *, stays: bool = False
    ) -> None:
        if ident[1] == new_key:
            return
        if stays or ident in self._copied:
            ident = (ident[0], _COPY + ident[1])
        values = {"source_id": self._source.id, "kind": ident[0], "old_key": ident[1]}
        connection.execute(self._ask.map, values | {"new_key": new_key})

    @contextmanager
    def _durably(self) -> Iterator[sa.Connection]:
        # Steps are noted from several threads; waiting here is quicker than at SQLite's own lock.
        with (
            self._lock,
            self._mirror.stop.shield(),
            self._mirror.engine.connect() as connection,
            writing_durably(connection),
        ):
            yield connection


def firsts_elsewhere(mirror: Mirror, source: Source) -> dict[Ident, str]:
    """{ident: first key} of what restores into other sources than this one made."""
    key_map = mirror.tables.key_map
    query = sa.select(key_map).where(key_map.c.source_id != source.id)
    return first_keys(
        ((row.kind, row.old_key.removeprefix(_COPY)), row.new_key) for row in mirror.rows(query)
    )


def _statements(mirror: Mirror) -> _Statements:
    step, key_map = mirror.tables.restore_step, mirror.tables.key_map
    new = upsert(mirror.engine.dialect, key_map)
    return _Statements(
        begin=sa.insert(step).returning(step.c.id),
        end=sa.update(step)
        .where(step.c.id == sa.bindparam(_STEP))
        .values({name: sa.bindparam(name) for name in ("status", "new_key", "error")}),
        map=new.on_conflict_do_update(
            index_elements=list(key_map.primary_key), set_={"new_key": new.excluded.new_key}
        ),
    )


def _selection(selection: Mapping[str, Any] | None) -> str | None:
    if selection is None:
        return None
    lists = {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in selection.items()
    }
    return canonical(lists)


def _begun(row: sa.Row[Any]) -> Begun:
    return Begun(
        id=row.id,
        op=row.op,
        kind=row.kind,
        old_key=row.old_key,
        parent_new_key=row.parent_new_key,
        sent=parse(row.sent.encode()),
        sha256=row.sha256,
        before_snapshot_id=row.before_snapshot_id,
        is_copy=row.is_copy,
    )
