"""Trials that have another trial's result, and trials that run alone."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tuner_trial", sa.Column("repeat_of", sa.Integer))
    op.add_column("tuner_trial", sa.Column("alone", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    raise RuntimeError("migrations go forward only; restore a copy of the database made before the upgrade")
