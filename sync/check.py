"""Check: does the mirror agree with itself and with its files? Reads only, and asks no remote."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import starmap

from sync.errors import StorageError
from sync.files import FileStore, is_name
from sync.kind import Kind
from sync.kinds.file import FILE
from sync.mirror import audit, ledger
from sync.mirror.audit import KnownBlob
from sync.mirror.mirror import Mirror
from sync.watch import Watch
from sync.wording import counted

HINT = "check `files` in [storage]: is a disk not mounted?"
_NEVER = "never stored"
_ALL = 100.0
_GOLDEN = 0.618_033_988_749_894_9
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Damage:
    """One thing that is wrong.

    Attributes:
        what: `database`, `file` or a kind.
        where: which table, object or file.
        problem: what is wrong with it.
        source_id: whose object it is, None for anything else.
        sha256: of the blob that it is, "" for anything else.
        why: what keeps a repair from putting it right, or what else helps; "" if that is unknown.
    """

    what: str
    where: str
    problem: str
    source_id: int | None = None
    sha256: str = ""
    why: str = ""


@dataclass(frozen=True)
class Report:
    """What was looked at, and what is wrong with it.

    Attributes:
        files: whose bytes are stored.
        files_never_stored: that are known, but could not be fetched so far.
        blobs_read: how many blobs were read to their end.
    """

    objects: int
    files: int
    files_never_stored: int
    blobs_read: int
    damage: list[Damage]


def check(
    mirror: Mirror,
    store: FileStore,
    kinds: Mapping[str, Kind],
    read_percent: float = 0.0,
    watch: Watch = lambda *_: None,
) -> Report:
    """Look at everything that is kept; what cannot be read is damage.

    Args:
        mirror: to look at.
        store: of its files.
        kinds: the registry.
        read_percent: the share of the blobs that is read to its end and hashed: 0 to 100.
        watch: told of progress.
    """
    counts = dict.fromkeys((*kinds, FILE.name, _NEVER), 0)
    damage: list[Damage] = []
    told: set[tuple[str, str, int]] = set()

    def look(what: str, where: str, found: Iterable[Damage]) -> None:
        try:
            for each in found:
                # What is wrong with an object in several ways is told once.
                ident = (each.what, each.where, each.source_id or 0)
                if each.source_id is None or ident not in told:
                    damage.append(each)
                told.add(ident)
        except StorageError as error:
            # A database that cannot be read is damage, too.
            damage.append(Damage(what, where, str(error)))

    look("database", "integrity", _integrity(mirror))
    for kind in (*kinds.values(), FILE):
        look(kind.name, "its table", _bad_rows(mirror, kind, counts))
        look(kind.name, "its history", _bad_versions(mirror, kind))
    look("database", "the versions", _broken_chains(mirror))
    for findings in (ledger.bad_statuses, ledger.miscounts, ledger.lost_files):
        look("database", "the snapshots", starmap(Damage, findings(mirror)))
    read: list[str] = []
    look(FILE.name, "the stored files", _bad_blobs(mirror, store, read_percent, read, watch))
    files = counts.pop(FILE.name)
    never = counts.pop(_NEVER)
    return Report(sum(counts.values()), files, never, len(read), damage)


def is_due(sha256: str, percent: float, day: float) -> bool:
    """Is a blob in the share that is read on a day?

    The share moves by the golden ratio from day to day, so that it comes round evenly whether
    days, weeks or months lie between two checks.

    Args:
        sha256: of the blob, in hex.
        percent: how large the share is.
        day: counted from anywhere; parts of days count.
    """
    # What is a hair below 0 is 1 after the division, not less.
    return percent >= _ALL or _wait(sha256, day) < percent / 100


def _wait(sha256: str, day: float) -> float:
    """How far a blob is from its turn: 0 to 1."""
    place = int(sha256[:12], 16) / 16**12
    return (place - day * _GOLDEN) % 1


def _bad_rows(mirror: Mirror, kind: Kind, counts: dict[str, int]) -> Iterator[Damage]:
    """Rows of a kind that are not what `change` says.

    Args:
        mirror: to look at.
        kind: of the rows.
        counts: {kind, or what else: how many}, counted up while rows go by.
    """
    told = set()
    for source_id, key, problem in audit.mismatches(mirror, kind):
        told.add((source_id, key))
        yield Damage(kind.name, key, problem, source_id)
    for row in audit.rows(mirror, kind):
        is_stored = kind is not FILE or bool((row.document or {}).get("sha256"))
        counts[kind.name if is_stored else _NEVER] += 1
        problem = _row_problem(kind, row)
        if problem and (row.source_id, row.key) not in told:
            yield Damage(kind.name, row.key, problem, row.source_id)


def _blob_problem(store: FileStore, blob: KnownBlob, *, is_read: bool) -> str:
    """What is wrong with a blob, or ""."""
    if not is_name(blob.sha256):
        return "what is stored of it has no such name"
    problem = store.problem(blob.sha256, blob.size_bytes, is_read=is_read)
    return problem and f"{store.path(blob.sha256).relative_to(store.root)} {problem}"


def _integrity(mirror: Mirror) -> Iterator[Damage]:
    for problem in audit.integrity(mirror.engine):
        yield Damage("database", "integrity", problem)


def _bad_versions(mirror: Mirror, kind: Kind) -> Iterator[Damage]:
    problem = "a version of it in history is not what was seen then"
    for source_id, key in audit.bad_versions(mirror, kind):
        yield Damage(kind.name, key, problem, source_id)


def _broken_chains(mirror: Mirror) -> Iterator[Damage]:
    for kind, source_id, key, problem in ledger.broken_chains(mirror):
        yield Damage(kind, key, problem, source_id)


def _row_problem(kind: Kind, row: audit.Row) -> str:
    """What is wrong with a row, or ""."""
    if row.document is None:
        return "its document cannot be read, or is another object's"
    if kind.digest(row.document) != row.digest:
        return "the document is not the one of its last change"
    if kind.row(row.document) != row.columns:
        return "the columns do not follow from the document"
    return ""


def _bad_blobs(
    mirror: Mirror, store: FileStore, percent: float, read: list[str], watch: Watch
) -> Iterator[Damage]:
    total = audit.count_blobs(mirror)
    problem = "is not there" if store.is_missing() else "has none of them"
    if total and (store.is_missing() or (total > 1 and store.is_empty())):
        told = f"the folder of {counted(total, 'file')} {problem}; {HINT}"
        yield Damage(FILE.name, str(store.root), told)
        return
    day = (datetime.now(UTC) - _EPOCH).total_seconds() / 86_400
    next_one: KnownBlob | None = None
    for number, blob in enumerate(audit.blobs(mirror), start=1):
        watch("files", "check", number, total)
        is_read = is_name(blob.sha256) and is_due(blob.sha256, percent, day)
        if is_read:
            read.append(blob.sha256)
        elif is_name(blob.sha256) and (
            next_one is None or _wait(blob.sha256, day) < _wait(next_one.sha256, day)
        ):
            next_one = blob
        problem = _blob_problem(store, blob, is_read=is_read)
        # A prune may forget a file while all of them are looked at.
        if problem and audit.is_known(mirror, blob):
            yield Damage(FILE.name, blob.key, problem, sha256=blob.sha256)
    if percent and not read and next_one:
        # However few files there are, they come round, too.
        read.append(next_one.sha256)
        is_whole = not _blob_problem(store, next_one, is_read=False)
        if is_whole and (problem := _blob_problem(store, next_one, is_read=True)):
            yield Damage(FILE.name, next_one.key, problem, sha256=next_one.sha256)
