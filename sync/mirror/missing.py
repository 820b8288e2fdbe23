"""What of a kind is not there any more, and what of that the guard asks about (design 6.2).

It asks about nothing that is known otherwise: what came back under another key, and what a restore
of ours deleted. It does ask about what a restore's listing found gone and wrote down, since nobody
was asked then.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sync.change import DELETED
from sync.kind import Scope
from sync.mirror.apply import Stage
from sync.mirror.tables import Tables, is_backup, of_kind
from sync.mirror.values import DONE, Status
from sync.order import DELETE


@dataclass(frozen=True)
class Missing:
    """Queries for what is missing of one kind of one source.

    Attributes:
        tables: of the mirror.
        source_id: whose objects.
        stage: what was seen of them.
        parents: what was seen of their parents, if they have any.
    """

    tables: Tables
    source_id: int
    stage: Stage
    parents: sa.Table | None

    def absent(self, *what: Any) -> sa.Select[Any]:
        """Objects of the mirror that were not seen.

        Children are absent only from a parent that was seen: those of a parent that is gone go
        with it, and those of any other parent were not looked at.
        """
        seen, table = self.stage.seen, self.stage.table
        return self._due(*what).where(~sa.exists().where(seen.c.key == table.c.key))

    def numbers(self) -> sa.Select[Any]:
        """One row: how many are `missing`, and of how many that were `there`."""
        count, held, written = sa.func.count(), self.stage.table.c.key, self._change.c.key
        missing = [self.absent(count).where(*self._in_doubt(held))]
        # What came back counts under its new key, or under the old one until that is known.
        there = [
            self._due(count).where(*self._in_doubt(held)),
            self._due(count).where(self._came_just_now(held)),
        ]
        if self.parents is None:
            unasked = self._unasked(count).where(*self._in_doubt(written))
            missing.append(unasked)
            there += [unasked, self._unasked(count).where(self._came_just_now(written))]
        columns: list[Any] = [_sum(missing).label("missing"), _sum(there).label("there")]
        return sa.select(*columns)

    def some(self, number: int) -> sa.Select[Any]:
        """So many of the missing: `key`, and `document` as it was last, if that is still known."""
        table, change, before = self.stage.table, self._change, self.tables.change.alias()
        parts = [self.absent(table.c.key, table.c.document).where(*self._in_doubt(table.c.key))]
        if self.parents is None:
            last = sa.and_(
                *of_kind(before, self.source_id, self.stage.kind),
                before.c.key == change.c.key,
                before.c.superseded_in == change.c.snapshot_id,
            )
            unasked = self._unasked(change.c.key, before.c.document)
            parts.append(
                unasked.select_from(change.outerjoin(before, last)).where(
                    *self._in_doubt(change.c.key)
                )
            )
        found = sa.union_all(*parts).subquery()
        return sa.select(found).order_by(found.c.key).limit(number)

    @property
    def _change(self) -> sa.Table:
        return self.tables.change

    def _due(self, *what: Any) -> sa.Select[Any]:
        """The objects that a whole listing would show if none was gone."""
        query = sa.select(*what).where(self.stage.table.c.source_id == self.source_id)
        if self.parents is not None:
            query = query.where(sa.exists().where(self.parents.c.key == self.stage.parent_key))
        return query

    def _unasked(self, *what: Any) -> sa.Select[Any]:
        """What was written as gone and nobody was asked about, or by a run that was cut."""
        return sa.select(*what).where(
            *of_kind(self._change, self.source_id, self.stage.kind),
            self._change.c.op == DELETED,
            self._change.c.superseded_in.is_(None),
            self._change.c.snapshot_id > self._last_asked(),
        )

    def _last_asked(self) -> sa.ScalarSelect[int]:
        """The last snapshot that listed the kind completely, and that was no restore's."""
        snapshot, listed = self.tables.snapshot, self.tables.snapshot_kind
        return (
            sa.select(sa.func.coalesce(sa.func.max(snapshot.c.id), 0))
            .join(listed, listed.c.snapshot_id == snapshot.c.id)
            .where(snapshot.c.source_id == self.source_id, listed.c.kind == self.stage.kind.name)
            .where(listed.c.status == Status.COMPLETE, is_backup(snapshot))
            .scalar_subquery()
        )

    def _in_doubt(self, key: sa.Column[str]) -> tuple[sa.ColumnElement[bool], ...]:
        return key.not_in(self._deleted_by_us()), ~self._came_back(key)

    def _came_just_now(self, key: sa.Column[str]) -> sa.Exists:
        """Did it come back under a key that is seen, and that the mirror does not hold yet?"""
        key_map, seen, table = self.tables.key_map, self.stage.seen, self.stage.table
        is_held = sa.exists().where(
            table.c.source_id == self.source_id, table.c.key == key_map.c.new_key
        )
        return self._came_back(key).where(seen.c.key == key_map.c.new_key, ~is_held)

    def _came_back(self, key: sa.Column[str]) -> sa.Exists:
        kind, key_map = self.stage.kind, self.tables.key_map
        found = sa.exists().where(key_map.c.kind == kind.name, key_map.c.old_key == key)
        # What came back into one Memori is gone from another; the account has no map of its own.
        is_mine = key_map.c.source_id == self.source_id
        return found.where(is_mine) if kind.scope is Scope.MEMORI else found

    def _deleted_by_us(self) -> sa.Select[Any]:
        """Keys of what restores deleted since the guard asked last, and nobody saw again."""
        step, restore, change = self.tables.restore_step, self.tables.restore, self._change.alias()
        listed_in = sa.func.coalesce(restore.c.resumed_snapshot_id, restore.c.before_snapshot_id)
        was_seen_again = sa.exists().where(
            *of_kind(change, self.source_id, self.stage.kind),
            change.c.key == step.c.old_key,
            change.c.op != DELETED,
            change.c.snapshot_id > listed_in,
        )
        query = (
            sa.select(step.c.old_key)
            .join(restore, restore.c.id == step.c.restore_id)
            .where(step.c.kind == self.stage.kind.name, step.c.old_key.is_not(None))
            .where(step.c.op == DELETE, step.c.status == DONE)
            .where(listed_in > self._last_asked(), ~was_seen_again)
        )
        is_mine = restore.c.source_id == self.source_id
        return query.where(is_mine) if self.stage.kind.scope is Scope.MEMORI else query


def _sum(counts: list[sa.Select[Any]]) -> sa.ColumnElement[int]:
    return sum((each.scalar_subquery() for each in counts), start=sa.literal(0))
