"""A copy of as much of a mirror as a restore works with, in a mirror of its own.

Rows are copied as they are, ids and damage included, so that whatever is read from the copy is
what would be read from the mirror itself.
"""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from sync.kinds.file import FILE
from sync.mirror.database import BATCH, writing
from sync.mirror.mirror import Mirror
from sync.mirror.values import Source


def copy_excerpt(mirror: Mirror, into: Mirror, wanted: Mapping[Source, Collection[int]]) -> None:
    """Copy all snapshots, files and key maps, and of some sources what was and what is there.

    Args:
        mirror: only read.
        into: migrated, and empty.
        wanted: {source: ids of the snapshots that are gone back to}; the state at each comes
            along, and the present one.
    """
    tables = mirror.tables
    change = tables.change
    sources = [each.id for each in wanted]
    is_last = sa.and_(change.c.source_id.in_(sources), change.c.superseded_in.is_(None))
    was_there = [
        sa.and_(
            change.c.source_id == source.id,
            change.c.snapshot_id <= snapshot_id,
            change.c.superseded_in > snapshot_id,
        )
        for source, snapshot_ids in wanted.items()
        for snapshot_id in snapshot_ids
    ]
    for table in (tables.source, tables.snapshot, tables.snapshot_kind, tables.key_map):
        _copy(mirror, into, sa.select(table), table)
    # Whether bytes are at hand is asked of any source and time.
    chosen = sa.or_(change.c.kind == FILE.name, is_last, *was_there)
    _copy(mirror, into, sa.select(change).where(chosen), change)
    for table in tables.kinds.values():
        rows = sa.select(table).join(change, change.c.id == table.c.change_id)
        _copy(mirror, into, rows.where(table.c.source_id.in_(sources), is_last), table)


def _copy(mirror: Mirror, into: Mirror, query: sa.Select[Any], table: sa.Table) -> None:
    with mirror.engine.connect() as reader, reader.begin():
        found = reader.execution_options(yield_per=BATCH).execute(query)
        for part in found.mappings().partitions():
            with into.stop.shield(), into.engine.connect() as writer, writing(writer):
                writer.execute(sa.insert(table), [dict(row) for row in part])
