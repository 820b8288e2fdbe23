"""Turning what was staged into changes and the projection: set by set, in one transaction."""

from typing import Any

import sqlalchemy as sa

from sync.change import CREATED, DELETED, UPDATED
from sync.kind import Kind, parent_of
from sync.mirror.bulk import analyse, upsert
from sync.mirror.tables import Tables, of_kind, typed_columns
from sync.mirror.values import Tally

FRESHENED = "freshened"
"""What differs in nothing that is a change; only the projection follows."""


class Stage:
    """The temporary tables of one kind: what differs, what was seen, what is gone.

    Args:
        kind: whose objects.
        table: what is there now of that kind.
    """

    def __init__(self, kind: Kind, table: sa.Table) -> None:
        self.kind = kind
        self.table = table
        self.scratch = sa.MetaData()
        names = ("key", "op", "digest")
        # Without an index at first: what is only added to goes in several times as fast.
        self.differs = self._temporary(
            "stage",
            *(sa.Column(name, sa.Text) for name in names),
            *typed_columns(kind),
            sa.Column("document", sa.Text),
        )
        self.seen = self._temporary("seen", _key(), sa.Column("pass_number", sa.Integer))
        self.gone = self._temporary("gone", _key())

    @property
    def index(self) -> sa.TextClause:
        """Makes what was staged easy to find by its key."""
        name = self.differs.name
        return sa.text(f"CREATE INDEX IF NOT EXISTS ix_{name} ON {name} (key)")

    @property
    def parent_key(self) -> sa.Column[Any]:
        """Where a child's row names its parent."""
        column, _ = self.kind.columns[parent_of(self.kind).key]
        return self.table.c[column]

    def _temporary(self, name: str, *columns: sa.Column[Any]) -> sa.Table:
        name = f"{name}_{self.kind.name}"
        return sa.Table(name, self.scratch, *columns, prefixes=["TEMPORARY"])


def _key() -> sa.Column[str]:
    return sa.Column("key", sa.Text, primary_key=True)


def apply(
    connection: sa.Connection, tables: Tables, stage: Stage, source_id: int, snapshot_id: int
) -> Tally:
    """Write what was staged of a kind, once: the stage is left as it is.

    Args:
        connection: in a transaction that writes.
        tables: of the mirror.
        stage: of one kind.
        source_id: whose objects.
        snapshot_id: who saw them.
    """
    counts = (sa.select(sa.func.count()).select_from(each) for each in (stage.differs, stage.gone))
    listed = connection.execute(sa.select(sa.func.count()).select_from(stage.seen)).scalar_one()
    if not any(connection.execute(count).scalar_one() for count in counts):
        return Tally(listed, unchanged=listed)
    # What was seen after all is not gone.
    connection.execute(
        sa.delete(stage.gone).where(stage.gone.c.key.in_(sa.select(stage.seen.c.key)))
    )
    connection.execute(stage.index)
    analyse(connection, stage.differs, stage.seen, stage.gone)
    _know_again(connection, tables.change, stage, source_id)
    changed = _write_changes(connection, tables.change, stage, source_id, snapshot_id)
    _project(connection, tables.change, stage, source_id, snapshot_id)
    unchanged = listed - changed[CREATED] - changed[UPDATED]
    return Tally(listed, changed[CREATED], changed[UPDATED], changed[DELETED], unchanged)


def _know_again(connection: sa.Connection, change: sa.Table, stage: Stage, source_id: int) -> None:
    """What history knows is not new, though its row is gone: a row that was lost comes back."""
    differs = stage.differs
    mine = of_kind(change, source_id, stage.kind)
    if not connection.execute(sa.select(sa.exists().where(*mine))).scalar_one():
        return
    lives = (*mine, change.c.superseded_in.is_(None), change.c.op != DELETED)
    head = sa.select(change.c.digest).where(*lives, change.c.key == differs.c.key)
    op = sa.case((head.scalar_subquery() == differs.c.digest, FRESHENED), else_=UPDATED)
    connection.execute(
        sa.update(differs).where(differs.c.op == CREATED, head.exists()).values(op=op)
    )


def _write_changes(
    connection: sa.Connection, change: sa.Table, stage: Stage, source_id: int, snapshot_id: int
) -> dict[str, int]:
    """Close what stood last of each object that changed, and write what stands from now on."""
    differs, gone = stage.differs, stage.gone
    head = (sa.literal(source_id), sa.literal(snapshot_id), sa.literal(stage.kind.name))
    is_change = differs.c.op != FRESHENED
    mine = of_kind(change, source_id, stage.kind)
    for touched in (sa.and_(change.c.key == differs.c.key, is_change), change.c.key == gone.c.key):
        connection.execute(
            sa.update(change)
            .where(*mine, touched, change.c.superseded_in.is_(None))
            .values(superseded_in=snapshot_id)
        )
    # In the order of the indices, which take sorted keys much faster.
    seen = (
        sa.select(*head, differs.c.key, differs.c.op, differs.c.digest, differs.c.document)
        .where(is_change)
        .order_by(differs.c.key)
    )
    was_there = sa.exists().where(
        stage.table.c.source_id == source_id, stage.table.c.key == gone.c.key
    )
    lost = sa.select(*head, gone.c.key, sa.literal(DELETED), sa.null(), sa.null()).where(was_there)
    columns = ["source_id", "snapshot_id", "kind", "key", "op", "digest", "document"]
    for rows in (seen, lost):
        connection.execute(sa.insert(change).from_select(columns, rows))
    per_op = (
        sa.select(change.c.op, sa.func.count().label("objects"))
        .where(*mine, change.c.snapshot_id == snapshot_id)
        .group_by(change.c.op)
    )
    found = {row.op: row.objects for row in connection.execute(per_op)}
    return {op: found.get(op, 0) for op in (CREATED, UPDATED, DELETED)}


def _project(
    connection: sa.Connection, change: sa.Table, stage: Stage, source_id: int, snapshot_id: int
) -> None:
    """Make the kind's table what is there now."""
    table, differs = stage.table, stage.differs
    mine = table.c.source_id == source_id
    connection.execute(sa.delete(table).where(mine, table.c.key.in_(sa.select(stage.gone.c.key))))
    names = [column.name for column in table.c if column.name not in ("source_id", "change_id")]
    same_object = sa.and_(mine, table.c.key == differs.c.key)
    new = sa.and_(
        *of_kind(change, source_id, stage.kind),
        change.c.key == differs.c.key,
        change.c.snapshot_id == snapshot_id,
    )
    before = sa.select(table.c.change_id).where(same_object).scalar_subquery()
    history = change.alias()
    head = sa.select(sa.func.max(history.c.id)).where(
        *of_kind(history, source_id, stage.kind), history.c.key == differs.c.key
    )
    rows = (
        sa.select(
            sa.literal(source_id),
            sa.func.coalesce(change.c.id, before, head.scalar_subquery()),
            *(differs.c[name] for name in names),
        )
        .select_from(differs.outerjoin(change, new))
        .where(sa.true())
        .order_by(differs.c.key)
    )
    put = upsert(connection.dialect, table).from_select(["source_id", "change_id", *names], rows)
    over = {name: put.excluded[name] for name in ("change_id", *names) if name != "key"}
    connection.execute(put.on_conflict_do_update(index_elements=["source_id", "key"], set_=over))
