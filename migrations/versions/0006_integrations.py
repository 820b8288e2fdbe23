"""What the integrations of an agent look like."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("memori", sa.Column("integrations", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("memori") as batch_op:
        batch_op.drop_column("integrations")
