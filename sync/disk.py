"""What every writer to a disk needs: that it lasts, and its errors as ours."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sync.errors import StorageError


def make_lasting(path: Path) -> None:
    """Have what a file or folder holds outlive a power cut; of a folder, the names in it.

    Raises:
        OSError: the disk is broken.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk_errors(what: str, hint: str) -> Iterator[None]:
    """Turn what the disk raises into a `StorageError`.

    Args:
        what: could not be done.
        hint: what the user can do.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(f"{what}: {error.strerror or error}", hint) from None
