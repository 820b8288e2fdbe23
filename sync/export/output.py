"""Where an export is written to: a folder or a ZIP, with the hash of each file.

All goes to a hidden sibling, which gets the name only when it is whole and durable: what has the
name is no half export. Whoever writes a sibling holds it locked, so the next export to the same
path knows those that nobody writes any more, and clears them away.
"""

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Protocol
from uuid import uuid4

from sync.batches import batches
from sync.disk import disk_errors, make_lasting
from sync.errors import UsageError

SUMS = "SHA256SUMS"
_CHUNK_BYTES = 1024 * 1024
_SYNCS, _PORTION = 16, 1000
_DIGITS, _LONGEST_BYTES = 12, 180
"""Of the names of siblings: random digits, and how much there is of the name itself."""
_SHRINKS = frozenset(
    {".bmp", ".css", ".csv", ".gltf", ".htm", ".html", ".js", ".json", ".log", ".md"}
    | {".obj", ".rtf", ".stl", ".svg", ".tiff", ".txt", ".wav", ".xml"}
)
"""Files that are worth compressing; others are compressed already, or not known."""


class Destination(Protocol):
    """Something that takes files, and is there with all of them or not at all."""

    def begin(self) -> None:
        """Make room for it, beside its place."""

    def put(self, path: str, chunks: Iterable[bytes], size_bytes: int | None) -> None:
        """Write a file that is not there yet."""

    def finish(self) -> None:
        """Make it last, and give it its name."""

    def drop(self) -> None:
        """Take away what is half done."""


class Output:
    """An export in the making.

    Args:
        destination: where its files go.
        folder: where there is room for its list of hashes meanwhile.

    Attributes:
        files: how many there are so far.
        size_bytes: of all of them.
    """

    def __init__(self, destination: Destination, folder: Path) -> None:
        self.files = 0
        self.size_bytes = 0
        self._destination = destination
        # As long as there are files, and to be written last.
        self._sums = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed with the export

    def put(self, path: str, chunks: Iterable[bytes], size_bytes: int | None = None) -> str:
        """Write a file; its SHA-256.

        Args:
            path: of safe names, within the export.
            chunks: its bytes; whatever raises there goes on.
            size_bytes: how many they are, if that is known.
        """
        digest = hashlib.sha256()

        def passing() -> Iterator[bytes]:
            for chunk in chunks:
                digest.update(chunk)
                self.size_bytes += len(chunk)
                yield chunk

        self._destination.put(path, passing(), size_bytes)
        self.files += 1
        self._sums.write(f"{digest.hexdigest()}  {path}\n".encode())
        return digest.hexdigest()

    def seal(self) -> None:
        """Write the list of hashes, which names every file but itself."""
        self._sums.seek(0)
        size_bytes = 0

        def passing() -> Iterator[bytes]:
            nonlocal size_bytes
            while chunk := self._sums.read(_CHUNK_BYTES):
                size_bytes += len(chunk)
                yield chunk

        self._destination.put(SUMS, passing(), None)
        self.files += 1
        self.size_bytes += size_bytes

    def close(self) -> None:
        """Let go of what is temporary."""
        self._sums.close()


@contextmanager
def output(path: Path) -> Iterator[Output]:
    """Make an export at a path; only if all goes well there is something afterwards.

    Raises:
        UsageError: there is something already, or nothing can be there.
        StorageError: the disk is full or broken.
    """
    path = _checked(path)
    half = _sibling(path)
    destination: Destination = _Zip(path, half) if _is_zip(path) else _Folder(path, half)
    # Blobs and the mirror tell of their errors themselves.
    hint = "check free space and permissions; nothing half done was kept"
    with disk_errors(f"cannot write {path}", hint), ExitStack() as stack:
        _clear_away_dead(path)
        try:
            destination.begin()
            with suppress(OSError):
                # Where no lock can be had, none can be taken for dead.
                stack.enter_context(_locked(half))
            made = Output(destination, path.parent)
            try:
                yield made
                made.seal()
            finally:
                made.close()
            destination.finish()
        except BaseException:
            destination.drop()
            raise


def check_path(path: Path) -> None:
    """Raise `UsageError` if no export can be made there."""
    _checked(path)


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip"


