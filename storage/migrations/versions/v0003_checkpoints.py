"""Checkpoints, and requests of people."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tuner_checkpoint",
        sa.Column("trial_id", sa.Integer, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("num_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("trial_id", "epoch", "attempt", name="pk_tuner_checkpoint"),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["tuner_trial.trial_id"], name="fk_tuner_checkpoint_trial_id", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "tuner_request",
        sa.Column("request_id", sa.Integer, nullable=False),
        sa.Column("study_id", sa.Integer, nullable=False),
        sa.Column("trial_id", sa.Integer),
        sa.Column("asked_by", sa.String(512), nullable=False),
        sa.Column("asked_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("request_id", name="pk_tuner_request"),
        sa.ForeignKeyConstraint(
            ["study_id"], ["studies.study_id"], name="fk_tuner_request_study_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["tuner_trial.trial_id"], name="fk_tuner_request_trial_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_tuner_request_study_id", "tuner_request", ["study_id"])
    if op.get_bind().dialect.name == "sqlite":  # other clients leave foreign keys off there
        for name, table in (("trial_checkpoint", "tuner_checkpoint"), ("trial_request", "tuner_request")):
            op.execute(
                f"CREATE TRIGGER tuner_delete_{name} AFTER DELETE ON tuner_trial "
                f"BEGIN DELETE FROM {table} WHERE trial_id = OLD.trial_id; END"
            )
        op.execute(
            "CREATE TRIGGER tuner_delete_study_request AFTER DELETE ON studies "
            "BEGIN DELETE FROM tuner_request WHERE study_id = OLD.study_id; END"
        )


def downgrade() -> None:
    raise RuntimeError("migrations go forward only; restore a copy of the database made before the upgrade")
