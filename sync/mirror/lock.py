"""One writer and one service per mirror.

Kernel and server locks, which end with the process that holds them.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event

from sync.errors import Locked, StorageError
from sync.mirror.database import is_writing, open_database, sqlite_file

_HOLDER = sa.text(
    "select a.pid, a.application_name from pg_locks l join pg_stat_activity a using (pid)"
    " join pg_database d on d.oid = l.database and d.datname = current_database()"
    " where l.locktype = 'advisory' and l.objid = :key and l.granted"
)
_PROGRAM = "aisuru-sync"
_LOOK_S = 0.05
_KEEPALIVE_S = "60"
"""After how much silence it is asked whether the other side of an idle connection lives."""


@dataclass(frozen=True)
class _Role:
    """What only one process can be.

    Attributes:
        number: of the advisory lock; any will do, as long as all versions use the same.
        suffix: of the file that is locked beside a SQLite database.
        message: what the others are told of the one.
    """

    number: int
    suffix: str
    message: str
    hint: str


_WRITER = _Role(0x41495355, "lock", "the mirror is in use by {}", "wait until it has finished")
_WRITE = _WRITER.number + 1
_SERVICE = _Role(
    _WRITER.number + 2,
    "daemon.lock",
    "{} serves this mirror",
    "stop it first, or give this one a `database` of its own",
)


@contextmanager
def hold(engine: sa.Engine, job: str) -> Iterator[None]:
    """Be the one writer of a mirror.

    Args:
        engine: of the mirror.
        job: what others are told is going on.

    Raises:
        Locked: another process writes; the message says which.
    """
    path = _file_of(engine)
    if path is None:
        with _hold_advisory(engine, _WRITER, job) as connection, _guard(engine, connection):
            yield
        return
    with _hold_file(path, _WRITER, job):
        yield


class Place:
    """That of the one service of a mirror, beside which others write."""

    def __init__(self) -> None:
        self._held = ExitStack()
        self._url = ""
        self._is_ours: Callable[[], bool] = lambda: True

    def take(self, url: str) -> None:
        """Be the service of the mirror with this URL, and no longer of the one before.

        Raises:
            Locked: another process serves it.
        """
        if url != self._url:
            self.leave()
            self._hold(url)
            self._url = url

    def keep(self) -> None:
        """Take it again if the server ended the connection; no server at all is no trouble yet.

        Raises:
            Locked: another process has it by now.
        """
        if not self._is_ours():
            self._held.close()
            with suppress(StorageError):
                self._hold(self._url)

    def leave(self) -> None:
        """Let others have it."""
        self._held.close()
        self._url = ""

    def _hold(self, url: str) -> None:
        engine, name = open_database(url), "another daemon"
        self._held.callback(engine.dispose)
        path = _file_of(engine)
        if path is not None:
            self._held.enter_context(_hold_file(path, _SERVICE, name))
            self._is_ours = lambda: True
            return
        connection = self._held.enter_context(_hold_advisory(engine, _SERVICE, name))
        ours, _ = _advisory_holder(connection, _SERVICE)
        self._is_ours = lambda: _is_holder(connection, _SERVICE, ours)


def _file_of(engine: sa.Engine) -> Path | None:
    return sqlite_file(engine.url.render_as_string(hide_password=False))


@contextmanager
def _hold_file(database: Path, role: _Role, holder: str) -> Iterator[None]:
    # One database has one lock, whatever links lead to it.
    with _open_private(f"{database.resolve()}.{role.suffix}") as descriptor:
        try:
            _take(descriptor)
        except OSError:
            held = os.pread(descriptor, 200, 0).decode(errors="replace")
            raise _locked(role, held) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{holder} (process {os.getpid()})".encode(), 0)
        yield


def _take(descriptor: int) -> None:
    """Take the lock, or raise `OSError`; whoever only looks (`is_held`) has it for a moment."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        time.sleep(_LOOK_S)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_held(engine: sa.Engine) -> bool:
    """Does any process write to a mirror now?"""
    path = _file_of(engine)
    if path is None:
        with engine.connect() as connection:
            return bool(_advisory_holder(connection, _WRITER)[0])
    try:
        descriptor = os.open(f"{path.resolve()}.{_WRITER.suffix}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError(f"cannot read {path}.lock: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def _hold_advisory(engine: sa.Engine, role: _Role, holder: str) -> Iterator[sa.Connection]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # The server frees the lock only when it notices that a machine is no more.
        settings = {"application_name": _name(holder), "tcp_keepalives_idle": _KEEPALIVE_S}
        for each in settings.items():
            connection.execute(sa.select(sa.func.set_config(*each, False)))
        if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(role.number))).scalar():
            _, name = _advisory_holder(connection, role)
            raise _locked(role, name.removeprefix(f"{_PROGRAM} "))
        try:
            yield connection
        finally:
            # The server notices late that a connection is gone, and the next command comes soon.
            # If it ended this one itself, nothing is held any more.
            with suppress(StorageError, sa.exc.InvalidRequestError):
                connection.execute(sa.select(sa.func.pg_advisory_unlock(role.number)))
            # Back in the pool it would keep its name.
            connection.invalidate()


@contextmanager
def _guard(engine: sa.Engine, connection: sa.Connection) -> Iterator[None]:
    """Let nobody write who has lost the lock: another process may hold it by now."""
    # Waits for the last write of a run that has lost the lock.
    connection.execute(sa.select(sa.func.pg_advisory_lock(_WRITE)))
    connection.execute(sa.select(sa.func.pg_advisory_unlock(_WRITE)))
    ours, _ = _advisory_holder(connection, _WRITER)

    def check(writer: sa.Connection) -> None:
        if not is_writing(writer):
            return
        writer.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_WRITE)))
        if _advisory_holder(writer, _WRITER)[0] != ours:
            raise StorageError(
                "the database failed: it ended the connection that held the lock",
                "nothing half done was kept: run it again",
            )

    event.listen(engine, "begin", check)
    try:
        yield
    finally:
        event.remove(engine, "begin", check)


def _advisory_holder(connection: sa.Connection, role: _Role) -> tuple[int, str]:
    """The process and the name of the connection that holds the lock."""
    found = connection.execute(_HOLDER, {"key": role.number}).first()
    return (found.pid, found.application_name) if found else (0, "")


def _is_holder(connection: sa.Connection, role: _Role, process: int) -> bool:
    try:
        return _advisory_holder(connection, role)[0] == process
    except (StorageError, sa.exc.InvalidRequestError):
        # The server ended the connection, or we did after it.
        return False


def _name(job: str) -> str:
    return f"{_PROGRAM} {job} (process {os.getpid()})"


def _locked(role: _Role, holder: str) -> Locked:
    return Locked(role.message.format(holder or "another process"), role.hint)


@contextmanager
def _open_private(path: str) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)