def _checked(path: Path) -> Path:
    try:
        real = path.resolve()
        if not real.parent.is_dir():
            raise UsageError(f"there is no folder {real.parent}", "make it first")
        if not os.path.lexists(path):
            return real
        is_free = not _is_zip(path) and real.is_dir() and not any(real.iterdir())
    except (OSError, ValueError) as error:
        raise UsageError(f"nothing can be written to {str(path)!r}: {error}") from None
    if not is_free:
        what = "a ZIP" if _is_zip(path) else "an export"
        raise UsageError(
            f"{path} is there already", f"{what} is never written over anything: say another path"
        )
    if real.is_mount():
        raise UsageError(f"{path} is a disk of its own", f"say a folder on it: {path}/export")
    return real


class _Folder:
    """Files in folders, private to the user."""

    def __init__(self, path: Path, half: Path) -> None:
        self._path = path
        self._half = half

    def begin(self) -> None:
        self._half.mkdir(mode=0o700)

    def put(self, path: str, chunks: Iterable[bytes], _: int | None) -> None:
        whole = self._half / path
        if not whole.parent.is_dir():
            self._make(PurePosixPath(path).parent)
        with open(whole, "xb", opener=_private) as file:
            file.writelines(chunks)

    def finish(self) -> None:
        paths = (
            Path(folder) / name for folder, _, names in os.walk(self._half) for name in (*names, "")
        )
        # Side by side a disk settles many in the time of one.
        with ThreadPoolExecutor(_SYNCS) as pool:
            for portion in batches(paths, _PORTION):
                list(pool.map(make_lasting, portion))
        try:
            self._half.rename(self._path)
        except OSError:
            # Somebody else may have been there meanwhile.
            _checked(self._path)
            raise
        make_lasting(self._path.parent)

    def drop(self) -> None:
        _remove(self._half)

    def _make(self, folder: PurePosixPath) -> None:
        for each in (*reversed(folder.parents), folder):
            (self._half / each).mkdir(mode=0o700, exist_ok=True)


class _Zip:
    """The same tree in one file."""

    def __init__(self, path: Path, half: Path) -> None:
        self._path = path
        self._half = half
        # The format knows no time before 1980.
        self._at = max(time.localtime()[:6], (1980, 1, 1, 0, 0, 0))
        self._zip: zipfile.ZipFile | None = None

    def begin(self) -> None:
        # It writes to a file by its name, so the file is made private before.
        open(self._half, "xb", opener=_private).close()
        self._zip = zipfile.ZipFile(self._half, "w", zipfile.ZIP_STORED)

    def put(self, path: str, chunks: Iterable[bytes], size_bytes: int | None) -> None:
        if self._zip is None:
            raise ValueError("not begun")
        entry = zipfile.ZipInfo(path, self._at)
        entry.external_attr = 0o100600 << 16
        if PurePosixPath(path).suffix.lower() in _SHRINKS or path == SUMS:
            entry.compress_type = zipfile.ZIP_DEFLATED
        entry.file_size = size_bytes or 0
        with self._zip.open(entry, "w", force_zip64=size_bytes is None) as file:
            for chunk in chunks:
                file.write(chunk)

    def finish(self) -> None:
        if self._zip is not None:
            self._zip.close()
        make_lasting(self._half)
        try:
            # Unlike a rename, a link never takes the place of anything.
            os.link(self._half, self._path)
            self._half.unlink()
        except OSError:
            _checked(self._path)
            self._half.rename(self._path)
        make_lasting(self._path.parent)

    def drop(self) -> None:
        if self._zip is not None:
            with suppress(OSError, ValueError):
                self._zip.close()
        _remove(self._half)


def _sibling(path: Path) -> Path:
    return path.with_name(f"{_hidden(path)}{uuid4().hex[:_DIGITS]}.part")


def _hidden(path: Path) -> str:
    """What the names of all siblings of a path begin with."""
    name = path.name.encode("utf-8", "surrogateescape")[:_LONGEST_BYTES]
    return f".{name.decode('utf-8', 'ignore')}.export-"


def _clear_away_dead(path: Path) -> None:
    """Remove what exports to a path left that were killed: it may be anybody's personal data."""
    called = re.compile(re.escape(_hidden(path)) + rf"[0-9a-f]{{{_DIGITS}}}\.part")
    for each in path.parent.iterdir():
        if called.fullmatch(each.name):
            # One that is locked is being written.
            with suppress(OSError), _locked(each):
                _remove(each)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    """Remove a file or folder, as far as that can be done."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
