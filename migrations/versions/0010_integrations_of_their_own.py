"""Integrations of an agent, which are a kind of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "integration",
        sa.Column(
            "source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "change_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("custom_data", sa.Text(), nullable=True),
        sa.Column("memori_id", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("publish", sa.Boolean(), nullable=True),
        sa.Column("invocation_text", sa.Text(), nullable=True),
        sa.Column("resources", sa.Text(), nullable=True),
        sa.Column("creation_timestamp", sa.Text(), nullable=True),
        sa.Column("last_change_timestamp", sa.Text(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["change_id"], ["change.id"], name=op.f("fk_integration_change_id_change")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_integration_source_id_source")
        ),
        sa.PrimaryKeyConstraint("source_id", "key", name=op.f("pk_integration")),
    )
    op.create_index(op.f("ix_integration_change_id"), "integration", ["change_id"])
    with op.batch_alter_table("memori") as batch_op:
        batch_op.drop_column("integrations")


def downgrade() -> None:
    op.add_column("memori", sa.Column("integrations", sa.Text(), nullable=True))
    op.drop_table("integration")
