"""Finding what changed, set by set: memory stays flat and no lock is held while pages travel.

Each page is compared with the mirror as it arrives. What is new or different goes into a
temporary table, what is the same is only remembered as seen. `commit` then turns all of it into
changes and the projection, in one transaction for a kind and its children.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sync.batches import batches
from sync.change import CREATED, UPDATED
from sync.document import Document, canonical, parse
from sync.kind import Kind
from sync.kinds.file import FILE
from sync.link import FileRef
from sync.mirror.apply import FRESHENED, Stage, apply
from sync.mirror.bulk import TEXTS, as_object, as_parameter, given, given_texts, load, upsert
from sync.mirror.database import BATCH, by_key, writing
from sync.mirror.missing import Missing
from sync.mirror.tables import Tables, of_kind
from sync.mirror.values import KindResult, Tally, held, parsed, readable, storable_error
from sync.stop import Stop

# What one query takes, in objects and in characters; a listing may come all at once.
_PART, _PART_SIZE = 1000, 4 * 1024 * 1024


@dataclass(frozen=True)
class _Statements:
    """What is asked for every page; built once, because that takes longer than running it.

    Attributes:
        differing: those of the given keys of which the mirror has another document or none, each
            with the digest of its last change.
        see: notes those of the given keys that were never seen before.
        see_again: notes those that were, but not in this pass.
        drop: forgets what was staged of the given keys.
    """

    differing: sa.Select[Any]
    see: sa.Insert
    see_again: sa.Update
    drop: sa.Delete


class Staging:
    """What one snapshot sees of one source, until it is committed.

    Args:
        connection: used by this staging alone; its temporary tables live as long.
        tables: of the mirror.
        stages: {kind: its temporary tables}, which are made when they are needed.
        place: whose objects, and who sees them: the ids of a source and a snapshot.
        stop: held back while the database works.
    """

    def __init__(
        self,
        connection: sa.Connection,
        tables: Tables,
        stages: Mapping[str, Stage],
        place: tuple[int, int],
        stop: Stop,
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._all_stages = stages
        self._source_id, self._snapshot_id = place
        self._stop = stop
        self._stages: dict[str, tuple[Stage, _Statements]] = {}
        self._file_refs: sa.Table | None = None
        self._known: dict[str, bool] = {}

    def record(self, kind: Kind, documents: Iterable[Document], pass_number: int = 1) -> int:
        """Note objects as the remote shows them now; the last sight of each wins.

        Args:
            kind: of all of them.
            documents: as they may be kept.
            pass_number: which reading of the listing shows them.

        Returns:
            How many of them had not been seen yet in this pass.

        Raises:
            BadAnswer: a document has no usable key; nothing of this call is noted.
        """
        found = {kind.key_of(each): each for each in documents}
        return sum(self._record(kind, found, texts, pass_number) for texts in _parts(found))

    def _record(
        self,
        kind: Kind,
        documents: Mapping[str, Document],
        texts: Mapping[str, str],
        pass_number: int,
    ) -> int:
        """Note a part of what came: {key: document as canonical JSON}."""
        stage, ask = self._stage(kind)
        keys, number = as_parameter(texts), {"number": pass_number}
        run = self._connection.execute
        with self._transaction():
            found = run(ask.differing, {TEXTS: canonical(texts)}).scalar_one()
            new = run(ask.see, keys | number).rowcount
            if new < len(texts):
                new += run(ask.see_again, keys | number).rowcount
                run(stage.index)
                run(ask.drop, keys)
            rows = []
            for key, before in parse((found or "{}").encode()).items():
                document = documents[key]
                digest = kind.digest(document)
                op = FRESHENED if digest == before else UPDATED if before else CREATED
                rows.append((key, op, digest, *kind.row(document).values(), texts[key]))
            if rows:
                load(self._connection, stage.differs, rows)
        return new

    def absent(self, kind: Kind) -> Iterator[Document]:
        """Objects of the mirror that were not seen, as they were last; see `mirror/missing`."""
        if not self._is_known(kind):
            return
        table = self._stage(kind)[0].table
        query = self._missing(kind).absent(table.c.key, table.c.document)
        for row in by_key(self._all, query, table.c.key):
            yield held(row.document, kind.name, row.key)

    def has_absent(self, kind: Kind) -> bool:
        """Was any object not seen, whether it came back under another key or not?"""
        return next(self.absent(kind), None) is not None

    def count_missing(self, kind: Kind) -> tuple[int, int]:
        """How many objects the guard asks about, and of how many; see `mirror/missing`.

        What was written as gone since the last complete listing that was no restore's counts as
        absent still: nobody was asked about it, or the run that wrote it was cut.
        """
        if not self._is_known(kind):
            return 0, 0
        (found,) = self._all(self._missing(kind).numbers())
        return found.missing, found.there

    def name_missing(self, kind: Kind, number: int) -> list[str]:
        """What so many of those that `count_missing` counts were called last."""
        rows = self._all(self._missing(kind).some(number))
        return [kind.name_of(readable(row.document) or {}) or row.key for row in rows]

    def _is_known(self, kind: Kind) -> bool:
        """Did the mirror hold any of a kind before? Most agents have nothing of many kinds."""
        if kind.name not in self._known:
            change = self._tables.change
            any_of_it = sa.select(change.c.id).where(*of_kind(change, self._source_id, kind))
            self._known[kind.name] = bool(self._all(any_of_it.limit(1)))
        return self._known[kind.name]

    def _missing(self, kind: Kind) -> Missing:
        stage, _ = self._stage(kind)
        parents = self._stages[kind.parent.kind][0].seen if kind.parent else None
        return Missing(self._tables, self._source_id, stage, parents)

    def refer(self, refs: Iterable[tuple[FileRef, str]]) -> None:
        """Note files that documents refer to, each with the Memori it belongs to, or "".

        Of several documents that refer to one file, those count that say more of it.
        """
        table = self._refs()
        for part in batches(refs, BATCH):
            is_meant = table.c.key.in_({ref.key for ref, _ in part})
            with self._transaction():
                found = self._connection.execute(sa.select(table).where(is_meant))
                known = {row.key: (row.url, row.owner) for row in found}
                for ref, owner in part:
                    url, belongs_to = known.get(ref.key, ("", ""))
                    known[ref.key] = (ref.url or url, owner or belongs_to)
                rows = [{"key": key, "url": url, "owner": own} for key, (url, own) in known.items()]
                self._connection.execute(sa.delete(table).where(is_meant))
                self._connection.execute(sa.insert(table), rows)

    def count_unfetched(self, owner: str | None) -> int:
        """How many files are noted and not recorded yet; arguments as for `unfetched`."""
        refs, stage = self._refs(), self._stage(FILE)[0]
        query = sa.select(sa.func.count()).where(~sa.exists().where(stage.seen.c.key == refs.c.key))
        if owner is not None:
            query = query.where(refs.c.owner == owner)
        with self._transaction():
            return self._connection.execute(query).scalar_one()

    def unfetched(self, owner: str | None) -> Iterator[tuple[FileRef, str, Document]]:
        """Files noted and not recorded yet, each with its owner and what is known of it.

        Args:
            owner: only those that belong to this Memori; None for all.
        """
        refs, stage = self._refs(), self._stage(FILE)[0]
        same = sa.and_(stage.table.c.source_id == self._source_id, stage.table.c.key == refs.c.key)
        query = (
            sa.select(refs.c.key, refs.c.url, refs.c.owner, stage.table.c.document)
            .select_from(refs.outerjoin(stage.table, same))
            .where(~sa.exists().where(stage.seen.c.key == refs.c.key))
        )
        if owner is not None:
            query = query.where(refs.c.owner == owner)
        for row in by_key(self._all, query, refs.c.key):
            yield FileRef(row.key, row.url), row.owner, parsed(row.document) or {}

    def note_gone(self, kind: Kind, key: str) -> None:
        """Note an object as proven gone."""
        stage, _ = self._stage(kind)
        with self._transaction():
            self._connection.execute(sa.insert(stage.gone), {"key": key})

    def commit(
        self,
        kinds: Sequence[Kind],
        judge: Callable[[Mapping[str, Tally]], Mapping[str, KindResult]] = lambda _: {},
    ) -> Mapping[str, Tally]:
        """Write what was seen of a kind and its children; that ends the work on them.

        Args:
            kinds: a kind and its children, the parent first; none of them committed before.
            judge: tells of {kind: what came of it} how each went, which is noted with it.

        Returns:
            {kind: what came of it}.
        """
        is_staged = any(kind.name in self._stages for kind in kinds)
        stages = [self._stage(kind)[0] for kind in kinds] if is_staged else []
        place = (self._source_id, self._snapshot_id)
        with self._stop.shield(), writing(self._connection):
            self._take_children_along(stages)
            tallies = {kind.name: Tally() for kind in kinds} | {
                stage.kind.name: apply(self._connection, self._tables, stage, *place)
                for stage in stages
            }
            for name, result in judge(tallies).items():
                self._connection.execute(
                    sa.insert(self._tables.snapshot_kind).values(
                        snapshot_id=self._snapshot_id,
                        kind=name,
                        status=result.status,
                        error=storable_error(result.error),
                        **vars(result.tally),
                    )
                )
            return tallies

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._stop.shield(), self._connection.begin():
            yield

    def _all(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        with self._transaction():
            return self._connection.execute(query).all()

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
            with self._transaction():
                self._file_refs.create(self._connection, checkfirst=False)
        return self._file_refs

    def _stage(self, kind: Kind) -> tuple[Stage, _Statements]:
        if kind.name not in self._stages:
            stage = self._all_stages[kind.name]
            with self._transaction():
                stage.scratch.create_all(self._connection, checkfirst=False)
                self._stages[kind.name] = stage, self._statements(stage)
        return self._stages[kind.name]

    def _statements(self, stage: Stage) -> _Statements:
        table, seen, change = stage.table, stage.seen, self._tables.change
        dialect = self._connection.dialect
        keys = given(dialect)
        texts = given_texts(dialect)
        same = sa.and_(table.c.source_id == self._source_id, table.c.key == texts.c.key)
        differing = (
            sa.select(as_object(dialect, texts.c.key, change.c.digest))
            .select_from(texts.outerjoin(table, same))
            .outerjoin(change, change.c.id == table.c.change_id)
            .where(table.c.document.is_distinct_from(texts.c.value))
        )
        number = sa.bindparam("number", type_=sa.Integer)
        see = upsert(dialect, seen).from_select(
            ["key", "pass_number"], keys.add_columns(number).where(sa.true())
        )
        return _Statements(
            differing=differing,
            see=see.on_conflict_do_nothing().execution_options(preserve_rowcount=True),
            see_again=sa.update(seen)
            .where(seen.c.key.in_(keys), seen.c.pass_number != number)
            .values(pass_number=number),
            drop=sa.delete(stage.differs).where(stage.differs.c.key.in_(keys)),
        )

    def _take_children_along(self, stages: Sequence[Stage]) -> None:
        """Children of a parent that is gone are gone; those seen under another one are not."""
        for child in stages[1:]:
            with_parent = sa.select(child.table.c.key).where(
                child.table.c.source_id == self._source_id,
                child.parent_key.in_(sa.select(stages[0].gone.c.key)),
                ~sa.exists().where(child.seen.c.key == child.table.c.key),
            )
            self._connection.execute(sa.insert(child.gone).from_select(["key"], with_parent))


def _parts(documents: Mapping[str, Document]) -> Iterator[dict[str, str]]:
    """Documents as canonical JSON, in parts that a query takes."""
    part: dict[str, str] = {}
    size = 0
    for key, document in documents.items():
        part[key] = canonical(document)
        size += len(part[key])
        if len(part) == _PART or size > _PART_SIZE:
            yield part
            part, size = {}, 0
    if part:
        yield part
