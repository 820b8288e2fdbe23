"""The store that keeps the bytes of files by their content.

A blob is named by its SHA-256 and lies in `sha256/ab/cd…`: the first two hex digits are the
folder, the others the name. It is written to a temporary file, made durable, and only then given
that name, so whatever has such a name is whole. Names from the remote never become paths.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sync.errors import StorageError

_TEMPORARY = "tmp"


@dataclass(frozen=True)
class Blob:
    """Bytes that are stored: their SHA-256 in hex, and how many there are."""

    sha256: str
    size_bytes: int


class FileStore:
    """The folder of blobs.

    Args:
        root: holds `sha256/`; private to the user.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self) -> None:
        """Make the folder, and clear away what an earlier crash left half written.

        Raises:
            StorageError: it cannot be written to.
        """
        with _disk(self.root):
            temporary = self.root / _TEMPORARY
            temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.root.chmod(0o700)
            for left in temporary.iterdir():
                left.unlink()

    def put(self, chunks: Iterable[bytes]) -> Blob:
        """Store bytes durably, once.

        Raises:
            StorageError: the disk is full or broken; nothing is left behind.
            whatever `chunks` raises; nothing is left behind.
        """
        digest, size_bytes = hashlib.sha256(), 0
        with self._temporary() as (descriptor, path):
            for chunk in chunks:
                digest.update(chunk)
                size_bytes += len(chunk)
                with _disk(self.root):
                    _write(descriptor, chunk)
            blob = Blob(digest.hexdigest(), size_bytes)
            if not self.has(blob):
                with _disk(self.root):
                    self._keep(descriptor, path, blob)
        return blob

    def has(self, blob: Blob) -> bool:
        """Is the blob there, with the right size?"""
        try:
            return self.path(blob.sha256).stat().st_size == blob.size_bytes
        except OSError:
            return False

    def is_sound(self, sha256: str) -> bool:
        """Do the bytes of a blob still have its hash?"""
        try:
            with self.path(sha256).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except OSError:
            return False

    def path(self, sha256: str) -> Path:
        """Where a blob lies, or would."""
        return self.root / "sha256" / sha256[:2] / sha256[2:]

    @contextmanager
    def _temporary(self) -> Iterator[tuple[int, Path]]:
        with _disk(self.root):
            descriptor, name = tempfile.mkstemp(dir=self.root / _TEMPORARY)
        path = Path(name)
        try:
            yield descriptor, path
        finally:
            os.close(descriptor)
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _keep(self, descriptor: int, path: Path, blob: Blob) -> None:
        os.fsync(descriptor)
        target = self.path(blob.sha256)
        new_folder = not target.parent.exists()
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.replace(target)
        _sync_folder(target.parent)
        if new_folder:
            _sync_folder(target.parent.parent)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _disk(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot write below {root}: {error.strerror or error}",
            "check free space and permissions, or set `files` in [storage]",
        ) from None
