"""Check: does the mirror agree with itself and with its files? Reads only, and asks no remote."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sync.files import Blob, FileStore
from sync.kind import Kind
from sync.kinds.file import FILE
from sync.mirror import audit
from sync.mirror.mirror import Mirror


@dataclass(frozen=True)
class Damage:
    """One thing that is wrong.

    Attributes:
        what: `database`, `file` or a kind.
        where: which table, object or blob.
        problem: what is wrong with it.
    """

    what: str
    where: str
    problem: str


@dataclass(frozen=True)
class Report:
    """What was looked at, and what is wrong with it."""

    objects: int
    files: int
    damage: list[Damage]


def check(mirror: Mirror, store: FileStore, kinds: Mapping[str, Kind]) -> Report:
    """Look at everything that is kept.

    Raises:
        StorageError: the database cannot be read at all.
    """
    damage = [Damage("database", "integrity", each) for each in audit.integrity(mirror.engine)]
    objects = 0
    for kind in (*kinds.values(), FILE):
        damage += [Damage(kind.name, *each) for each in audit.mismatches(mirror, kind)]
        for row in audit.rows(mirror, kind):
            objects += 1
            damage += [Damage(kind.name, row.key, each) for each in _row_problems(kind, row)]
    files = 0
    for row in audit.rows(mirror, FILE):
        files += 1
        damage += [Damage("file", row.key, each) for each in _blob_problems(store, row)]
    return Report(objects - files, files, damage)


def _row_problems(kind: Kind, row: audit.Row) -> Iterator[str]:
    if kind.digest(row.document) != row.digest:
        yield "the document is not the one of its last change"
    if kind.row(row.document) != row.columns:
        yield "the columns do not follow from the document"


def _blob_problems(store: FileStore, row: audit.Row) -> Iterator[str]:
    sha256, size_bytes = row.document.get("sha256"), row.document.get("size_bytes")
    if not isinstance(sha256, str) or not isinstance(size_bytes, int):
        return
    if not store.path(sha256).is_file():
        yield f"the blob {sha256} is not there"
    elif not store.has(Blob(sha256, size_bytes)):
        yield f"the blob {sha256} has the wrong size"
