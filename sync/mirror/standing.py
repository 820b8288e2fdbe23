"""How things stand: when each kind was seen whole, what is missing or left open."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from sync.kind import Scope
from sync.kinds.file import FILE
from sync.mirror.mirror import Mirror
from sync.mirror.values import Snapshot, Source, Status, snapshot_of


@dataclass(frozen=True)
class OpenRestore:
    """The last restore of a Memori, if it is not complete."""

    id: int
    target: Source
    status: Status
    started_at: datetime


def last_seen_whole(mirror: Mirror) -> dict[tuple[int, str], datetime]:
    """{(id of a source, kind): when it was last seen whole}, with every file of its source."""
    snapshot, kind = mirror.tables.snapshot, mirror.tables.snapshot_kind
    query = (
        sa.select(snapshot.c.source_id, kind.c.kind, sa.func.max(snapshot.c.started_at))
        .join(snapshot, snapshot.c.id == kind.c.snapshot_id)
        .where(
            kind.c.status == Status.COMPLETE,
            snapshot.c.status.in_([Status.COMPLETE, Status.INCOMPLETE]),
            snapshot.c.files_failed == 0,
            # Whatever stopped a source stopped its files.
            snapshot.c.error.is_(None),
        )
        .group_by(snapshot.c.source_id, kind.c.kind)
    )
    with mirror.engine.connect() as connection:
        return {(source_id, name): at for source_id, name, at in connection.execute(query)}


def last_snapshots(mirror: Mirror) -> list[Snapshot]:
    """The last snapshot of each source, without its kinds."""
    snapshot = mirror.tables.snapshot
    last = sa.select(sa.func.max(snapshot.c.id)).group_by(snapshot.c.source_id)
    query = sa.select(snapshot).where(snapshot.c.id.in_(last)).order_by(snapshot.c.id)
    sources = {each.id: each for each in mirror.sources()}
    with mirror.engine.connect() as connection:
        return [snapshot_of(row, sources[row.source_id], {}) for row in connection.execute(query)]


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
    query = sa.select(file.c.source_id, file.c.status, sa.func.count()).group_by(
        file.c.source_id, file.c.status
    )
    with mirror.engine.connect() as connection:
        return {(source_id, status): n for source_id, status, n in connection.execute(query)}


def open_restores(mirror: Mirror) -> list[OpenRestore]:
    """Restores that are not complete, and that no later one has taken up."""
    restore = mirror.tables.restore
    last = sa.select(sa.func.max(restore.c.id)).group_by(restore.c.source_id)
    query = (
        sa.select(restore)
        .where(restore.c.id.in_(last), restore.c.status != Status.COMPLETE)
        .order_by(restore.c.id)
    )
    sources = {each.id: each for each in mirror.sources()}
    with mirror.engine.connect() as connection:
        return [
            OpenRestore(row.id, sources[row.source_id], Status(row.status), row.started_at)
            for row in connection.execute(query)
        ]


def memoris_without_source(mirror: Mirror) -> list[str]:
    """Ids of the account's Memoris of which there never was a snapshot."""
    memori, source = mirror.tables.kinds[Scope.MEMORI], mirror.tables.source
    query = sa.select(memori.c.key).where(
        ~sa.exists().where(source.c.scope == Scope.MEMORI, source.c.remote_id == memori.c.key)
    )
    with mirror.engine.connect() as connection:
        return list(connection.execute(query).scalars())
