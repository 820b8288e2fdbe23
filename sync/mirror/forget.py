"""Forgetting: which changes no kept snapshot needs, and which blobs nothing refers to any more.

A change goes if it was superseded and no kept snapshot of its source lies between. What is there
now stays, key maps and the journals of restores stay, and the rows of forgotten snapshots stay, so
that the history that is left says when it was seen. What is to go is found once, into temporary
tables, whether it is then only counted or really removed; memory does not grow with it.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import sqlalchemy as sa

from sync.batches import batches
from sync.change import DELETED
from sync.kinds.file import FILE
from sync.mirror.audit import with_bytes
from sync.mirror.bulk import analyse, as_parameter, given, load
from sync.mirror.database import BATCH, writing, writing_durably
from sync.mirror.mirror import Mirror
from sync.mirror.standing import PastRestore, dead, is_fresh, open_restores, restores
from sync.mirror.tables import ID, is_backup
from sync.mirror.values import BEGUN, Status
from sync.retention import Sight

_AT_ONCE = 4 * BATCH
"""How many changes go in one transaction."""
_LOOKED_AT = 50_000
"""How many changes are looked at between two moments in which a stop is heard."""


def sights(mirror: Mirror) -> list[Sight]:
    """All snapshots that are not forgotten, by id; what a killed process left does not run."""
    snapshot, listed = mirror.tables.snapshot, mirror.tables.snapshot_kind
    killed = dead(mirror).snapshots
    rows = sa.select(
        snapshot.c.id,
        snapshot.c.run_id,
        snapshot.c.source_id,
        snapshot.c.started_at,
        snapshot.c.status,
        is_backup(snapshot).label("is_backup"),
        is_fresh(snapshot).label("is_fresh"),
    ).where(snapshot.c.status != Status.FORGOTTEN)
    rows = rows.order_by(snapshot.c.id)
    kinds = (
        sa.select(listed.c.snapshot_id, listed.c.kind, listed.c.status)
        .join(snapshot, snapshot.c.id == listed.c.snapshot_id)
        .where(snapshot.c.status != Status.FORGOTTEN)
    )
    looked: dict[int, set[str]] = {}
    whole: dict[int, set[str]] = {}
    with mirror.engine.connect() as connection:
        for snapshot_id, kind, status in connection.execute(kinds):
            looked.setdefault(snapshot_id, set()).add(kind)
            if status == Status.COMPLETE:
                whole.setdefault(snapshot_id, set()).add(kind)
        return [
            Sight(
                id=row.id,
                run_id=row.run_id,
                source_id=row.source_id,
                started_at=row.started_at,
                counts=row.is_backup and row.status == Status.COMPLETE,
                is_running=row.status == Status.RUNNING and row.id not in killed,
                kinds=frozenset(looked.get(row.id, ())),
                whole=frozenset(whole.get(row.id, ()) if row.is_backup else ()),
                fresh=frozenset(whole.get(row.id, ()) if row.is_fresh else ()),
            )
            for row in connection.execute(rows)
        ]


def needed_by_restores(mirror: Mirror) -> set[int]:
    """The snapshots that a restore needs which is open, or has left calls open.

    What the last restore into an agent found there stays as well: it is the way back from it. If it
    took up others that had come to no end, so does what they found.
    """
    step = mirror.tables.restore_step
    with_calls = sa.select(step.c.restore_id).distinct().where(step.c.status == BEGUN)
    past = restores(mirror)
    needing = {each.id for each in open_restores(past)}
    needing.update(row.restore_id for row in mirror.all(with_calls))
    needed = {each.snapshot_id for each in past if each.id in needing}
    way_back: dict[int, list[PastRestore]] = {}
    for each in past:
        before = way_back.get(each.target.id, [])
        way_back[each.target.id] = (
            [*before, each] if before and not before[-1].is_closed else [each]
        )
    ways = chain.from_iterable(way_back.values())
    listed = (*(each for each in past if each.id in needing), *ways)
    return needed.union(*(each.listed_ids for each in listed))


@dataclass(frozen=True)
class _Scratch:
    """Temporary tables: what is kept, which changes go, which blobs are needed after that."""

    metadata: sa.MetaData
    kept: sa.Table
    going: sa.Table
    needed: sa.Table


class Forgetting:
    """One prune of a mirror's database.

    Args:
        mirror: locked against other writers, unless nothing is removed.
        connection: used by this alone; its temporary tables live as long.
        kept: (source id, snapshot id) of everything that is kept.

    Attributes:
        changes: how many changes go.
        knows_files: history names the bytes of any file at all, gone or not.
    """

    def __init__(
        self, mirror: Mirror, connection: sa.Connection, kept: Iterable[tuple[int, int]]
    ) -> None:
        self._mirror = mirror
        self._connection = connection
        self._scratch = _scratch()
        with mirror.stop.shield(), connection.begin():
            self._scratch.metadata.create_all(connection, checkfirst=False)
            for some in batches(kept, BATCH):
                load(connection, self._scratch.kept, some)
            analyse(connection, self._scratch.kept)
        for part in self._all_changes():
            self._find(part)
        with mirror.stop.shield(), connection.begin():
            self._spare()
            count = sa.select(sa.func.count()).select_from(self._scratch.going)
            self.changes = connection.execute(count).scalar_one()
            _, has_bytes = with_bytes(mirror)
            self.knows_files = connection.execute(
                sa.select(sa.exists().where(has_bytes))
            ).scalar_one()

    def mark(self, runs: Sequence[int]) -> None:
        """Mark the snapshots of runs as forgotten, each run as a whole, durably."""
        snapshot = self._mirror.tables.snapshot
        for part in batches(runs, BATCH):
            with self._mirror.stop.shield(), writing_durably(self._connection):
                self._connection.execute(
                    sa.update(snapshot)
                    .where(snapshot.c.run_id.in_(part))
                    .values(status=Status.FORGOTTEN)
                )

    def remove(self) -> Iterator[int]:
        """Remove the changes that go, durably and part by part; tells how many are gone."""
        change, going = self._mirror.tables.change, self._scratch.going
        gone = after = 0
        while True:
            part = (
                sa.select(going.c.id).where(going.c.id > after).order_by(going.c.id).limit(_AT_ONCE)
            )
            last = sa.select(sa.func.max(part.subquery().c.id))
            with self._mirror.stop.shield(), writing_durably(self._connection):
                until = self._connection.execute(last).scalar()
                if until is None:
                    return
                ids = sa.select(going.c.id).where(going.c.id > after, going.c.id <= until)
                done = self._connection.execute(sa.delete(change).where(change.c.id.in_(ids)))
                gone += done.rowcount
            after = until
            yield gone

    def count_needed(self) -> int:
        """Find out which blobs are needed once the changes are gone; returns how many are.

        Besides history, what is there now and what restores have sent counts.
        """
        tables, (needed, going) = self._mirror.tables, (self._scratch.needed, self._scratch.going)
        change, step = tables.change, tables.restore_step
        file = tables.kinds[FILE.name]
        name, has_bytes = with_bytes(self._mirror)
        ids = sa.select(going.c.id)
        named_now = sa.union(
            sa.select(file.c.sha256).where(file.c.sha256.is_not(None)),
            sa.select(step.c.sha256).where(step.c.sha256.is_not(None)),
        )
        with self._mirror.stop.shield(), self._connection.begin():
            self._connection.execute(sa.delete(needed))
            self._connection.execute(sa.insert(needed).from_select(["sha256"], named_now))
        for part in self._all_changes():
            named = (
                sa.select(name)
                .distinct()
                .where(
                    part,
                    has_bytes,
                    change.c.id.not_in(ids),
                    name.not_in(sa.select(needed.c.sha256)),
                )
            )
            with self._mirror.stop.shield(), self._connection.begin():
                self._connection.execute(sa.insert(needed).from_select(["sha256"], named))
        with self._mirror.stop.shield(), self._connection.begin():
            analyse(self._connection, needed)
            count = sa.select(sa.func.count()).select_from(needed)
            return self._connection.execute(count).scalar_one()

    def needed_of(self, names: Iterable[str]) -> set[str]:
        """Those of these blobs that are needed, as it was found."""
        with self._mirror.stop.shield(), self._connection.begin():
            return self._needed_of(names)

    @contextmanager
    def free_of(self, names: Sequence[str]) -> Iterator[list[str]]:
        """Those of these blobs that nothing needs, as long as the block lasts.

        Raises:
            StorageError: the lock is lost, so that somebody else may need them by now.
        """
        # A transaction that writes makes sure that the lock is ours until its end.
        with self._mirror.stop.shield(), writing(self._connection):
            needed = self._needed_of(names)
            yield [each for each in names if each not in needed]

    def _needed_of(self, names: Iterable[str]) -> set[str]:
        needed = self._scratch.needed
        query = sa.select(needed.c.sha256).where(
            needed.c.sha256.in_(given(self._connection.dialect))
        )
        return set(self._connection.execute(query, as_parameter(names)).scalars())

    def _all_changes(self) -> Iterator[sa.ColumnElement[bool]]:
        """All of history, so much at a time."""
        change = self._mirror.tables.change
        with self._mirror.stop.shield(), self._connection.begin():
            last = self._connection.execute(sa.select(sa.func.max(change.c.id))).scalar() or 0
        for start in range(0, last + 1, _LOOKED_AT):
            yield sa.and_(change.c.id >= start, change.c.id < start + _LOOKED_AT)

    def _find(self, part: sa.ColumnElement[bool]) -> None:
        """Note the changes that go."""
        kept, going = self._scratch.kept, self._scratch.going
        change = self._mirror.tables.change
        is_seen = sa.exists().where(
            kept.c.source_id == change.c.source_id,
            kept.c.id >= change.c.snapshot_id,
            kept.c.id < change.c.superseded_in,
        )
        # What no registry knows any more is nobody's to judge.
        is_known = change.c.kind.in_(list(self._mirror.tables.kinds))
        found = sa.select(change.c.id).where(
            part, change.c.superseded_in.is_not(None), is_known, ~is_seen
        )
        with self._mirror.stop.shield(), self._connection.begin():
            self._connection.execute(sa.insert(going).from_select(["id"], found))

    def _spare(self) -> None:
        """Let stay what is superseded and needed all the same."""
        going, run = self._scratch.going, self._connection.execute
        analyse(self._connection, going)
        for table in self._mirror.tables.kinds.values():
            # A row that damage left at an old version must not lose that, too.
            held = sa.exists().where(table.c.change_id == going.c.id)
            run(sa.delete(going).where(held))
        run(sa.delete(going).where(going.c.id.in_(self._last_bytes())))

    def _last_bytes(self) -> sa.Select[tuple[int]]:
        """The last versions of files that had bytes, where what stays still means the file.

        A restore takes the bytes that were stored last, of whatever source and time.
        """
        change, other = self._mirror.tables.change, self._mirror.tables.change.alias()
        ids = sa.select(self._scratch.going.c.id)
        # Sources are what the index begins with.
        anyone = sa.select(self._mirror.tables.source.c.id)
        is_meant = sa.exists().where(
            other.c.source_id.in_(anyone),
            other.c.kind == FILE.name,
            other.c.key == change.c.key,
            other.c.op != DELETED,
            other.c.id.not_in(ids),
        )
        keys = sa.select(change.c.key).where(
            change.c.kind == FILE.name, change.c.id.in_(ids), is_meant
        )
        _, has_bytes = with_bytes(self._mirror)
        return (
            sa.select(sa.func.max(change.c.id))
            .where(change.c.source_id.in_(anyone), has_bytes, change.c.key.in_(keys))
            .group_by(change.c.key)
        )


@contextmanager
def forgetting(mirror: Mirror, kept: Iterable[tuple[int, int]]) -> Iterator[Forgetting]:
    """Find what goes if only these snapshots are kept; arguments as for `Forgetting`."""
    with mirror.scratch() as connection:
        yield Forgetting(mirror, connection, kept)


def _scratch() -> _Scratch:
    metadata = sa.MetaData()

    def table(name: str, *columns: sa.Column[object]) -> sa.Table:
        return sa.Table(f"prune_{name}", metadata, *columns, prefixes=["TEMPORARY"])

    return _Scratch(
        metadata,
        kept=table(
            "kept",
            sa.Column("source_id", ID, primary_key=True),
            sa.Column("id", ID, primary_key=True),
        ),
        going=table("going", sa.Column("id", ID, primary_key=True, autoincrement=False)),
        needed=table("needed", sa.Column("sha256", sa.Text, primary_key=True)),
    )
