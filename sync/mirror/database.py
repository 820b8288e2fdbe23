"""Opening a database so that SQLite and PostgreSQL behave alike.

SQLite: WAL, foreign keys, a busy timeout, and transactions that we begin ourselves, because the
driver's own lose updates silently. Whatever a database throws becomes a `StorageError`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from sync.errors import StorageError, UsageError

_BUSY_MS = 10_000
_WRITES = "sqlite_writes"


def open_database(url: str) -> sa.Engine:
    """Make an engine; a SQLite file is created private to the user.

    Args:
        url: as SQLAlchemy spells it: `sqlite:////path/mirror.db`, `postgresql+psycopg://…`.

    Raises:
        UsageError: the URL is none, or its driver is not installed.
        StorageError: the folder or file cannot be made.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise UsageError("`database` is neither sqlite:// nor postgresql://")
        engine = sa.create_engine(parsed, hide_parameters=True)
    except sa.exc.ArgumentError:
        raise UsageError("`database` in [storage] is not a database URL") from None
    except ModuleNotFoundError:
        raise UsageError(
            "the PostgreSQL driver is not installed", "pip install 'aisuru-sync[postgres]'"
        ) from None
    if parsed.get_backend_name() == "sqlite":
        _make_private(parsed.database)
        event.listen(engine, "connect", _set_up)
        event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", _translate)
    return engine


@contextmanager
def writing(connection: sa.Connection) -> Iterator[None]:
    """A transaction that holds the write lock from its start."""
    connection.execution_options(**{_WRITES: True})
    try:
        with connection.begin():
            yield
    finally:
        connection.execution_options(**{_WRITES: False})


def sqlite_path(engine: sa.Engine) -> Path | None:
    """The file of a SQLite database, None for PostgreSQL."""
    return Path(engine.url.database or "") if engine.dialect.name == "sqlite" else None


def _make_private(database: str | None) -> None:
    if not database or database == ":memory:":
        raise UsageError("a mirror needs a file: sqlite:////path/mirror.db")
    path = Path(database)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror}",
            "check the folder's permissions, or set `database` in [storage]",
        ) from None


def _set_up(connection: Any, _: Any) -> None:
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {_BUSY_MS}",
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _translate(context: sa.engine.ExceptionContext) -> None:
    error = context.original_exception
    if isinstance(error, sa.exc.ResourceClosedError | sa.exc.CompileError | KeyboardInterrupt):
        return
    if context.sqlalchemy_exception is None:
        return
    raise StorageError(
        f"the database failed: {str(error).strip().splitlines()[0]}",
        "check that it is reachable, writable and has room; nothing half done was kept",
    ) from error
