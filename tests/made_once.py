"""Spares the suite what each of its commands would make anew: tables, statements, empty mirrors.

A process runs one command and makes its tables once. The suite runs some thousands in a few
processes, and nearly half of their time went into making the same again. What is shared is made
from nothing but the registry and the sort of database, so that no command can tell the difference;
the tests that start the program as a process do without.
"""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.util import LRUCache

from sync.kind import Kind
from sync.mirror import mirror, schema
from sync.mirror.apply import Stage
from sync.mirror.tables import Tables

_STATEMENTS = 2000
Upgrade = Callable[[sa.Engine], None]
UPGRADE: Upgrade = schema._upgrade
"""The migrations themselves, for those that test them."""


def share(patch: pytest.MonkeyPatch) -> None:
    """Let all mirrors of this process share what follows from their registry and database."""
    tables: dict[tuple[int, ...], tuple[tuple[Kind, ...], Tables]] = {}
    stages: dict[tuple[int, int], tuple[Kind, sa.Table, Stage]] = {}
    compiled: dict[str, tuple[LRUCache[Any, Any], sa.Dialect]] = {}
    open_database = mirror.open_database

    # What is kept beside each value keeps its id from being given to something else.
    def tables_of(kinds: Iterable[Kind]) -> Tables:
        of = tuple(kinds)
        ids = tuple(map(id, of))
        if ids not in tables:
            tables[ids] = of, Tables(of)
        return tables[ids][1]

    def stage_of(kind: Kind, table: sa.Table) -> Stage:
        ids = id(kind), id(table)
        if ids not in stages:
            stages[ids] = kind, table, Stage(kind, table)
        return stages[ids][2]

    def opened(url: str) -> sa.Engine:
        engine = open_database(url)
        # Compiled statements are known by their dialect, too.
        ours = LRUCache(_STATEMENTS), engine.dialect
        engine._compiled_cache, engine.dialect = compiled.setdefault(engine.dialect.name, ours)
        engine.pool._dialect = engine.dialect
        return engine

    patch.setattr(mirror, "Tables", tables_of)
    patch.setattr(mirror, "Stage", stage_of)
    patch.setattr(mirror, "open_database", opened)
    patch.setattr(schema, "_upgrade", _upgraded_once(UPGRADE))


def _upgraded_once(upgrade: Upgrade) -> Upgrade:
    """What the migrations make of an empty SQLite database, copied from the second time on."""
    made: list[sqlite3.Connection] = []

    def upgraded(engine: sa.Engine) -> None:
        if engine.dialect.name != "sqlite" or sa.inspect(engine).get_table_names():
            upgrade(engine)
            return
        if not made:
            upgrade(engine)
        connection = engine.raw_connection()
        driver = connection.driver_connection
        if made:
            made[0].backup(driver)
        else:
            made.append(sqlite3.connect(":memory:", check_same_thread=False))
            driver.backup(made[0])
        connection.close()

    return upgraded
