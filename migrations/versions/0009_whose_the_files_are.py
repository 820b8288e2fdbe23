"""What tells a mirror from others, so that its folder of files can say whose it is."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mirror",
        sa.Column("mirror_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("mirror_id", name=op.f("pk_mirror")),
    )


def downgrade() -> None:
    op.drop_table("mirror")
