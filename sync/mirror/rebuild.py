"""Writing rows of the projection again from the history that they follow from."""

from collections.abc import Collection

import sqlalchemy as sa

from sync.errors import BadAnswer
from sync.kind import Kind
from sync.mirror.database import writing
from sync.mirror.mirror import Mirror
from sync.mirror.values import parsed


def rebuild(mirror: Mirror, kind: Kind, objects: Collection[tuple[int, str]]) -> None:
    """Make rows what the last change of their object says; what is damaged there itself stays.

    Args:
        mirror: locked against other writers.
        kind: of all of them.
        objects: as (source id, key).
    """
    change, table = mirror.tables.change, mirror.tables.kinds[kind.name]
    with mirror.stop.shield(), mirror.engine.connect() as connection, writing(connection):
        for source_id, key in objects:
            last = connection.execute(
                sa.select(change.c.id, change.c.op, change.c.digest, change.c.document)
                .where(change.c.source_id == source_id, change.c.kind == kind.name)
                .where(change.c.key == key, change.c.superseded_in.is_(None))
            ).first()
            document = None
            if last and last.op != "deleted":
                try:
                    document = parsed(last.document)
                except BadAnswer:
                    continue
                if document is None or kind.digest(document) != last.digest:
                    continue
            connection.execute(
                sa.delete(table).where(table.c.source_id == source_id, table.c.key == key)
            )
            if last and document is not None:
                values = {"change_id": last.id, "document": last.document, **kind.row(document)}
                connection.execute(sa.insert(table).values(source_id=source_id, key=key, **values))
