"""The first backup of a world, made once by the real command and copied from then on.

Most tests of whole commands begin with it, and it is most of what they would cost.
"""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sync.kinds import KINDS
from sync.mirror.tables import Tables
from sync.sandbox import World

_TABLES = Tables(KINDS.values()).metadata


@dataclass
class FirstBackups:
    """What first backups made.

    Args:
        folder: where copies are kept, one folder each.
    """

    folder: Path
    _known: dict[tuple[str, str], "_Copy"] = field(default_factory=dict)

    def put(self, world: World, database: str, into: Path) -> dict[str, Any] | None:
        """Put a copy where the backup would have made it; gives what that told, None if none is.

        Args:
            world: that would be backed up.
            database: the URL; an empty one.
            into: the folder of the files, and of the database if it is SQLite.
        """
        copy = self._known.get(_ident(world, database))
        if copy is None:
            return None
        shutil.copytree(copy.folder, into, dirs_exist_ok=True)
        if copy.rows:
            _insert(database, copy.rows)
        return copy.told

    def keep(self, world: World, database: str, made: Path, told: dict[str, Any]) -> None:
        """Keep what a backup just made, and told."""
        folder = self.folder / str(len(self._known))
        shutil.copytree(made / "files", folder / "files")
        for file in made.glob("mirror.db*"):
            shutil.copy2(file, folder)
        rows = {} if database.startswith("sqlite") else _select(database)
        self._known[_ident(world, database)] = _Copy(folder, rows, told)


@dataclass
class _Copy:
    folder: Path
    rows: dict[str, list[dict[str, Any]]]
    told: dict[str, Any]


def _ident(world: World, database: str) -> tuple[str, str]:
    return database.partition(":")[0], json.dumps(world.to_json())


def _select(database: str) -> dict[str, list[dict[str, Any]]]:
    engine = sa.create_engine(database)
    with engine.connect() as connection:
        rows = {
            table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            for table in _TABLES.sorted_tables
        }
    engine.dispose()
    return rows


def _insert(database: str, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Fill the tables, which are there and empty."""
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        for table in _TABLES.sorted_tables:
            if rows[table.name]:
                connection.execute(sa.insert(table), rows[table.name])
            if "id" in table.c:
                highest = sa.func.coalesce(sa.func.max(table.c.id), 0) + 1
                sequence = sa.func.pg_get_serial_sequence(table.name, "id")
                connection.execute(
                    sa.select(sa.func.setval(sequence, highest, False)).select_from(table)
                )
    engine.dispose()
