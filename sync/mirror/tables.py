"""The tables of the mirror, which people write SQL against (design 5).

`mirror`, `source`, `snapshot`, `snapshot_kind`, `change`, `restore`, `restore_step`, `key_map` and
`job` are the same for every registry; each kind adds a table of what is there now, a projection of
`change`.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from sync.field import Type
from sync.kind import Kind
from sync.kinds.file import FILE
from sync.mirror.values import OF_RESTORES

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""The type of our own ids."""
_TYPES: Mapping[Type, Any] = {
    Type.TEXT: sa.Text,
    Type.JSON: sa.Text,
    Type.INTEGER: sa.BigInteger,
    Type.REAL: sa.Double,
    Type.BOOLEAN: sa.Boolean,
}


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware time: kept as UTC, given back as UTC; a naive one is refused."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Turn an aware time into the database's UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        """Give back an aware time."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Tables:
    """All tables for a registry of kinds.

    Attributes:
        kinds: {kind: its table}, `file` among them.
    """

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self.metadata = sa.MetaData(naming_convention=_NAMES)
        self.mirror = self._mirror()
        self.source = self._source()
        self.snapshot = self._snapshot()
        self.snapshot_kind = self._snapshot_kind()
        self.change = self._change()
        self.restore = self._restore()
        self.restore_step = self._restore_step()
        self.key_map = self._key_map()
        self.job = self._job()
        self.kinds = {kind.name: self._kind(kind) for kind in (*kinds, FILE)}

    def _table(self, name: str, *parts: Any) -> sa.Table:
        return sa.Table(name, self.metadata, *parts)

    def _mirror(self) -> sa.Table:
        """One row: the id that stands in the folder of the files, too."""
        return self._table("mirror", sa.Column("mirror_id", sa.Text, primary_key=True))

    def _source(self) -> sa.Table:
        return self._table(
            "source",
            sa.Column("id", ID, primary_key=True),
            sa.Column("scope", sa.Text, nullable=False),
            sa.Column("name", sa.Text, nullable=False),
            sa.Column("remote_id", sa.Text, nullable=False),
            sa.Column("engine_id", sa.Text),
            sa.Column("gone_at", UtcDateTime),
            sa.UniqueConstraint("scope", "remote_id"),
        )

    def _snapshot(self) -> sa.Table:
        counts = ("referenced", "downloaded", "unchanged", "missing", "failed", "bytes", "left_out")
        return self._table(
            "snapshot",
            sa.Column("id", ID, primary_key=True),
            sa.Column("run_id", ID, nullable=False, index=True),
            sa.Column("source_id", sa.ForeignKey("source.id"), nullable=False, index=True),
            sa.Column("started_at", UtcDateTime, nullable=False),
            sa.Column("finished_at", UtcDateTime),
            sa.Column("status", sa.Text, nullable=False),
            sa.Column("reason", sa.Text, nullable=False),
            sa.Column("error", sa.Text),
            *(
                sa.Column(f"files_{name}", sa.BigInteger, nullable=False, server_default="0")
                for name in counts
            ),
        )

    def _snapshot_kind(self) -> sa.Table:
        return self._table(
            "snapshot_kind",
            sa.Column("snapshot_id", sa.ForeignKey("snapshot.id"), primary_key=True),
            sa.Column("kind", sa.Text, primary_key=True),
            sa.Column("status", sa.Text, nullable=False),
            *(
                sa.Column(name, sa.BigInteger, nullable=False, server_default="0")
                for name in ("listed", "created", "updated", "deleted", "unchanged")
            ),
            sa.Column("error", sa.Text),
        )

    def _change(self) -> sa.Table:
        return self._table(
            "change",
            sa.Column("id", ID, primary_key=True),
            sa.Column("source_id", sa.ForeignKey("source.id"), nullable=False),
            sa.Column("snapshot_id", sa.ForeignKey("snapshot.id"), nullable=False, index=True),
            sa.Column("kind", sa.Text, nullable=False),
            sa.Column("key", sa.Text, nullable=False),
            sa.Column("op", sa.Text, nullable=False),
            sa.Column("digest", sa.Text),
            sa.Column("document", sa.Text),
            sa.Column("superseded_in", sa.ForeignKey("snapshot.id"), index=True),
            sa.UniqueConstraint("source_id", "kind", "key", "snapshot_id"),
        )

    def _restore(self) -> sa.Table:
        return self._table(
            "restore",
            sa.Column("id", ID, primary_key=True),
            sa.Column("source_id", sa.ForeignKey("source.id"), nullable=False, index=True),
            sa.Column("wanted_snapshot_id", sa.ForeignKey("snapshot.id"), nullable=False),
            sa.Column("before_snapshot_id", sa.ForeignKey("snapshot.id")),
            sa.Column("status", sa.Text, nullable=False),
            sa.Column("started_at", UtcDateTime, nullable=False),
            sa.Column("finished_at", UtcDateTime),
            sa.Column("selection", sa.Text),
            sa.Column("resumed_snapshot_id", sa.ForeignKey("snapshot.id")),
        )

    def _restore_step(self) -> sa.Table:
        return self._table(
            "restore_step",
            sa.Column("id", ID, primary_key=True),
            sa.Column("restore_id", sa.ForeignKey("restore.id"), nullable=False, index=True),
            sa.Column("op", sa.Text, nullable=False),
            sa.Column("kind", sa.Text, nullable=False),
            sa.Column("old_key", sa.Text),
            sa.Column("parent_new_key", sa.Text),
            sa.Column("sent", sa.Text),
            sa.Column("sha256", sa.Text),
            sa.Column("status", sa.Text, nullable=False),
            sa.Column("new_key", sa.Text),
            sa.Column("error", sa.Text),
        )

    def _key_map(self) -> sa.Table:
        return self._table(
            "key_map",
            sa.Column("source_id", sa.ForeignKey("source.id"), primary_key=True),
            sa.Column("kind", sa.Text, primary_key=True),
            sa.Column("old_key", sa.Text, primary_key=True),
            sa.Column("new_key", sa.Text, nullable=False, index=True),
        )

    def _job(self) -> sa.Table:
        return self._table(
            "job",
            sa.Column("id", ID, primary_key=True),
            sa.Column("name", sa.Text, nullable=False, index=True),
            sa.Column("started_at", UtcDateTime, nullable=False),
            sa.Column("finished_at", UtcDateTime),
            sa.Column("exit_code", sa.Integer),
            sa.Column("error", sa.Text),
        )

    def _kind(self, kind: Kind) -> sa.Table:
        return self._table(
            kind.name,
            sa.Column("source_id", sa.ForeignKey("source.id"), primary_key=True),
            sa.Column("key", sa.Text, primary_key=True),
            sa.Column("change_id", sa.ForeignKey("change.id"), nullable=False, index=True),
            *typed_columns(kind),
            sa.Column("document", sa.Text, nullable=False),
        )


def of_kind(
    change: sa.FromClause, source_id: int, kind: Kind
) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """What makes a row of `change` one of a kind of a source."""
    return change.c.source_id == source_id, change.c.kind == kind.name


def is_backup(snapshot: sa.Table) -> sa.ColumnElement[bool]:
    """Was a snapshot taken by a backup, and not by a restore?"""
    return snapshot.c.reason.not_in(OF_RESTORES)


def typed_columns(kind: Kind) -> list[sa.Column[Any]]:
    """The documented fields of a kind as columns."""
    return [sa.Column(name, _TYPES[type_]) for name, type_ in kind.columns.values()]
