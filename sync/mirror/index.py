"""A place on disk to look things up in while a job goes by them in another order.

It is a database of its own, which nobody else sees and which is gone with the process: however
much is put there, memory does not grow.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from sync.batches import batches
from sync.document import canonical, parse
from sync.errors import StorageError
from sync.mirror.database import BATCH

_TABLE = """
create table entry (
    part text, key text, rank integer, value text, primary key (part, key, rank, value)
) without rowid
"""
_FIND = "select key, value from entry where part = ? and key in ({}) order by key, rank, value"
_WALK = """
select key, rank, value from entry where part = ? and (key, rank, value) > (?, ?, ?)
order by key, rank, value limit ?
"""
_LEAST = -(2**63)


class Index:
    """Lists of JSON values by part and key, in the order of their rank."""

    def __init__(self) -> None:
        with _failing():
            # Without a name it lies in a temporary file, and only as far as memory has no room.
            self._database = sqlite3.connect("", isolation_level=None)
            self._database.execute("pragma journal_mode = off")
            self._database.execute(_TABLE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._database.close()

    def put(self, part: str, rows: Iterable[tuple[str, int, Any]]) -> None:
        """Put (key, rank, value) into a part; the same once more changes nothing.

        Raises:
            StorageError: there is no room.
        """
        entries = ((part, key, rank, canonical(value)) for key, rank, value in rows)
        for batch in batches(entries, BATCH):
            with _failing():
                self._database.executemany("insert or ignore into entry values (?, ?, ?, ?)", batch)

    def find(self, part: str, keys: Iterable[str]) -> dict[str, list[Any]]:
        """{key: its values} of those keys that have any."""
        found: dict[str, list[Any]] = {}
        for batch in batches(keys, BATCH):
            marks = ", ".join("?" * len(batch))
            with _failing():
                rows = self._database.execute(_FIND.format(marks), (part, *batch)).fetchall()
            for key, value in rows:
                found.setdefault(key, []).append(parse(value.encode()))
        return found

    def walk(self, part: str) -> Iterator[tuple[str, Any]]:
        """All (key, value) of a part, by key and rank; more may be put in meanwhile."""
        last: tuple[str, int, str] = ("", _LEAST, "")
        while True:
            with _failing():
                rows = self._database.execute(_WALK, (part, *last, BATCH)).fetchall()
            for key, _, value in rows:
                yield key, parse(value.encode())
            if len(rows) < BATCH:
                return
            last = rows[-1]

    def count(self, part: str) -> int:
        """How many values a part has."""
        with _failing():
            row = self._database.execute("select count(*) from entry where part = ?", (part,))
            return int(row.fetchone()[0])


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(
            f"cannot keep a temporary file: {error}", "check free space, or set $SQLITE_TMPDIR"
        ) from None
