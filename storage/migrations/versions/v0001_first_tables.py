"""The first tables: launch, space, trial, attempt, epoch_metric, gradient_flow, decision."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_OF_TRIAL = ("tuner_decision", "tuner_gradient_flow", "tuner_epoch_metric", "tuner_attempt", "tuner_trial")
_OF_STUDY = ("tuner_space", "tuner_launch")


def upgrade() -> None:
    op.create_table(
        "tuner_launch",
        sa.Column("launch_id", sa.Integer, primary_key=True),
        _study(),
        sa.Column("hostname", sa.String(255), nullable=False),
        sa.Column("boot_id", sa.String(64), nullable=False),
        sa.Column("pid_namespace", sa.String(64), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("process_start", sa.String(32), nullable=False),
        sa.Column("started_at", sa.Float(53), nullable=False),
        sa.Column("heartbeat_at", sa.Float(53), nullable=False),
        sa.Column("ended_at", sa.Float(53)),
        sa.Column("outcome", sa.String(32)),
        sa.Column("versions", sa.JSON, nullable=False),
        sa.Column("argv", sa.JSON, nullable=False),
    )
    op.create_index("ix_tuner_launch_study_id", "tuner_launch", ["study_id"])
    op.create_table(
        "tuner_space",
        sa.Column("space_id", sa.Integer, primary_key=True),
        _study(),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.Column("data_fingerprint", sa.String(64)),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.UniqueConstraint("study_id", "version", name="uq_tuner_space_study_id"),
    )
    op.create_index("ix_tuner_space_study_id", "tuner_space", ["study_id"])
    op.create_table(
        "tuner_trial",
        sa.Column(
            "trial_id",
            sa.Integer,
            sa.ForeignKey("trials.trial_id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        _study(),
        sa.Column("space_id", sa.Integer, sa.ForeignKey("tuner_space.space_id", ondelete="CASCADE"), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("bracket", sa.Integer, nullable=False),
        sa.Column("configuration_hash", sa.String(64), nullable=False),
        sa.Column("layers", sa.JSON),
    )
    op.create_index("ix_tuner_trial_study_id", "tuner_trial", ["study_id", "status"])
    op.create_index("ix_tuner_trial_configuration_hash", "tuner_trial", ["configuration_hash"])
    op.create_table(
        "tuner_attempt",
        _trial(primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True),
        sa.Column("launch_id", sa.Integer, sa.ForeignKey("tuner_launch.launch_id", ondelete="CASCADE"), nullable=False),
        sa.Column("node", sa.String(255)),
        sa.Column("worker", sa.Integer),
        sa.Column("device", sa.String(64)),
        sa.Column("cpus", sa.Double, nullable=False),
        sa.Column("gpus", sa.Double, nullable=False),
        sa.Column("epochs_before", sa.Integer, nullable=False),
        sa.Column("started_at", sa.Float(53), nullable=False),
        sa.Column("ended_at", sa.Float(53)),
        sa.Column("outcome", sa.String(32)),
        sa.Column("traceback", sa.Text),
    )
    op.create_index("ix_tuner_attempt_launch_id", "tuner_attempt", ["launch_id"])
    op.create_table(
        "tuner_epoch_metric",
        _trial(primary_key=True),
        sa.Column("epoch", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("value", sa.Float(53)),
    )
    op.create_table(
        "tuner_gradient_flow",
        _trial(primary_key=True),
        sa.Column("epoch", sa.Integer, primary_key=True),
        sa.Column("mean_abs_gradients", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "tuner_decision",
        sa.Column("decision_id", sa.Integer, primary_key=True),
        _study(),
        _trial(),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("rule", sa.String(64), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("bracket", sa.Integer),
        sa.Column("rung", sa.Integer),
        sa.Column("value", sa.Float(53)),
        sa.Column("cutoff", sa.Float(53)),
        sa.UniqueConstraint("trial_id", "epoch", "rule", name="uq_tuner_decision_trial_id"),
    )
    op.create_index("ix_tuner_decision_study_id", "tuner_decision", ["study_id", "rule", "bracket", "rung"])
    if op.get_bind().dialect.name == "sqlite":
        _follow_deletions()


def downgrade() -> None:
    raise RuntimeError("migrations go forward only; restore a copy of the database made before the upgrade")


def _study() -> sa.Column[int]:
    return sa.Column("study_id", sa.Integer, sa.ForeignKey("studies.study_id", ondelete="CASCADE"), nullable=False)


def _trial(primary_key: bool = False) -> sa.Column[int]:
    foreign_key = sa.ForeignKey("tuner_trial.trial_id", ondelete="CASCADE")
    return sa.Column("trial_id", sa.Integer, foreign_key, primary_key=primary_key, nullable=False)


def _follow_deletions() -> None:
    """Other clients of the database (optuna-dashboard's Delete button) leave SQLite's foreign keys off, and SQLite gives a
    deleted row's id away again: without these triggers the next trial would inherit the deleted one's rows."""
    of_trial = "".join(f"DELETE FROM {table} WHERE trial_id = OLD.trial_id; " for table in _OF_TRIAL)
    of_study = "".join(f"DELETE FROM {table} WHERE study_id = OLD.study_id; " for table in _OF_STUDY)
    op.execute(f"CREATE TRIGGER tuner_follow_trial AFTER DELETE ON trials BEGIN {of_trial}END")
    op.execute(f"CREATE TRIGGER tuner_follow_study AFTER DELETE ON studies BEGIN {of_study}END")
