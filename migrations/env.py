"""Alembic's environment: the connection is handed in, the tables come from the registry."""

from typing import Any, Literal

from alembic import context

from sync.kinds import KINDS
from sync.mirror.tables import Tables, UtcDateTime


def _render(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Name no type of ours in a migration: what ours mean may change, a migration may not."""
    is_ours = kind == "type" and isinstance(item, UtcDateTime)
    return "sa.DateTime(timezone=True)" if is_ours else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Tables(KINDS.values()).metadata,
    render_as_batch=True,
    render_item=_render,
)
with context.begin_transaction():
    context.run_migrations()
