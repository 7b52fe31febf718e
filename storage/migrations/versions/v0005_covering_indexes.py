"""Indexes that hold what is read at every event, so that rungs are ranked and hours summed without a look at the rows."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_tuner_decision_study_id", "tuner_decision")
    op.create_index("ix_tuner_decision_study_id", "tuner_decision", ["study_id", "rule", "bracket", "rung", "value"])
    op.drop_index("ix_tuner_attempt_launch_id", "tuner_attempt")
    op.create_index(
        "ix_tuner_attempt_launch_id", "tuner_attempt", ["launch_id", "started_at", "ended_at", "cpus", "gpus"]
    )


def downgrade() -> None:
    raise RuntimeError("migrations go forward only; restore a copy of the database made before the upgrade")
