"""Opening a database so that SQLite and PostgreSQL behave alike.

SQLite: WAL, foreign keys, a busy timeout, and transactions that we begin ourselves, because the
driver's own lose updates silently. Whatever a database throws becomes a `StorageError`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from sync.errors import StorageError, SyncError, UsageError

BATCH = 500
"""What one query takes, of keys or of rows, where there may be many."""

_BUSY_MS = 10_000
_WRITES = "sqlite_writes"
_HINTS = {
    "malformed": "the database is damaged: put a copy of it back",
    "not a database": "the file is no mirror: put a copy back, or set another `database`",
    "does not exist": "create the database and its user first",
    "already exists": "the database holds something else: set another `database`",
    "": "check that it is reachable, writable and has room; nothing half done was kept",
}
_EXAMPLES = "for example sqlite:////path/mirror.db or postgresql+psycopg://user@host/name"


def open_database(url: str) -> sa.Engine:
    """Make an engine; a SQLite file is created private to the user.

    Args:
        url: as SQLAlchemy spells it: `sqlite:////path/mirror.db`, `postgresql+psycopg://…`.

    Raises:
        UsageError: the URL is none to use, or its driver is not installed.
        StorageError: the folder or file cannot be made.
    """
    parsed = parse_url(url)
    engine = sa.create_engine(parsed, hide_parameters=True)
    if path := sqlite_file(url):
        _make_private(path)
        event.listen(engine, "connect", _set_up)
        event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", _translate)
    return engine


def parse_url(url: str) -> sa.URL:
    """Read a database URL; it is never repeated in a message, since it may hold a password.

    Raises:
        UsageError: it is none that a mirror can be in.
    """
    try:
        parsed = sa.make_url(url)
        backend = parsed.get_backend_name()
    except (sa.exc.ArgumentError, ValueError):
        raise UsageError("it is not a database URL", _EXAMPLES) from None
    if backend not in ("sqlite", "postgresql"):
        raise UsageError("it is neither sqlite:// nor postgresql://", _EXAMPLES)
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise UsageError("a mirror needs a file", _EXAMPLES)
    if backend == "postgresql":
        try:
            parsed.get_dialect().import_dbapi()
        except (ModuleNotFoundError, sa.exc.ArgumentError):
            raise UsageError(
                "the PostgreSQL driver is not installed", "pip install 'psycopg[binary]'"
            ) from None
    if "\0" in url or "@" in (parsed.host or ""):
        raise UsageError("it holds a character that must be written as %XX", _EXAMPLES)
    return parsed


def database_secrets(url: str) -> list[str]:
    """What must not be shown of a database URL: the password, wherever it stands."""
    parsed = parse_url(url)
    values = [parsed.password, *parsed.query.values()]
    return [str(each) for each in values if each]


def hide_secrets(url: str) -> str:
    """A database URL as it may be shown."""
    parsed = parse_url(url)
    return parsed.set(query=dict.fromkeys(parsed.query, "***")).render_as_string()


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite database, None for PostgreSQL."""
    parsed = parse_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


@contextmanager
def writing(connection: sa.Connection) -> Iterator[None]:
    """A transaction that holds the write lock from its start."""
    connection.execution_options(**{_WRITES: True})
    try:
        with connection.begin():
            yield
    finally:
        connection.execution_options(**{_WRITES: False})


@contextmanager
def writing_durably(connection: sa.Connection) -> Iterator[None]:
    """As `writing`, but what is committed outlives a power cut, and all before it, too."""
    is_sqlite = connection.dialect.name == "sqlite"
    if is_sqlite:
        pragma(connection, "synchronous = FULL")
    try:
        with writing(connection):
            if not is_sqlite:
                # A server may be told to let commits wait for no disk.
                connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
            yield
    finally:
        if is_sqlite:
            pragma(connection, "synchronous = NORMAL")


def is_writing(connection: sa.Connection) -> bool:
    """Is this within `writing`?"""
    return bool(connection.get_execution_options().get(_WRITES))


def pragma(connection: sa.Connection, setting: str) -> None:
    """Change how SQLite works with a connection; some settings are deaf inside a transaction."""
    driver = connection.connection.driver_connection
    if driver is not None:
        driver.execute(f"PRAGMA {setting}").close()


def by_key(
    run: Callable[[sa.Select[Any]], Sequence[sa.Row[Any]]],
    query: sa.Select[Any],
    *key: sa.Column[Any],
) -> Iterator[sa.Row[Any]]:
    """The rows of a query in the order of a key, whatever their number.

    They are read in batches, so that no transaction stays open while one is worked with.

    Args:
        run: runs a query in a transaction of its own.
        query: selects the key, among others.
        key: the columns that tell the rows apart.
    """
    query = query.order_by(*key).limit(BATCH)
    batch = run(query)
    while batch:
        yield from batch
        if len(batch) < BATCH:
            return
        after = tuple(getattr(batch[-1], each.name) for each in key)
        batch = run(query.where(sa.tuple_(*key) > after))


def _make_private(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
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
        # What is temporary dies with the connection; a journal on disk would only cost.
        "temp.journal_mode = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing(connection) else "BEGIN")


@contextmanager
def driver_errors(connection: sa.Connection) -> Iterator[None]:
    """Turn what the driver itself raises into a `StorageError`, as SQLAlchemy's errors are."""
    try:
        yield
    except connection.dialect.loaded_dbapi.Error as error:
        raise _failed(error) from error


def _translate(context: sa.engine.ExceptionContext) -> None:
    error = context.original_exception
    # A signal may strike while the driver works; what it raises is not the driver's.
    if context.sqlalchemy_exception is None or isinstance(error, SyncError | KeyboardInterrupt):
        return
    raise _failed(error) from error


def _failed(error: BaseException) -> StorageError:
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    hint = next((hint for sign, hint in _HINTS.items() if sign in reason), _HINTS[""])
    return StorageError(f"the database failed: {reason}", hint)
