"""What else an agent is made of: words, pairs, experts, functions, intents, questions, topics."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "correlation_pair",
        sa.Column(
            "source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "change_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("text1", sa.Text(), nullable=True),
        sa.Column("text2", sa.Text(), nullable=True),
        sa.Column("correlated", sa.Boolean(), nullable=True),
        sa.Column("creation_timestamp", sa.Text(), nullable=True),
        sa.Column("last_change_timestamp", sa.Text(), nullable=True),
        sa.Column("creation_name", sa.Text(), nullable=True),
        sa.Column("creation_session_id", sa.Text(), nullable=True),
        sa.Column("last_change_name", sa.Text(), nullable=True),
        sa.Column("last_change_session_id", sa.Text(), nullable=True),
        sa.Column("occurrences", sa.BigInteger(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["change_id"], ["change.id"], name=op.f("fk_correlation_pair_change_id_change")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_correlation_pair_source_id_source")
        ),
        sa.PrimaryKeyConstraint("source_id", "key", name=op.f("pk_correlation_pair")),
    )
    op.create_index(op.f("ix_correlation_pair_change_id"), "correlation_pair", ["change_id"])
    op.create_table(
        "custom_word",
        sa.Column(
            "source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "change_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("definition", sa.Text(), nullable=True),
        sa.Column("word", sa.Text(), nullable=True),
        sa.Column("creation_timestamp", sa.Text(), nullable=True),
        sa.Column("last_change_timestamp", sa.Text(), nullable=True),
        sa.Column("creation_name", sa.Text(), nullable=True),
        sa.Column("creation_session_id", sa.Text(), nullable=True),
        sa.Column("last_change_name", sa.Text(), nullable=True),
        sa.Column("last_change_session_id", sa.Text(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["change_id"], ["change.id"], name=op.f("fk_custom_word_change_id_change")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_custom_word_source_id_source")
        ),
        sa.PrimaryKeyConstraint("source_id", "key", name=op.f("pk_custom_word")),
    )
    op.create_index(op.f("ix_custom_word_change_id"), "custom_word", ["change_id"])
    op.create_table(
        "expert_reference",
        sa.Column(
            "source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "change_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("default_", sa.Boolean(), nullable=True),
        sa.Column("expert_memori_id", sa.Text(), nullable=True),
        sa.Column("expert_base_url", sa.Text(), nullable=True),
        sa.Column("creation_timestamp", sa.Text(), nullable=True),
        sa.Column("last_change_timestamp", sa.Text(), nullable=True),
        sa.Column("creation_name", sa.Text(), nullable=True),
        sa.Column("creation_session_id", sa.Text(), nullable=True),
        sa.Column("last_change_name", sa.Text(), nullable=True),
        sa.Column("last_change_session_id", sa.Text(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["change_id"], ["change.id"], name=op.f("fk_expert_reference_change_id_change")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_expert_reference_source_id_source")
        ),
        sa.PrimaryKeyConstraint("source_id", "key", name=op.f("pk_expert_reference")),
    )
    op.create_index(op.f("ix_expert_reference_change_id"), "expert_reference", ["change_id"])
    op.create_table(
        "function",
        sa.Column(
            "source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "change_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("parameters", sa.Text(), nullable=True),
        sa.Column("web_hook", sa.Text(), nullable=True),
        sa.Column("http_method", sa.Text(), nullable=True),
        sa.Column("http_query_string_template", sa.Text(), nullable=True),
        sa.Column("http_body_template", sa.Text(), nullable=True),
        sa.Column("http_body_content_type", sa.Text(), nullable=True),
        sa.Column("send_extension_headers", sa.Text(), nullable=True),
        sa.Column("function_type", sa.Text(), nullable=True),
        sa.Column("creation_timestamp", sa.Text(), nullable=True),
        sa.Column("last_change_timestamp", sa.Text(), nullable=True),
        sa.Column("creation_name", sa.Text(), nullable=True),
        sa.Column("creation_session_id", sa.Text(), nullable=True),
        sa.Column("last_change_name", sa.Text(), nullable=True),
        sa.Column("last_change_session_id", sa.Text(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["change_id"], ["change.id"], name=op.f("fk_function_change_id_change")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_function_source_id_source")
        ),
        sa.PrimaryKeyConstraint("source_id", "key", name=op.f("pk_function")),
    )
    op.create_index(op.f("ix_function_change_id"), "function", ["change_id"])
    op.create_table(
        "intent",
        sa.Column(
            "source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "change_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("utterances", sa.Text(), nullable=True),
        sa.Column("timeout_intent", sa.Boolean(), nullable=True),
        sa.Column("web_hook", sa.Text(), nullable=True),
        sa.Column("validity_minutes", sa.Double(), nullable=True),
        sa.Column("intent_type", sa.Text(), nullable=True),
        sa.Column("creation_timestamp", sa.Text(), nullable=True),
        sa.Column("last_change_timestamp", sa.Text(), nullable=True),
        sa.Column("creation_name", sa.Text(), nullable=True),
        sa.Column("creation_session_id", sa.Text(), nullable=True),
        sa.Column("last_change_name", sa.Text(), nullable=True),
        sa.Column("last_change_session_id", sa.Text(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["change_id"], ["change.id"], name=op.f("fk_intent_change_id_change")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_intent_source_id_source")
        ),
        sa.PrimaryKeyConstraint("source_id", "key", name=op.f("pk_intent")),
    )
    op.create_index(op.f("ix_intent_change_id"), "intent", ["change_id"])
    op.create_table(
        "intent_slot",
        sa.Column(
            "source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "change_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("values", sa.Text(), nullable=True),
        sa.Column("web_hook", sa.Text(), nullable=True),
        sa.Column("validity_minutes", sa.Double(), nullable=True),
        sa.Column("creation_timestamp", sa.Text(), nullable=True),
        sa.Column("last_change_timestamp", sa.Text(), nullable=True),
        sa.Column("creation_name", sa.Text(), nullable=True),
        sa.Column("creation_session_id", sa.Text(), nullable=True),
        sa.Column("last_change_name", sa.Text(), nullable=True),
        sa.Column("last_change_session_id", sa.Text(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["change_id"], ["change.id"], name=op.f("fk_intent_slot_change_id_change")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_intent_slot_source_id_source")
        ),
        sa.PrimaryKeyConstraint("source_id", "key", name=op.f("pk_intent_slot")),
    )
    op.create_index(op.f("ix_intent_slot_change_id"), "intent_slot", ["change_id"])
    op.create_table(
        "topic",
        sa.Column(
            "source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "change_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("creation_timestamp", sa.Text(), nullable=True),
        sa.Column("last_change_timestamp", sa.Text(), nullable=True),
        sa.Column("creation_name", sa.Text(), nullable=True),
        sa.Column("creation_session_id", sa.Text(), nullable=True),
        sa.Column("last_change_name", sa.Text(), nullable=True),
        sa.Column("last_change_session_id", sa.Text(), nullable=True),
        sa.Column("weight", sa.Double(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["change_id"], ["change.id"], name=op.f("fk_topic_change_id_change")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_topic_source_id_source")
        ),
        sa.PrimaryKeyConstraint("source_id", "key", name=op.f("pk_topic")),
    )
    op.create_index(op.f("ix_topic_change_id"), "topic", ["change_id"])
    op.create_table(
        "unanswered_question",
        sa.Column(
            "source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "change_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("context_vars", sa.Text(), nullable=True),
        sa.Column("receiver_id", sa.Text(), nullable=True),
        sa.Column("creation_timestamp", sa.Text(), nullable=True),
        sa.Column("last_change_timestamp", sa.Text(), nullable=True),
        sa.Column("creation_name", sa.Text(), nullable=True),
        sa.Column("creation_session_id", sa.Text(), nullable=True),
        sa.Column("last_change_name", sa.Text(), nullable=True),
        sa.Column("last_change_session_id", sa.Text(), nullable=True),
        sa.Column("occurrences", sa.BigInteger(), nullable=True),
        sa.Column("receiver_tag", sa.Text(), nullable=True),
        sa.Column("receiver_name", sa.Text(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["change_id"], ["change.id"], name=op.f("fk_unanswered_question_change_id_change")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_unanswered_question_source_id_source")
        ),
        sa.PrimaryKeyConstraint("source_id", "key", name=op.f("pk_unanswered_question")),
    )
    op.create_index(op.f("ix_unanswered_question_change_id"), "unanswered_question", ["change_id"])


def downgrade() -> None:
    op.drop_table("unanswered_question")
    op.drop_table("topic")
    op.drop_table("intent_slot")
    op.drop_table("intent")
    op.drop_table("function")
    op.drop_table("expert_reference")
    op.drop_table("custom_word")
    op.drop_table("correlation_pair")
