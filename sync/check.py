"""Check: does the mirror agree with itself and with its files? Reads only, and asks no remote."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sync.errors import StorageError
from sync.files import Blob, FileStore
from sync.kind import Kind
from sync.kinds.file import FILE
from sync.mirror import audit
from sync.mirror.mirror import Mirror

_NEVER = "never stored"


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
    """What was looked at, and what is wrong with it.

    Attributes:
        files: whose bytes are stored.
        files_never_stored: that are known, but could not be fetched so far.
    """

    objects: int
    files: int
    files_never_stored: int
    damage: list[Damage]


def check(mirror: Mirror, store: FileStore, kinds: Mapping[str, Kind]) -> Report:
    """Look at everything that is kept; what cannot be read is damage."""
    counts = dict.fromkeys((*kinds, FILE.name, _NEVER), 0)
    damage: list[Damage] = []

    def look(what: str, where: str, problems: Iterable[tuple[str, str]]) -> None:
        try:
            damage.extend(Damage(what, *each) for each in problems)
        except StorageError as error:
            # A database that cannot be read is damage, too.
            damage.append(Damage(what, where, str(error)))

    look("database", "integrity", (("integrity", each) for each in audit.integrity(mirror.engine)))
    for kind in (*kinds.values(), FILE):
        look(kind.name, "its table", audit.mismatches(mirror, kind))
        look(kind.name, "its table", _objects(mirror, store, kind, counts))
        look(kind.name, "its history", _versions(mirror, kind))
    files = counts.pop(FILE.name)
    return Report(sum(counts.values()), files, counts.pop(_NEVER), damage)


def _versions(mirror: Mirror, kind: Kind) -> Iterator[tuple[str, str]]:
    for key, document, digest in audit.versions(mirror, kind):
        if document is None or kind.digest(document) != digest:
            yield key, "a version of it in history is not what was seen then"


def _objects(
    mirror: Mirror, store: FileStore, kind: Kind, counts: dict[str, int]
) -> Iterator[tuple[str, str]]:
    for row in audit.rows(mirror, kind):
        if kind is not FILE:
            counts[kind.name] += 1
        yield from ((row.key, each) for each in _row_problems(kind, row))
        if kind is FILE:
            is_stored = bool((row.document or {}).get("sha256"))
            counts[FILE.name if is_stored else _NEVER] += 1
            yield from ((row.key, each) for each in _blob_problems(store, row))


def _row_problems(kind: Kind, row: audit.Row) -> Iterator[str]:
    if row.document is None:
        yield "its document cannot be read"
        return
    if kind.digest(row.document) != row.digest:
        yield "the document is not the one of its last change"
    if kind.row(row.document) != row.columns:
        yield "the columns do not follow from the document"


def _blob_problems(store: FileStore, row: audit.Row) -> Iterator[str]:
    known = row.document or {}
    sha256, size_bytes = known.get("sha256"), known.get("size_bytes")
    if not isinstance(sha256, str) or not isinstance(size_bytes, int):
        return
    if not store.path(sha256).is_file():
        yield f"the blob {sha256} is not there"
    elif not store.has(Blob(sha256, size_bytes)):
        yield f"the blob {sha256} has the wrong size"
