"""What an agent remembers of its owner, for those who mirror personal data."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "known_fact",
        sa.Column(
            "source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "change_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("known_fact_type", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("creation_timestamp", sa.Text(), nullable=True),
        sa.Column("last_change_timestamp", sa.Text(), nullable=True),
        sa.Column("creation_name", sa.Text(), nullable=True),
        sa.Column("creation_session_id", sa.Text(), nullable=True),
        sa.Column("last_change_name", sa.Text(), nullable=True),
        sa.Column("last_change_session_id", sa.Text(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["change_id"], ["change.id"], name=op.f("fk_known_fact_change_id_change")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_known_fact_source_id_source")
        ),
        sa.PrimaryKeyConstraint("source_id", "key", name=op.f("pk_known_fact")),
    )
    op.create_index(op.f("ix_known_fact_change_id"), "known_fact", ["change_id"])


def downgrade() -> None:
    op.drop_table("known_fact")
