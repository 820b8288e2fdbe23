"""Whose a folder of files is: one mirror's, whose id stands in it.

What is needed in the folder only its mirror knows. A prune by another one would take all the rest.
"""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from sync.disk import disk_errors, make_lasting
from sync.errors import StorageError
from sync.files import FileStore
from sync.mirror.mirror import Mirror

MARK = "mirror"
"""The file with the id."""


def claim(mirror: Mirror, store: FileStore) -> None:
    """Make a folder the mirror's own, if it is nobody's yet.

    Args:
        mirror: locked against other writers.
        store: whose folder is there.

    Raises:
        StorageError: it is another mirror's.
    """
    check_owner(mirror, store)
    mark = store.root / MARK
    with disk_errors(f"cannot write {mark}", "check free space and permissions"):
        if not mark.exists():
            # Durable before the mark: a power cut must not take the id and leave the mark.
            _write(mark, mirror.make_identity())
    check_owner(mirror, store)


def check_owner(mirror: Mirror, store: FileStore) -> None:
    """Raise `StorageError` if the folder is another mirror's; changes nothing."""
    mark = store.root / MARK
    with disk_errors(f"cannot read {mark}", "check the folder's permissions"):
        try:
            found = mark.read_text("utf-8", "replace").strip()
        except FileNotFoundError:
            return
    if found != mirror.identity():
        raise StorageError(
            f"{store.root} holds the files of another mirror",
            "give this one `files` of its own in [storage]; or, if the database of the other one"
            f" was lost or is given up, remove {mark}, and this one takes its place",
        )


def _write(mark: Path, identity: str) -> None:
    """Make the mark, whole or not at all, and only if there is none."""
    descriptor, name = tempfile.mkstemp(prefix=f".{MARK}-", dir=mark.parent)
    half = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{identity}\n")
        make_lasting(half)
        try:
            with suppress(FileExistsError):
                # Unlike a rename, a link never takes the place of another mirror's.
                os.link(half, mark)
        except OSError:
            half.rename(mark)
    finally:
        half.unlink(missing_ok=True)
    make_lasting(mark.parent)
