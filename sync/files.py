"""The store that keeps the bytes of files by their content.

A blob is named by its SHA-256 and lies in `sha256/ab/cd…`: the first two hex digits are the
folder, the others the name. It is written to a temporary file, made durable, and only then given
that name, so whatever has such a name is whole. Names from the remote never become paths.
"""

import errno
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sync.disk import disk_errors, make_lasting
from sync.errors import StorageError

_TEMPORARY, _DAMAGED = "tmp", "damaged"
_NAME = re.compile(r"[0-9a-f]{64}")
_PIECE_BYTES = 1024 * 1024
_FOLDER = 2
"""How many of the digits name the folder."""


@dataclass(frozen=True)
class Blob:
    """Bytes that are stored: their SHA-256 in hex, and how many there are."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Stored:
    """What is known of a blob: its size, and when it was written, in seconds since 1970."""

    size_bytes: int
    written_at_s: float


class FileStore:
    """The folder of blobs.

    Args:
        root: holds `sha256/`; private to the user.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._blobs = root / "sha256"
        self._unsettled: set[Path] = set()
        self._failure: StorageError | None = None

    def prepare(self) -> None:
        """Make the folder, and clear away what an earlier crash left half written.

        Raises:
            StorageError: it cannot be written to.
        """
        with _disk(self.root):
            if not self._blobs.is_dir():
                self._blobs.mkdir(mode=0o700, parents=True)
                self._unsettled |= {self.root, self.root.parent}
            temporary = self.root / _TEMPORARY
            temporary.mkdir(mode=0o700, exist_ok=True)
            self.root.chmod(0o700)
            for left in temporary.iterdir():
                left.unlink()

    @contextmanager
    def receive(self) -> Iterator["Incoming"]:
        """Take the bytes of a file, in as many pieces as they come; nothing half is left behind.

        Raises:
            StorageError: the disk is full or broken.
        """
        with _disk(self.root):
            descriptor, name = tempfile.mkstemp(dir=self.root / _TEMPORARY)
        path = Path(name)
        incoming = Incoming(self, descriptor, path)
        try:
            yield incoming
        finally:
            os.close(descriptor)
            if not incoming.has_name:
                with suppress(OSError):
                    path.unlink(missing_ok=True)

    def place(self, incoming: Path, sha256: str) -> None:
        """Give a whole and durable file of this disk its name; the name itself lasts once settled.

        Raises:
            OSError: it cannot be moved there.
        """
        target = self.path(sha256)
        try:
            incoming.replace(target)
        except FileNotFoundError:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            incoming.replace(target)
        self._unsettled |= {target.parent, target.parent.parent}

    def note_name(self, sha256: str) -> None:
        """Have the name of a blob made lasting; whoever gave it may have been cut before that."""
        folder = self.path(sha256).parent
        self._unsettled |= {folder, folder.parent}

    def settle(self) -> None:
        """Make the names of all blobs last.

        Only then may anything be noted that counts on their being there.

        Raises:
            StorageError: the disk is broken.
        """
        if self._failure is not None:
            # A disk that failed once may say that all is well the next time.
            raise self._failure
        try:
            with _disk(self.root):
                while self._unsettled:
                    make_lasting(self._unsettled.pop())
        except StorageError as error:
            self._failure = error
            raise

    def has(self, blob: Blob) -> bool:
        """Is the blob there, with the right size?"""
        try:
            return self.path(blob.sha256).stat().st_size == blob.size_bytes
        except OSError:
            return False

    def is_sound(self, sha256: str) -> bool:
        """Do the bytes of a blob still have its hash?"""
        return not self.problem(sha256, is_read=True)

    def problem(self, sha256: str, size_bytes: int | None = None, *, is_read: bool) -> str:
        """What is wrong with a blob, or "".

        Args:
            sha256: of the blob.
            size_bytes: that it should have, None if that is not known.
            is_read: read it to its end; else only if its size is another one.
        """
        path = self.path(sha256)
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):
                return "is no file"
            if is_read or size_bytes not in (None, found.st_size):
                with path.open("rb") as file:
                    is_same = hashlib.file_digest(file, "sha256").hexdigest() == sha256
                is_cut = size_bytes not in (None, found.st_size)
                wrong = "has the wrong size" if is_cut else "has other bytes than were stored"
                return "" if is_same else wrong
            if not os.access(path, os.R_OK):
                return f"cannot be read: {os.strerror(errno.EACCES)}"
        except (FileNotFoundError, NotADirectoryError):
            return "is not there"
        except OSError as error:
            # What cannot be read may be as good as ever.
            return f"cannot be read: {error.strerror or error}"
        return ""

    def read(self, sha256: str) -> Iterator[bytes]:
        """The bytes of a blob in pieces; whether they are its own is for the caller to say.

        Raises:
            StorageError: they cannot be read.
        """
        try:
            with self.path(sha256).open("rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    yield piece
        except OSError as error:
            raise StorageError(
                f"cannot read below {self.root}: {error.strerror or error}",
                "see: aisuru-sync check",
            ) from None

    def is_missing(self) -> bool:
        """Is the folder itself not there?"""
        try:
            self.root.stat()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return False

    def is_empty(self) -> bool:
        """Is the folder there, but no blob at all in it?"""
        try:
            return not any(map(any, (each.iterdir() for each in self._blobs.iterdir())))
        except FileNotFoundError:
            return True
        except OSError:
            return False

    def stored(self) -> Iterator[dict[str, Stored]]:
        """What is stored, folder by folder: {blob: what is known of it}.

        Whatever else lies there, under another name or as a link, is passed over.

        Raises:
            StorageError: a folder cannot be read.
        """
        with _disk(self.root, "read"):
            folders = [each.name for each in os.scandir(self._blobs) if _is_folder(each)]
        for folder in sorted(folders):
            with _disk(self.root, "read"):
                found = [each for each in os.scandir(self._blobs / folder) if _is_blob(each)]
                facts = {folder + each.name: each.stat(follow_symlinks=False) for each in found}
            yield {name: Stored(each.st_size, each.st_mtime) for name, each in facts.items()}

    def remove(self, sha256: str) -> None:
        """Remove a blob that nothing refers to.

        Raises:
            StorageError: it cannot be removed.
        """
        with _disk(self.root):
            self.path(sha256).unlink(missing_ok=True)

    def replace(self, sha256: str, incoming: Path) -> None:
        """Put whole and durable bytes in the place of a damaged blob, which is kept aside.

        Raises:
            StorageError: they cannot be moved there.
        """
        with _disk(self.root):
            self._set_aside(self.path(sha256))
            self.place(incoming, sha256)
        self.settle()

    def _set_aside(self, path: Path) -> None:
        """Keep what is damaged under `damaged`, beside what was damaged there before."""
        folder = self.root / _DAMAGED
        folder.mkdir(mode=0o700, exist_ok=True)
        kept = folder / (path.parent.name + path.name)
        number = 1
        while os.path.lexists(kept):
            number += 1
            kept = kept.with_suffix(f".{number}")
        with suppress(FileNotFoundError):
            path.rename(kept)

    def path(self, sha256: str) -> Path:
        """Where a blob lies, or would."""
        # In one piece: this is done for every file.
        return self._blobs / f"{sha256[:_FOLDER]}/{sha256[_FOLDER:]}"


class Bench(FileStore):
    """The temporary folder of a store: what comes lies there until it is put into its place."""

    def path(self, sha256: str) -> Path:
        """Where bytes lie, or would."""
        return self.root / _TEMPORARY / sha256

    def drop(self, sha256: str) -> None:
        """Clear away bytes that nobody waits for.

        Raises:
            StorageError: they cannot be removed.
        """
        with _disk(self.root):
            self.path(sha256).unlink(missing_ok=True)


class Incoming:
    """Bytes of one file on their way into a store.

    Attributes:
        size_bytes: how many are there.
        etag: the version that they are of, or "".
        has_name: they are stored, and nothing is left to clear away.
    """

    def __init__(self, store: FileStore, descriptor: int, path: Path) -> None:
        self.size_bytes = 0
        self.etag = ""
        self.has_name = False
        self._store = store
        self._descriptor = descriptor
        self._path = path
        self._digest = hashlib.sha256()

    def take(self, start: int, etag: str, chunks: Iterable[bytes]) -> None:
        """Take bytes.

        Args:
            start: where they belong: after what is there, or at 0, which begins again.
            etag: the version that they are of, or "".
            chunks: the bytes; whatever it raises goes on, and what came before stays.

        Raises:
            StorageError: the disk is full or broken.
        """
        if start != self.size_bytes:
            self._begin_again()
        self.etag = etag
        for chunk in chunks:
            with _disk(self._store.root):
                _write(self._descriptor, chunk)
            self._digest.update(chunk)
            self.size_bytes += len(chunk)

    def keep(self) -> Blob:
        """Store what was taken, durably, once.

        Raises:
            StorageError: the disk is full or broken.
        """
        blob = Blob(self._digest.hexdigest(), self.size_bytes)
        if self._store.has(blob):
            self._store.note_name(blob.sha256)
        else:
            with _disk(self._store.root):
                os.fsync(self._descriptor)
                self._store.place(self._path, blob.sha256)
            self.has_name = True
        return blob

    def _begin_again(self) -> None:
        with _disk(self._store.root):
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._digest, self.size_bytes = hashlib.sha256(), 0


def is_name(sha256: str) -> bool:
    """Can a blob be called so?"""
    return _NAME.fullmatch(sha256) is not None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return len(entry.name) == _FOLDER and entry.is_dir(follow_symlinks=False)


def _is_blob(entry: os.DirEntry[str]) -> bool:
    name = Path(entry.path).parent.name + entry.name
    return is_name(name) and entry.is_file(follow_symlinks=False)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _disk(root: Path, to_do: str = "write") -> AbstractContextManager[None]:
    return disk_errors(
        f"cannot {to_do} below {root}",
        "check free space and permissions, or set `files` in [storage]",
    )
