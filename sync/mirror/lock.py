"""One writer per mirror: kernel and server locks, which end with the process that holds them."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy import event

from sync.errors import Locked, StorageError
from sync.mirror.database import is_writing, sqlite_file

_HOLDER = sa.text(
    "select a.pid, a.application_name from pg_locks l join pg_stat_activity a using (pid)"
    " join pg_database d on d.oid = l.database and d.datname = current_database()"
    " where l.locktype = 'advisory' and l.objid = :key and l.granted"
)
# Any number will do, as long as all versions use the same.
_ADVISORY = 0x41495355
_PROGRAM = "aisuru-sync"
_WRITE = _ADVISORY + 1
_LOOK_S = 0.05


@contextmanager
def hold(engine: sa.Engine, job: str) -> Iterator[None]:
    """Be the one writer of a mirror.

    Args:
        engine: of the mirror.
        job: what others are told is going on.

    Raises:
        Locked: another process writes; the message says which.
    """
    path = sqlite_file(engine.url.render_as_string(hide_password=False))
    if path is None:
        with _hold_advisory(engine, job):
            yield
        return
    # One database has one lock, whatever links lead to it.
    with _open_private(f"{path.resolve()}.lock") as descriptor:
        try:
            _take(descriptor)
        except OSError:
            raise _locked(os.pread(descriptor, 200, 0).decode(errors="replace")) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{job} (process {os.getpid()})".encode(), 0)
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
    path = sqlite_file(engine.url.render_as_string(hide_password=False))
    if path is None:
        with engine.connect() as connection:
            return bool(_advisory_holder(connection)[0])
    try:
        descriptor = os.open(f"{path.resolve()}.lock", os.O_RDONLY | os.O_CLOEXEC)
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
def _hold_advisory(engine: sa.Engine, job: str) -> Iterator[None]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.select(sa.func.set_config("application_name", _name(job), False)))
        if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(_ADVISORY))).scalar():
            _, name = _advisory_holder(connection)
            raise _locked(name.removeprefix(f"{_PROGRAM} "))
        # Waits for the last write of a run that has lost the lock.
        connection.execute(sa.select(sa.func.pg_advisory_lock(_WRITE)))
        connection.execute(sa.select(sa.func.pg_advisory_unlock(_WRITE)))
        ours, _ = _advisory_holder(connection)

        def check(writer: sa.Connection) -> None:
            if not is_writing(writer):
                return
            writer.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_WRITE)))
            if _advisory_holder(writer)[0] != ours:
                raise StorageError(
                    "the database failed: it ended the connection that held the lock",
                    "nothing half done was kept: run it again",
                )

        # Whoever has lost the lock must not write: another process may hold it by now.
        event.listen(engine, "begin", check)
        try:
            yield
        finally:
            event.remove(engine, "begin", check)
            # Back in the pool the connection would go on holding it.
            connection.invalidate()


def _advisory_holder(connection: sa.Connection) -> tuple[int, str]:
    """The process and the name of the connection that holds the lock."""
    found = connection.execute(_HOLDER, {"key": _ADVISORY}).first()
    return (found.pid, found.application_name) if found else (0, "")


def _name(job: str) -> str:
    return f"{_PROGRAM} {job} (process {os.getpid()})"


def _locked(holder: str) -> Locked:
    return Locked(
        f"the mirror is in use by {holder or 'another process'}", "wait until it has finished"
    )


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
