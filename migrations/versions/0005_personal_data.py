"""Who talked with an agent and what was said, for those who mirror it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chat_log",
        sa.Column(
            "source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "change_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("timestamp", sa.Text(), nullable=True),
        sa.Column("memori_id", sa.Text(), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("ip_address", sa.Text(), nullable=True),
        sa.Column("e_mail", sa.Text(), nullable=True),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("board_of_experts", sa.Boolean(), nullable=True),
        sa.Column("receiver_tag", sa.Text(), nullable=True),
        sa.Column("continues_from", sa.Text(), nullable=True),
        sa.Column("continues_to", sa.Text(), nullable=True),
        sa.Column("lines", sa.Text(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["change_id"], ["change.id"], name=op.f("fk_chat_log_change_id_change")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_chat_log_source_id_source")
        ),
        sa.PrimaryKeyConstraint("source_id", "key", name=op.f("pk_chat_log")),
    )
    op.create_index(op.f("ix_chat_log_change_id"), "chat_log", ["change_id"])
    op.create_table(
        "chat_user",
        sa.Column(
            "source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "change_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("external_user_id", sa.Text(), nullable=True),
        sa.Column("user_name", sa.Text(), nullable=True),
        sa.Column("tenant_name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("disable_deep_thought", sa.Boolean(), nullable=True),
        sa.Column("creation_timestamp", sa.Text(), nullable=True),
        sa.Column("last_change_timestamp", sa.Text(), nullable=True),
        sa.Column("creation_name", sa.Text(), nullable=True),
        sa.Column("creation_session_id", sa.Text(), nullable=True),
        sa.Column("last_change_name", sa.Text(), nullable=True),
        sa.Column("last_change_session_id", sa.Text(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["change_id"], ["change.id"], name=op.f("fk_chat_user_change_id_change")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_chat_user_source_id_source")
        ),
        sa.PrimaryKeyConstraint("source_id", "key", name=op.f("pk_chat_user")),
    )
    op.create_index(op.f("ix_chat_user_change_id"), "chat_user", ["change_id"])


def downgrade() -> None:
    op.drop_table("chat_user")
    op.drop_table("chat_log")
