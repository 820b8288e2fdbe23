"""Finding what changed, set by set: memory stays flat and no lock is held while pages travel.

Each page is compared with the mirror as it arrives. What is new or different goes into a
temporary table, what is the same is only remembered as seen. `commit` then turns all of it into
changes and the projection, in one transaction for a kind and its children.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import sqlalchemy as sa

from sync.document import Document, canonical, parse
from sync.kind import Kind
from sync.kinds.file import FILE
from sync.link import FileRef
from sync.mirror.database import writing
from sync.mirror.tables import Tables, typed_columns

_BATCH = 500


@dataclass(frozen=True)
class Tally:
    """What a listing of one kind brought.

    Attributes:
        listed: distinct objects seen.
    """

    listed: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0


@dataclass(frozen=True)
class _Stage:
    """The temporary tables of one kind, and the table they lead to."""

    kind: Kind
    table: sa.Table
    differs: sa.Table
    seen: sa.Table
    gone: sa.Table


class Staging:
    """What one snapshot sees of one source, until it is committed.

    Args:
        connection: used by this staging alone; its temporary tables live as long.
        tables: of the mirror.
        source_id: whose objects.
        snapshot_id: who sees them.
    """

    def __init__(
        self, connection: sa.Connection, tables: Tables, source_id: int, snapshot_id: int
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._source_id = source_id
        self._snapshot_id = snapshot_id
        self._stages: dict[str, _Stage] = {}
        self._file_refs: sa.Table | None = None

    def record(self, kind: Kind, documents: Iterable[Document]) -> int:
        """Note objects as the remote shows them now; the last sight of each wins.

        Returns:
            How many of them had not been seen yet.

        Raises:
            BadAnswer: a document has no usable key; nothing of this call is noted.
        """
        texts = {kind.key_of(each): (canonical(each), each) for each in documents}
        return sum(self._record(self._stage(kind), part) for part in _parts(texts))

    def _record(self, stage: _Stage, texts: Mapping[str, tuple[str, Document]]) -> int:
        kind = stage.kind
        with self._connection.begin():
            known = self._known(stage, list(texts))
            new = self._see(stage, list(texts))
            same = [key for key, (text, _) in texts.items() if known.get(key) == text]
            self._connection.execute(sa.delete(stage.differs).where(stage.differs.c.key.in_(texts)))
            rows = [
                {
                    "key": key,
                    "digest": kind.digest(document),
                    "document": text,
                    **kind.row(document),
                }
                for key, (text, document) in texts.items()
                if key not in set(same)
            ]
            if rows:
                self._connection.execute(sa.insert(stage.differs), rows)
        return new

    def absent(self, kind: Kind) -> Iterator[Document]:
        """Objects of the mirror that were not seen, as they were last.

        Children are absent only from a parent that was seen: those of a parent that is gone go
        with it, and those of any other parent were not looked at.
        """
        stage = self._stage(kind)
        table, seen = stage.table, stage.seen
        query = (
            sa.select(table.c.key, table.c.document)
            .where(table.c.source_id == self._source_id)
            .where(~sa.exists().where(seen.c.key == table.c.key))
            .order_by(table.c.key)
            .limit(_BATCH)
        )
        if kind.parent:
            parents = self._stages[kind.parent.kind].seen
            query = query.where(sa.exists().where(parents.c.key == self._parent_of(stage)))
        for row in self._by_key(query, table.c.key):
            yield parse(row.document.encode())

    def refer(self, refs: Iterable[tuple[FileRef, str]]) -> None:
        """Note files that documents refer to, each with the Memori it belongs to, or ""."""
        table = self._refs()
        rest = iter(refs)
        while part := {ref.key: (ref, owner) for ref, owner in islice(rest, _BATCH)}:
            rows = [{"key": ref.key, "url": ref.url, "owner": own} for ref, own in part.values()]
            with self._connection.begin():
                self._connection.execute(sa.delete(table).where(table.c.key.in_(part)))
                self._connection.execute(sa.insert(table), rows)

    def count_unfetched(self, owner: str | None) -> int:
        """How many files are noted and not recorded yet; arguments as for `unfetched`."""
        refs, stage = self._refs(), self._stage(FILE)
        query = sa.select(sa.func.count()).where(~sa.exists().where(stage.seen.c.key == refs.c.key))
        if owner is not None:
            query = query.where(refs.c.owner == owner)
        with self._connection.begin():
            return self._connection.execute(query).scalar_one()

    def unfetched(self, owner: str | None) -> Iterator[tuple[FileRef, str, Document]]:
        """Files noted and not recorded yet, each with its owner and what is known of it.

        Args:
            owner: only those that belong to this Memori; None for all.
        """
        refs, stage = self._refs(), self._stage(FILE)
        same = sa.and_(stage.table.c.source_id == self._source_id, stage.table.c.key == refs.c.key)
        query = (
            sa.select(refs.c.key, refs.c.url, refs.c.owner, stage.table.c.document)
            .select_from(refs.outerjoin(stage.table, same))
            .where(~sa.exists().where(stage.seen.c.key == refs.c.key))
            .order_by(refs.c.key)
            .limit(_BATCH)
        )
        if owner is not None:
            query = query.where(refs.c.owner == owner)
        for row in self._by_key(query, refs.c.key):
            known = parse(row.document.encode()) if row.document else {}
            yield FileRef(row.key, row.url), row.owner, known

    def note_gone(self, kind: Kind, key: str) -> None:
        """Note an object as proven gone."""
        stage = self._stage(kind)
        with self._connection.begin():
            self._connection.execute(sa.insert(stage.gone), {"key": key})

    def commit(self, kinds: Sequence[Kind]) -> Mapping[str, Tally]:
        """Write what was seen of a kind and its children, and forget it here.

        Args:
            kinds: a kind and its children, the parent first.

        Returns:
            {kind: what came of it}.
        """
        stages = [self._stage(kind) for kind in kinds]
        with writing(self._connection):
            self._take_children_along(stages)
            return {stage.kind.name: self._apply(stage) for stage in stages}

    def _by_key(self, query: sa.Select[Any], key: sa.Column[str]) -> Iterator[sa.Row[Any]]:
        """The rows of a query in batches, so that no transaction stays open between them."""
        after = ""
        while True:
            with self._connection.begin():
                batch = self._connection.execute(query.where(key > after)).all()
            yield from batch
            if len(batch) < _BATCH:
                return
            after = batch[-1].key

    def _refs(self) -> sa.Table:
        if self._file_refs is None:
            self._file_refs = sa.Table(
                "file_ref",
                sa.MetaData(),
                sa.Column("key", sa.Text, primary_key=True),
                sa.Column("url", sa.Text),
                sa.Column("owner", sa.Text),
                prefixes=["TEMPORARY"],
            )
            with self._connection.begin():
                self._file_refs.create(self._connection, checkfirst=False)
        return self._file_refs

    def _stage(self, kind: Kind) -> _Stage:
        if kind.name not in self._stages:
            scratch = sa.MetaData()
            stage = _Stage(
                kind=kind,
                table=self._tables.kinds[kind.name],
                differs=sa.Table(
                    f"stage_{kind.name}",
                    scratch,
                    sa.Column("key", sa.Text, primary_key=True),
                    sa.Column("digest", sa.Text),
                    sa.Column("document", sa.Text),
                    *typed_columns(kind),
                    prefixes=["TEMPORARY"],
                ),
                seen=_keys(f"seen_{kind.name}", scratch),
                gone=_keys(f"gone_{kind.name}", scratch),
            )
            with self._connection.begin():
                scratch.create_all(self._connection, checkfirst=False)
            self._stages[kind.name] = stage
        return self._stages[kind.name]

    def _known(self, stage: _Stage, keys: list[str]) -> dict[str, str]:
        table = stage.table
        query = sa.select(table.c.key, table.c.document).where(
            table.c.source_id == self._source_id, table.c.key.in_(keys)
        )
        return {row.key: row.document for row in self._connection.execute(query)}

    def _see(self, stage: _Stage, keys: list[str]) -> int:
        again = self._connection.execute(sa.delete(stage.seen).where(stage.seen.c.key.in_(keys)))
        self._connection.execute(sa.insert(stage.seen), [{"key": key} for key in keys])
        return len(keys) - again.rowcount

    def _parent_of(self, stage: _Stage) -> sa.ColumnElement[str]:
        parent = stage.kind.parent
        if parent is None:
            raise ValueError(f"{stage.kind.name} has no parent")
        column, _ = stage.kind.columns[parent.key]
        return stage.table.c[column]

    def _take_children_along(self, stages: Sequence[_Stage]) -> None:
        """Children of a parent that is gone are gone; those seen under another one are not."""
        for child in stages[1:]:
            with_parent = sa.select(child.table.c.key).where(
                child.table.c.source_id == self._source_id,
                self._parent_of(child).in_(sa.select(stages[0].gone.c.key)),
                ~sa.exists().where(child.seen.c.key == child.table.c.key),
            )
            self._connection.execute(sa.insert(child.gone).from_select(["key"], with_parent))

    def _apply(self, stage: _Stage) -> Tally:
        self._write_changes(stage)
        self._supersede(stage)
        self._project(stage)
        tally = self._tally(stage)
        for scratch in (stage.differs, stage.seen, stage.gone):
            self._connection.execute(sa.delete(scratch))
        return tally

    def _write_changes(self, stage: _Stage) -> None:
        change, table, differs = self._tables.change, stage.table, stage.differs
        columns = ["source_id", "snapshot_id", "kind", "key", "op", "digest", "document"]
        head = (
            sa.literal(self._source_id),
            sa.literal(self._snapshot_id),
            sa.literal(stage.kind.name),
        )
        same_object = sa.and_(table.c.source_id == self._source_id, table.c.key == differs.c.key)
        op = sa.case((table.c.key.is_(None), "created"), else_="updated")
        seen = (
            sa.select(*head, differs.c.key, op, differs.c.digest, differs.c.document)
            .select_from(
                differs.outerjoin(table, same_object).outerjoin(
                    change, change.c.id == table.c.change_id
                )
            )
            .where(sa.or_(table.c.key.is_(None), change.c.digest != differs.c.digest))
        )
        gone = sa.select(
            *head, stage.gone.c.key, sa.literal("deleted"), sa.null(), sa.null()
        ).where(
            sa.exists().where(table.c.source_id == self._source_id, table.c.key == stage.gone.c.key)
        )
        for rows in (seen, gone):
            self._connection.execute(sa.insert(change).from_select(columns, rows))

    def _supersede(self, stage: _Stage) -> None:
        """Close what stood last of each object that changed, a deletion included."""
        change = self._tables.change
        new = self._new_changes(stage).subquery()
        self._connection.execute(
            sa.update(change)
            .where(
                change.c.source_id == self._source_id,
                change.c.kind == stage.kind.name,
                change.c.key.in_(sa.select(new.c.key)),
                change.c.superseded_in.is_(None),
                change.c.snapshot_id != self._snapshot_id,
            )
            .values(superseded_in=self._snapshot_id)
        )

    def _project(self, stage: _Stage) -> None:
        table, differs = stage.table, stage.differs
        new = self._new_changes(stage).subquery()
        names = [column.name for column in differs.c if column.name not in ("key", "digest")]
        mine = table.c.source_id == self._source_id
        newest = sa.select(new.c.id).where(new.c.key == table.c.key).scalar_subquery()
        self._connection.execute(
            sa.delete(table).where(mine, table.c.key.in_(sa.select(stage.gone.c.key)))
        )
        self._connection.execute(
            sa.update(table)
            .where(mine, table.c.key == differs.c.key)
            .values(
                change_id=sa.func.coalesce(newest, table.c.change_id),
                **{name: differs.c[name] for name in names},
            )
        )
        fresh = (
            sa.select(
                sa.literal(self._source_id),
                differs.c.key,
                new.c.id,
                *(differs.c[name] for name in names),
            )
            .join(new, new.c.key == differs.c.key)
            .where(~sa.exists().where(mine, table.c.key == differs.c.key).correlate(differs))
        )
        self._connection.execute(
            sa.insert(table).from_select(["source_id", "key", "change_id", *names], fresh)
        )

    def _new_changes(self, stage: _Stage) -> sa.Select[Any]:
        change = self._tables.change
        return sa.select(change.c.id, change.c.key, change.c.op).where(
            change.c.source_id == self._source_id,
            change.c.snapshot_id == self._snapshot_id,
            change.c.kind == stage.kind.name,
        )

    def _tally(self, stage: _Stage) -> Tally:
        new = self._new_changes(stage).subquery()
        per_op = sa.select(new.c.op, sa.func.count().label("objects")).group_by(new.c.op)
        ops = {row.op: row.objects for row in self._connection.execute(per_op)}
        count = sa.select(sa.func.count()).select_from(stage.seen)
        listed = self._connection.execute(count).scalar_one()
        return Tally(
            listed=listed,
            created=ops.get("created", 0),
            updated=ops.get("updated", 0),
            deleted=ops.get("deleted", 0),
            unchanged=listed - ops.get("created", 0) - ops.get("updated", 0),
        )


def _parts(
    texts: Mapping[str, tuple[str, Document]],
) -> Iterator[Mapping[str, tuple[str, Document]]]:
    """Parts that a database takes the keys of in one query; a listing may come all at once."""
    rest = iter(texts.items())
    while part := dict(islice(rest, _BATCH)):
        yield part


def _keys(name: str, scratch: sa.MetaData) -> sa.Table:
    return sa.Table(
        name, scratch, sa.Column("key", sa.Text, primary_key=True), prefixes=["TEMPORARY"]
    )
