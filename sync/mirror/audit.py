"""Reading the mirror against itself: integrity, and the projection against `change`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sync.document import Document, parse
from sync.errors import BadAnswer
from sync.kind import Kind
from sync.mirror.mirror import Mirror

_BATCH = 500


@dataclass(frozen=True)
class Row:
    """An object as its table holds it.

    Attributes:
        document: None if it is no JSON object any more.
        digest: of its last change.
        columns: {column: value} of the typed columns.
    """

    key: str
    document: Document | None
    digest: str | None
    columns: dict[str, Any]


def integrity(engine: sa.Engine) -> Iterator[str]:
    """What the database itself finds wrong; PostgreSQL has no such question."""
    if engine.dialect.name != "sqlite":
        return
    with engine.connect() as connection:
        for line in connection.exec_driver_sql("PRAGMA integrity_check").scalars():
            if line != "ok":
                yield line
        for row in connection.exec_driver_sql("PRAGMA foreign_key_check"):
            yield f"{row[0]}, row {row[1]}: its {row[2]} is not there"


def mismatches(mirror: Mirror, kind: Kind) -> list[tuple[str, str]]:
    """Objects whose row is not the one that `change` says: (key, problem)."""
    change, table = mirror.tables.change, mirror.tables.kinds[kind.name]
    current = (
        sa.select(change.c.id, change.c.source_id, change.c.key)
        .where(change.c.kind == kind.name, change.c.superseded_in.is_(None))
        .where(change.c.op != "deleted")
        .subquery()
    )
    queries = {
        "its row is not there": sa.select(current.c.key)
        .outerjoin(table, _same(table, current))
        .where(table.c.key.is_(None)),
        "its row is not of its last change": sa.select(table.c.key)
        .outerjoin(current, _same(table, current))
        .where(current.c.id.is_(None)),
    }
    with mirror.engine.connect() as connection:
        return [
            (key, problem)
            for problem, query in queries.items()
            for key in connection.execute(query).scalars()
        ]


def versions(mirror: Mirror, kind: Kind) -> Iterator[tuple[str, Document | None, str]]:
    """Every version of every object that history holds: (key, document, digest)."""
    change = mirror.tables.change
    query = (
        sa.select(change.c.id, change.c.key, change.c.document, change.c.digest)
        .where(change.c.kind == kind.name, change.c.op != "deleted")
        .order_by(change.c.id)
        .limit(_BATCH)
    )
    after = 0
    while True:
        with mirror.engine.connect() as connection:
            batch = connection.execute(query.where(change.c.id > after)).all()
        for row in batch:
            yield row.key, _parsed(row.document or ""), row.digest or ""
        if len(batch) < _BATCH:
            return
        after = batch[-1].id


def rows(mirror: Mirror, kind: Kind) -> Iterator[Row]:
    """All objects of a kind, over all sources, in batches."""
    change, table = mirror.tables.change, mirror.tables.kinds[kind.name]
    names = [column for column, _ in kind.columns.values()]
    query = (
        sa.select(table, change.c.digest.label("digest_"))
        .join(change, change.c.id == table.c.change_id)
        .order_by(table.c.source_id, table.c.key)
        .limit(_BATCH)
    )
    at = sa.tuple_(table.c.source_id, table.c.key)
    after: tuple[int, str] = (-1, "")
    while True:
        with mirror.engine.connect() as connection:
            batch = connection.execute(query.where(at > after)).mappings().all()
        for row in batch:
            columns = {name: row[name] for name in names}
            yield Row(row["key"], _parsed(row["document"]), row["digest_"], columns)
            after = (row["source_id"], row["key"])
        if len(batch) < _BATCH:
            return


def _same(table: sa.Table, current: sa.Subquery) -> sa.ColumnElement[bool]:
    return sa.and_(
        table.c.change_id == current.c.id,
        table.c.source_id == current.c.source_id,
        table.c.key == current.c.key,
    )


def _parsed(text: str) -> Document | None:
    try:
        document = parse(text.encode())
    except BadAnswer:
        return None
    return document if isinstance(document, dict) else None
