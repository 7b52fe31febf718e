"""What an attempt printed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tuner_attempt", sa.Column("output", sa.Text))


def downgrade() -> None:
    raise RuntimeError("migrations go forward only; restore a copy of the database made before the upgrade")
