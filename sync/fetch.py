"""Fetching the files that documents refer to, and noting what became of each (design 7).

What is stored and can never change is left alone; the rest is downloaded side by side into the
store. A file never fails a backup by being gone: it is noted as `missing`.
"""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from urllib.parse import urlsplit

import structlog

from sync.api.download import FileLimits, download
from sync.api.remote import Access
from sync.document import Document
from sync.errors import AccountRefused, NotFound, RemoteError, Unavailable
from sync.files import Blob, FileStore
from sync.link import FileRef, without_query

STORED, MISSING, FAILED, LEFT_OUT = "stored", "missing", "failed", "left_out"
UNASKED = "it is not asked for, as `without_files` says"
_WAITING = 4
"""How many files for each worker may be on their way, so that none is idle."""


@dataclass(frozen=True)
class Fetched:
    """What became of one file.

    Attributes:
        document: of kind `file`, as it is from now on.
        outcome: `downloaded`, `unchanged`, `missing`, `failed` or `left_out`.
        size_bytes: how much was downloaded.
        is_new: it was not known to be so before.
        why: it could not be had, else "".
    """

    document: Document
    outcome: str
    size_bytes: int = 0
    is_new: bool = False
    why: str = ""


def fetch(
    access: Access,
    store: FileStore,
    wanted: Iterator[tuple[FileRef, Document]],
    concurrency: int,
    limits: FileLimits,
    is_left_out: Callable[[str, str], bool] = lambda *_: False,
) -> Generator[Fetched]:
    """Fetch files side by side.

    Args:
        access: a Giver session, or the account for files that need none.
        store: where the bytes go.
        wanted: files, each with what is known of it ({} if nothing); read as far as needed.
        concurrency: how many at a time.
        limits: for each file.
        is_left_out: is asked about the key of a file, in full and as it is told.

    Raises:
        AccountRefused, Unavailable, StorageError, Interrupted: no other file would fare better.
    """
    hosts = _Hosts(access, store, limits)
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="fetch")
    done: SimpleQueue[Future[Fetched]] = SimpleQueue()
    running = 0
    try:
        for ref, known in wanted:
            if _is_final(store, ref, known):
                yield Fetched(known, "unchanged")
                continue
            if is_left_out(ref.key, without_query(ref.key)):
                yield _without(store, ref, known, LEFT_OUT, UNASKED)
                continue
            pool.submit(hosts.fetch, ref, known).add_done_callback(done.put)
            running += 1
            if running >= _WAITING * concurrency:
                # As they come: a large file keeps no small ones from going on.
                yield done.get().result()
                running -= 1
        for _ in range(running):
            yield done.get().result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Hosts:
    """Where files come from.

    Another host that gives no byte is not waited for again, and keeps no file of the Backend away.
    One that answers, if only that it is busy, may do better with the next file.
    """

    def __init__(self, access: Access, store: FileStore, limits: FileLimits) -> None:
        self._access = access
        self._store = store
        self._limits = limits
        self._dead: dict[str, str] = {}

    def fetch(self, ref: FileRef, known: Document) -> Fetched:
        """Fetch one file, unless its host is dead."""
        host = urlsplit(ref.url).netloc
        if host in self._dead and not ref.is_on_backend:
            why = f"{host} is asked no more: {self._dead[host]}"
            return _failed(self._store, ref, known, why)
        try:
            return fetch_one(self._access, self._store, ref, known, self._limits)
        except Unavailable as error:
            if ref.is_on_backend:
                raise
            self._dead[host] = str(error)
            return _failed(self._store, ref, known, str(error))


def fetch_one(
    access: Access, store: FileStore, ref: FileRef, known: Document, limits: FileLimits
) -> Fetched:
    """Fetch one file, unless it is still the version stored."""
    start = {**known, "key": ref.key, "url": ref.url}
    etag = known.get("etag", "") if _is_stored(store, known) else ""
    log = structlog.get_logger("fetch")
    try:
        with store.receive() as incoming:
            mime_type = download(access, ref, incoming, etag, limits)
            if mime_type is None:
                return Fetched({**known, "status": STORED}, "unchanged")
            stored = incoming.keep()
        facts = {
            "status": STORED,
            "sha256": stored.sha256,
            "size_bytes": stored.size_bytes,
            "mime_type": mime_type,
            "etag": incoming.etag,
        }
        return Fetched({**start, **facts}, "downloaded", stored.size_bytes)
    except AccountRefused:
        raise
    except NotFound as error:
        is_new = known.get("status") != MISSING
        # What is known to be missing is in the figures of every run, and no news.
        tell = log.warning if is_new else log.info
        tell("file.missing", key=without_query(ref.key), is_new=is_new)
        return Fetched({**start, "status": MISSING}, MISSING, is_new=is_new, why=str(error))
    except RemoteError as error:
        if isinstance(error, Unavailable):
            is_silent = not error.answered and not incoming.size_bytes
            if not error.carried_out or (is_silent and not ref.is_on_backend):
                # The host cannot be reached at all: its other files need not be tried.
                raise
        return _failed(store, ref, known, str(error))


def _failed(store: FileStore, ref: FileRef, known: Document, why: str) -> Fetched:
    structlog.get_logger("fetch").warning("file.failed", key=without_query(ref.key), why=why)
    return _without(store, ref, known, FAILED, why)


def _without(store: FileStore, ref: FileRef, known: Document, outcome: str, why: str) -> Fetched:
    # What was stored before is still there to be restored.
    status = STORED if _is_stored(store, known) else outcome
    document = {**known, "key": ref.key, "url": ref.url, "status": status}
    return Fetched(document, outcome, why=why)


def _is_final(store: FileStore, ref: FileRef, known: Document) -> bool:
    return ref.is_final and known.get("status") == STORED and _is_stored(store, known)


def _is_stored(store: FileStore, known: Document) -> bool:
    sha256, size_bytes = known.get("sha256"), known.get("size_bytes")
    if not isinstance(sha256, str) or size_bytes is None:
        return False
    return store.has(Blob(sha256, size_bytes))
