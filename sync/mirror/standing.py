"""How things stand: when each kind was seen whole, what is missing or left open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sync.kind import Scope
from sync.kinds.file import FILE
from sync.kinds.memori import MEMORI
from sync.mirror import lock
from sync.mirror.mirror import Mirror
from sync.mirror.tables import is_backup
from sync.mirror.values import Snapshot, Source, Status, parsed, snapshot_of

_NARROWING, _WISHES = ("kinds", "keys"), ("delete_extra", "recreate")
"""What a selection says: to what it is narrowed down, if at all, and what is asked for besides."""


@dataclass(frozen=True)
class PastRestore:
    """A restore, as its row tells.

    Attributes:
        target: the Memori that things came back into.
        snapshot_id: of the snapshot that it went back to.
        listed_ids: of the listings taken before it began, and before it went on last.
        finished_at: None if it came to no end.
        selection: what of it was asked for, as the journal was told; None if that was not kept.
    """

    id: int
    target: Source
    snapshot_id: int
    status: Status
    started_at: datetime
    finished_at: datetime | None
    selection: Mapping[str, Any] | None
    listed_ids: tuple[int, ...] = ()

    @property
    def is_closed(self) -> bool:
        """Has it come to its end, or will it come to none?"""
        return self.status in (Status.COMPLETE, Status.GIVEN_UP)

    def goes_for(self, earlier: "PastRestore") -> bool:
        """Is all that an earlier restore of the same target went for asked for here, too?"""
        mine, its = self.selection or {}, earlier.selection or {}
        return all(mine.get(name) or not its.get(name) for name in _WISHES) and all(
            not mine.get(name) or (its.get(name) and {*its[name]} <= {*mine[name]})
            for name in _NARROWING
        )


def last_seen_whole(mirror: Mirror) -> dict[tuple[int, str], datetime]:
    """{(id of a source, kind): when it was last seen whole}, with every file of its source."""
    snapshot, kind = mirror.tables.snapshot, mirror.tables.snapshot_kind
    query = (
        sa.select(snapshot.c.source_id, kind.c.kind, sa.func.max(snapshot.c.started_at).label("at"))
        .join(snapshot, snapshot.c.id == kind.c.snapshot_id)
        .where(
            kind.c.status == Status.COMPLETE,
            is_fresh(snapshot),
        )
        .group_by(snapshot.c.source_id, kind.c.kind)
    )
    return {(row.source_id, row.kind): row.at for row in mirror.rows(query)}


def is_fresh(snapshot: sa.Table) -> sa.ColumnElement[bool]:
    """Does a snapshot tell how fresh the kinds are that it saw whole?"""
    return sa.and_(
        snapshot.c.status.in_([Status.COMPLETE, Status.INCOMPLETE]),
        snapshot.c.files_failed == 0,
        # What a restore or a drill saw, no guard looked at: it must not hide a loss.
        is_backup(snapshot),
        # Whatever stopped a source stopped its files.
        snapshot.c.error.is_(None),
    )


def last_snapshots(mirror: Mirror) -> list[Snapshot]:
    """The last snapshot of each source, without its kinds."""
    snapshot = mirror.tables.snapshot
    last = sa.select(sa.func.max(snapshot.c.id)).group_by(snapshot.c.source_id)
    query = sa.select(snapshot).where(snapshot.c.id.in_(last)).order_by(snapshot.c.id)
    sources = {each.id: each for each in mirror.sources()}
    return [snapshot_of(row, sources[row.source_id], {}) for row in mirror.rows(query)]


def objects(mirror: Mirror) -> dict[tuple[int, str], int]:
    """{(id of a source, kind): how many objects of it are there now}."""
    found: dict[tuple[int, str], int] = {}
    with mirror.engine.connect() as connection:
        for name, table in mirror.tables.kinds.items():
            if name != FILE.name:
                query = sa.select(table.c.source_id, sa.func.count()).group_by(table.c.source_id)
                found |= {(row[0], name): row[1] for row in connection.execute(query)}
    return found


def files_by_status(mirror: Mirror) -> dict[tuple[int, str], int]:
    """{(id of a source, status): how many} of the files that the sources refer to now."""
    file = mirror.tables.kinds[FILE.name]
    query = sa.select(file.c.source_id, file.c.status, sa.func.count().label("files")).group_by(
        file.c.source_id, file.c.status
    )
    return {(row.source_id, row.status): row.files for row in mirror.rows(query)}


def failed_files(mirror: Mirror) -> dict[int, list[str]]:
    """{id of a source: keys of the files that it refers to, not stored and not to be fetched}."""
    file = mirror.tables.kinds[FILE.name]
    query = sa.select(file.c.source_id, file.c.key).where(file.c.status == "failed")
    found: dict[int, list[str]] = {}
    for row in mirror.rows(query.order_by(file.c.source_id, file.c.key)):
        found.setdefault(row.source_id, []).append(row.key)
    return found


def restores(mirror: Mirror) -> list[PastRestore]:
    """All restores, in the order in which they began, or went on last."""
    restore = mirror.tables.restore
    listed = sa.func.coalesce(restore.c.resumed_snapshot_id, restore.c.before_snapshot_id)
    query = sa.select(restore).order_by(listed, restore.c.id)
    sources = {each.id: each for each in mirror.sources()}
    return [
        PastRestore(
            id=row.id,
            target=sources[row.source_id],
            snapshot_id=row.wanted_snapshot_id,
            status=Status(row.status),
            started_at=row.started_at,
            finished_at=row.finished_at,
            selection=parsed(row.selection),
            listed_ids=tuple(
                each for each in (row.before_snapshot_id, row.resumed_snapshot_id) if each
            ),
        )
        for row in mirror.rows(query)
    ]


def open_restores(past: Sequence[PastRestore]) -> list[PastRestore]:
    """Restores that are neither complete nor given up, and that no later one has taken up. Pure.

    Args:
        past: all of them, in their order.
    """
    return [
        each
        for place, each in enumerate(past)
        if not each.is_closed
        and not any(
            later.target.id == each.target.id and later.goes_for(each)
            for later in past[place + 1 :]
        )
    ]


@dataclass(frozen=True)
class Dead:
    """What is marked as running although the process that ran it is no more: ids."""

    snapshots: frozenset[int] = frozenset()
    restores: frozenset[int] = frozenset()


def dead(mirror: Mirror) -> Dead:
    """Find what a killed process left `running`; the next writer marks it as interrupted."""
    tables = (mirror.tables.snapshot, mirror.tables.restore)
    with mirror.engine.connect() as connection:
        running = [
            frozenset(
                connection.execute(
                    sa.select(each.c.id).where(each.c.status == Status.RUNNING)
                ).scalars()
            )
            for each in tables
        ]
    # Whoever runs holds the lock until all is marked: asked in this order, no living one is
    # taken for dead that comes to its end, or begins, meanwhile.
    return Dead() if not any(running) or lock.is_held(mirror.engine) else Dead(*running)


def memoris_without_source(mirror: Mirror) -> list[str]:
    """Ids of the account's Memoris of which there never was a snapshot."""
    memori, source = mirror.tables.kinds[MEMORI.name], mirror.tables.source
    query = sa.select(memori.c.key).where(
        ~sa.exists().where(source.c.scope == Scope.MEMORI, source.c.remote_id == memori.c.key)
    )
    with mirror.engine.connect() as connection:
        return list(connection.execute(query).scalars())
