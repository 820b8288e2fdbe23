"""Reading the mirror against itself: integrity, and the projection against `change`."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sync.batches import batches
from sync.change import DELETED
from sync.document import Document
from sync.kind import Kind
from sync.kinds.file import FILE
from sync.mirror.database import BATCH, by_key
from sync.mirror.mirror import Mirror
from sync.mirror.values import Source, own_document, proven_document, readable


@dataclass(frozen=True)
class Row:
    """An object as its table holds it.

    Attributes:
        source_id: whose object it is.
        document: None if it is not the object's any more.
        digest: of its last change.
        columns: {column: value} of the typed columns.
    """

    source_id: int
    key: str
    document: Document | None
    digest: str | None
    columns: dict[str, Any]


@dataclass(frozen=True)
class KnownBlob:
    """A blob that history refers to, now or in the past.

    Attributes:
        size_bytes: None where history does not say.
        key: of a file that it is, or was.
        change_id: of a version that says so.
    """

    sha256: str
    size_bytes: int | None
    key: str
    change_id: int


@dataclass(frozen=True)
class Place:
    """Where a blob was found.

    Attributes:
        key: of the file.
        url: of the file, "" if only the Backend has it.
    """

    sha256: str
    source_id: int
    key: str
    url: str


def integrity(engine: sa.Engine) -> Iterator[str]:
    """What the database itself finds wrong; PostgreSQL has no such question."""
    if engine.dialect.name != "sqlite":
        return
    with engine.connect() as connection:
        for line in connection.exec_driver_sql("PRAGMA integrity_check").scalars():
            if line != "ok":
                yield line
        for row in connection.exec_driver_sql("PRAGMA foreign_key_check"):
            yield f"{row[0]}, row {row[1]}: its {row[2]} is not there"


def mismatches(mirror: Mirror, kind: Kind) -> list[tuple[int, str, str]]:
    """Objects whose row is not the one that `change` says: (source id, key, problem)."""
    change, table = mirror.tables.change, mirror.tables.kinds[kind.name]
    current = (
        sa.select(change.c.id, change.c.source_id, change.c.key)
        .where(change.c.kind == kind.name, change.c.superseded_in.is_(None))
        .where(change.c.op != DELETED)
        .subquery()
    )
    queries = {
        "its row is not there": sa.select(current.c.source_id, current.c.key)
        .outerjoin(table, _same(table, current))
        .where(table.c.key.is_(None)),
        "its row is not of its last change": sa.select(table.c.source_id, table.c.key)
        .outerjoin(current, _same(table, current))
        .where(current.c.id.is_(None)),
    }
    return [
        (row.source_id, row.key, problem)
        for problem, query in queries.items()
        for row in mirror.rows(query)
    ]


def bad_versions(mirror: Mirror, kind: Kind) -> Iterator[tuple[int, str]]:
    """Objects with a version in history that is not what was seen then: (source id, key)."""
    change = mirror.tables.change
    columns = (change.c.id, change.c.source_id, change.c.key, change.c.document, change.c.digest)
    query = sa.select(*columns).where(change.c.kind == kind.name, change.c.op != DELETED)
    for row in by_key(mirror.all, query, change.c.id):
        if proven_document(kind, row.key, row.document, row.digest) is None:
            yield row.source_id, row.key


def rows(mirror: Mirror, kind: Kind) -> Iterator[Row]:
    """All objects of a kind, over all sources, in batches."""
    change, table = mirror.tables.change, mirror.tables.kinds[kind.name]
    names = [column for column, _ in kind.columns.values()]
    own = (table.c.source_id, table.c.key, table.c.document, change.c.digest)
    query = sa.select(*own, *(table.c[name] for name in names)).join(
        change, change.c.id == table.c.change_id
    )
    for row in by_key(mirror.all, query, table.c.source_id, table.c.key):
        columns = dict(zip(names, row[len(own) :], strict=True))
        document = own_document(kind, row.key, row.document)
        yield Row(row.source_id, row.key, document, row.digest, columns)


def count(mirror: Mirror, source: Source, kind: Kind) -> int:
    """How many objects of a kind a source has now."""
    table = mirror.tables.kinds[kind.name]
    query = sa.select(sa.func.count()).where(table.c.source_id == source.id)
    with mirror.engine.connect() as connection:
        return connection.execute(query).scalar_one()


def sample(mirror: Mirror, source: Source, kind: Kind, number: int) -> list[Document]:
    """Some of the objects of a kind that a source has now, picked by chance.

    Args:
        mirror: to pick from.
        source: whose objects.
        kind: of which kind.
        number: how many at most.
    """
    table = mirror.tables.kinds[kind.name]
    is_own = table.c.source_id == source.id
    keys = sa.select(table.c.key).where(is_own).order_by(sa.func.random()).limit(number)
    texts = sa.select(table.c.document).where(is_own, table.c.key.in_(keys))
    return [found for row in mirror.rows(texts) if (found := readable(row.document)) is not None]


def sample_files(mirror: Mirror, number: int, size_bytes: int) -> list[Place]:
    """Where some of the blobs are that documents refer to now, picked by chance.

    Args:
        mirror: to pick from.
        number: how many blobs at most.
        size_bytes: of the largest.
    """
    file = mirror.tables.kinds[FILE.name]
    blobs = (
        sa.select(file.c.sha256)
        .where(file.c.size_bytes <= size_bytes)
        .group_by(file.c.sha256)
        .order_by(sa.func.random())
        .limit(number)
    )
    columns = (file.c.sha256, file.c.source_id, file.c.key, file.c.url)
    query = sa.select(*columns).where(file.c.sha256.in_(blobs)).order_by(file.c.sha256, file.c.key)
    return [Place(row.sha256, row.source_id, row.key, row.url or "") for row in mirror.rows(query)]


def blobs(mirror: Mirror) -> Iterator[KnownBlob]:
    """Every blob that any version of any file refers to, each once."""
    change, (sha256, is_version) = mirror.tables.change, _blob_name(mirror)
    first = sa.select(sa.func.min(change.c.id)).where(is_version).group_by(sha256)
    # No transaction stays open while files are read: 8 bytes for each are kept instead.
    ids = array("q", (row[0] for row in mirror.rows(first)))
    query = sa.select(change.c.id, change.c.key, change.c.document, sha256.label("sha256"))
    for batch in batches(ids, BATCH):
        for row in mirror.all(query.where(change.c.id.in_(batch))):
            # A document that is damaged elsewhere may still say which bytes it means.
            document = readable(row.document)
            name = row.sha256 if document is None else document.get("sha256")
            if isinstance(name, str) and not name.startswith(_NONE):
                size_bytes = (document or {}).get("size_bytes")
                known = size_bytes if isinstance(size_bytes, int) else None
                yield KnownBlob(name, known, str(row.key), row.id)


def count_blobs(mirror: Mirror) -> int:
    """How many versions of files have bytes of their own, about."""
    sha256, is_version = with_bytes(mirror)
    query = sa.select(sa.func.count(sha256.distinct())).where(is_version)
    with mirror.engine.connect() as connection:
        return connection.execute(query).scalar_one()


def places(mirror: Mirror, sha256: str) -> list[Place]:
    """Where a blob was found, the latest first."""
    change, (name, is_version) = mirror.tables.change, _blob_name(mirror)
    query = (
        sa.select(change.c.source_id, change.c.key, change.c.document)
        .where(is_version, name == sha256)
        .order_by(change.c.id.desc())
    )
    found: dict[Place, None] = {}
    for row in mirror.rows(query):
        if document := own_document(FILE, row.key, row.document):
            url = document.get("url")
            place = Place(sha256, row.source_id, row.key, url if isinstance(url, str) else "")
            found[place] = None
    return list(found)


def with_bytes(mirror: Mirror) -> tuple[sa.ColumnElement[str], sa.ColumnElement[bool]]:
    """The hash in a version of a file, and what is a version that names one."""
    name, is_version = _blob_name(mirror)
    return name, sa.and_(is_version, _mark(mirror) > 0)


def is_known(mirror: Mirror, blob: KnownBlob) -> bool:
    """Does history still refer to a blob, or was it forgotten since that was asked?"""
    change = mirror.tables.change
    version = sa.select(change.c.id).where(change.c.id == blob.change_id)
    return bool(mirror.all(version) or places(mirror, blob.sha256))


_NONE = "-"
"""What the names of versions begin with that say of no bytes."""
_NAME_BEGINS = '"sha256":"'


def _mark(mirror: Mirror) -> sa.ColumnElement[int]:
    """Where in a version's text the hash of its bytes is named, 0 where it is not."""
    is_sqlite = mirror.engine.dialect.name == "sqlite"
    find = sa.func.instr if is_sqlite else sa.func.strpos
    return find(mirror.tables.change.c.document, _NAME_BEGINS, type_=sa.Integer)


def _blob_name(mirror: Mirror) -> tuple[sa.ColumnElement[str], sa.ColumnElement[bool]]:
    """The hash in a version of a file, and what is one.

    It is cut out of the text: no database fails over a text that is no JSON any more.
    """
    change, mark = mirror.tables.change, _mark(mirror)
    cut = sa.func.substr(change.c.document, mark + len(_NAME_BEGINS), 64)
    # Without a hash each version stands for itself, so that none is passed over.
    own = sa.literal(_NONE) + sa.cast(change.c.id, sa.Text)
    name = sa.case((mark > 0, sa.cast(cut, sa.Text)), else_=own)
    return name, sa.and_(change.c.kind == FILE.name, change.c.op != DELETED)


def _same(table: sa.Table, current: sa.Subquery) -> sa.ColumnElement[bool]:
    return sa.and_(
        table.c.change_id == current.c.id,
        table.c.source_id == current.c.source_id,
        table.c.key == current.c.key,
    )
