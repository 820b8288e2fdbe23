"""A PostgreSQL database that is given from test to test with its tables, which are dear to make."""

from dataclasses import dataclass, field

import sqlalchemy as sa
from made_once import UPGRADE
from workplace import empty_database

from sync.mirror.database import open_database

_SHAPE = """
select md5(string_agg(said, ' ' order by said)) from (
    select concat(attrelid::regclass, attname, atttypid, attnotnull, atthasdef) as said
    from pg_attribute join pg_class on pg_class.oid = attrelid
    where relnamespace = 'public'::regnamespace and attnum > 0
    union all select indexdef from pg_indexes where schemaname = 'public'
    union all select concat(conname, pg_get_constraintdef(oid)) from pg_constraint
    where connamespace = 'public'::regnamespace
) as all_of_it
"""
_TABLES = "select tablename from pg_tables where schemaname = 'public'"
_COUNTERS = "select sequencename from pg_sequences where schemaname = 'public'"


@dataclass
class Tidy:
    """Gives the database with the newest tables, and nothing in them."""

    url: str
    _shape: str = ""
    _clear: str = field(default="", repr=False)

    def give(self) -> str:
        """The URL."""
        engine = sa.create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            if self._shape and connection.execute(sa.text(_SHAPE)).scalar() == self._shape:
                connection.exec_driver_sql(self._clear)
            else:
                self._make(connection)
        engine.dispose()
        return self.url

    def _make(self, connection: sa.Connection) -> None:
        empty_database(self.url)
        product = open_database(self.url)
        UPGRADE(product)
        product.dispose()
        tables = set(connection.execute(sa.text(_TABLES)).scalars()) - {"alembic_version"}
        counters = connection.execute(sa.text(_COUNTERS)).scalars()
        self._shape = connection.execute(sa.text(_SHAPE)).scalar_one()
        self._clear = ";".join(
            [
                "set session_replication_role = replica",
                *(f"delete from {each}" for each in tables),
                *(f"alter sequence {each} restart" for each in counters),
            ]
        )
