"""Many rows at once, the way each database takes them fastest.

Keys and documents travel as one JSON text, so that a statement stays the same whatever their
number, and found keys come back as one: between rows SQLite's driver lets other threads in, which
costs more than the rows. Rows go in by the driver's own executemany on SQLite and by COPY on
PostgreSQL.
"""

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.document import canonical
from sync.mirror.database import driver_errors

KEYS = "keys"
"""The parameter of `given`."""

TEXTS = "texts"
"""The parameter of `given_texts`: a JSON object, {key: text}."""

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

    Upsert = sqlite.Insert | postgresql.Insert


def given(dialect: sa.Dialect) -> sa.Select[Any]:
    """A query for the keys that a statement is executed with, as `as_parameter` writes them."""
    keys = sa.bindparam(KEYS, type_=sa.Text)
    if dialect.name == "sqlite":
        return sa.select(sa.func.json_each(keys).table_valued("value").c.value)
    elements = sa.func.json_array_elements_text(sa.cast(keys, sa.JSON))
    return sa.select(elements.table_valued("value").c.value)


def given_texts(dialect: sa.Dialect) -> sa.TableValuedAlias:
    """The texts that a statement is executed with, as a table of `key` and `value`."""
    texts = sa.bindparam(TEXTS, type_=sa.Text)
    if dialect.name == "sqlite":
        return sa.func.json_each(texts).table_valued("key", "value")
    return sa.func.json_each_text(sa.cast(texts, sa.JSON)).table_valued("key", "value")


def as_object(
    dialect: sa.Dialect, key: sa.ColumnElement[str], value: sa.ColumnElement[Any]
) -> sa.ColumnElement[str]:
    """What a query finds as one JSON object, {key: value}; null or empty where it finds nothing."""
    gather = sa.func.json_group_object if dialect.name == "sqlite" else sa.func.json_object_agg
    return sa.cast(gather(key, value), sa.Text)


def as_parameter(keys: Iterable[str]) -> dict[str, str]:
    """Keys as the parameter of a statement that uses `given`."""
    return {KEYS: canonical(list(keys))}


def upsert(dialect: sa.Dialect, table: sa.Table) -> "Upsert":
    """An insert that can say what to do on conflict."""
    # Only the dialect in use: either takes its time to import.
    insert: Upsert = import_module(f"sqlalchemy.dialects.{dialect.name}").insert(table)
    return insert


def load(connection: sa.Connection, table: sa.Table, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows; each has a value for every column of the table, in its order.

    Raises:
        StorageError: the database failed.
    """
    if connection.dialect.name == "sqlite":
        statement = str(sa.insert(table).compile(dialect=connection.dialect))
        connection.exec_driver_sql(statement, [tuple(row) for row in rows])
        return
    names = ", ".join(connection.dialect.identifier_preparer.quote(each.name) for each in table.c)
    driver = connection.connection.driver_connection
    if driver is None:
        raise ValueError("the connection is closed")
    with (
        driver_errors(connection),
        driver.cursor() as cursor,
        cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)


def analyse(connection: sa.Connection, *tables: sa.Table) -> None:
    """Tell PostgreSQL how much is in tables just filled; of temporary ones nothing else does."""
    if connection.dialect.name == "postgresql":
        for table in tables:
            connection.execute(sa.text(f"ANALYZE {table.name}"))
