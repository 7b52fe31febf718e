"""Our tables beside Optuna's. Times are unix seconds by the database's clock; every row goes with the study or trial it
belongs to (ON DELETE CASCADE, and on SQLite, where other clients leave foreign keys off, by triggers: see the migration)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.storages._rdb import models as optuna_models
from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, MetaData, String, Text, UniqueConstraint, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from storage.columns import AnyFloat, FloatArray

OPTUNA_STUDIES = optuna_models.StudyModel.__table__
OPTUNA_TRIALS = optuna_models.TrialModel.__table__
OPTUNA_PARAMETERS = optuna_models.TrialParamModel.__table__
OPTUNA_VALUES = optuna_models.TrialValueModel.__table__
OPTUNA_USER_ATTRIBUTES = optuna_models.TrialUserAttributeModel.__table__
OPTUNA_SYSTEM_ATTRIBUTES = optuna_models.TrialSystemAttributeModel.__table__
OPTUNA_EPOCH_VALUES = optuna_models.TrialIntermediateValueModel.__table__
PREFIX = "tuner_"


class Base(DeclarativeBase):
    """Holds the metadata that migrations are checked against."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
        }
    )


def _of_study() -> Mapped[int]:
    return mapped_column(ForeignKey(OPTUNA_STUDIES.c.study_id, ondelete="CASCADE"), index=True)


def _of_trial(**options: Any) -> Mapped[int]:
    return mapped_column(ForeignKey("tuner_trial.trial_id", ondelete="CASCADE"), **options)


class Launch(Base):
    """One run of the driver."""

    __tablename__ = "tuner_launch"
    launch_id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = _of_study()
    hostname: Mapped[str] = mapped_column(String(255))
    boot_id: Mapped[str] = mapped_column(String(64))
    pid_namespace: Mapped[str] = mapped_column(String(64))
    pid: Mapped[int]
    process_start: Mapped[str] = mapped_column(String(32))  # tells a process from a later one with its pid
    started_at: Mapped[float] = mapped_column(Float(53))
    heartbeat_at: Mapped[float] = mapped_column(Float(53))
    ended_at: Mapped[float | None] = mapped_column(Float(53))
    outcome: Mapped[str | None] = mapped_column(String(32))  # finished, stopped (on request), interrupted, failed, died
    versions: Mapped[dict[str, str]] = mapped_column(JSON)
    argv: Mapped[list[str]] = mapped_column(JSON)  # passwords masked


class Space(Base):
    """A version of the study's checked search space file."""

    __tablename__ = "tuner_space"
    __table_args__ = (UniqueConstraint("study_id", "version"),)
    space_id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = _of_study()
    version: Mapped[int]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    data_fingerprint: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[float] = mapped_column(Float(53))


class Trial(Base):
    """What we know of a trial beside Optuna's row of the same id."""

    __tablename__ = "tuner_trial"
    __table_args__ = (Index(None, "study_id", "status"),)
    trial_id: Mapped[int] = mapped_column(
        ForeignKey(OPTUNA_TRIALS.c.trial_id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    study_id: Mapped[int] = mapped_column(ForeignKey(OPTUNA_STUDIES.c.study_id, ondelete="CASCADE"))
    space_id: Mapped[int] = mapped_column(ForeignKey("tuner_space.space_id", ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(String(16))  # queued (to be gone on with), running, waiting (a repeat), ended
    attempt: Mapped[int]  # number of the newest attempt: only it may write
    bracket: Mapped[int]
    configuration_hash: Mapped[str] = mapped_column(String(64), index=True)
    alone: Mapped[bool] = mapped_column(server_default=false())  # is tried with nothing beside it
    repeat_of: Mapped[int | None]  # number of the trial with the same configuration whose result is this one's
    layers: Mapped[list[str] | None] = mapped_column(JSON)  # names behind the arrays of gradient_flow


class Attempt(Base):
    """One try at a trial on one worker."""

    __tablename__ = "tuner_attempt"
    __table_args__ = (
        Index(None, "launch_id", "started_at", "ended_at", "cpus", "gpus"),  # hours are summed from it alone
    )
    trial_id: Mapped[int] = _of_trial(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    launch_id: Mapped[int] = mapped_column(ForeignKey("tuner_launch.launch_id", ondelete="CASCADE"))
    node: Mapped[str | None] = mapped_column(String(255))
    worker: Mapped[int | None]  # its process id
    device: Mapped[str | None] = mapped_column(String(64))
    cpus: Mapped[float]
    gpus: Mapped[float]
    epochs_before: Mapped[int]  # newest epoch recorded when it began
    started_at: Mapped[float] = mapped_column(Float(53))
    ended_at: Mapped[float | None] = mapped_column(Float(53))
    outcome: Mapped[str | None] = mapped_column(
        String(32)
    )  # finished, stopped, suspended, interrupted, launch_died, answer_lost, or a value of tuner.events.AttemptEnd
    traceback: Mapped[str | None] = mapped_column(Text)
    output: Mapped[str | None] = mapped_column(Text)  # the last 64 KB of what it printed


class EpochMetric(Base):
    """One figure of one epoch; the first record stands, whichever attempt made it."""

    __tablename__ = "tuner_epoch_metric"
    trial_id: Mapped[int] = _of_trial(primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    value: Mapped[float] = mapped_column(AnyFloat, nullable=True)


class GradientFlow(Base):
    """Mean |dL/dW| of every layer in one epoch, in the order of the trial's `layers`."""

    __tablename__ = "tuner_gradient_flow"
    trial_id: Mapped[int] = _of_trial(primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    mean_abs_gradients: Mapped[NDArray[np.float64]] = mapped_column(FloatArray)


class Decision(Base):
    """What was decided after an epoch, and why: a row for every verdict at a rung and for every stop."""

    __tablename__ = "tuner_decision"
    __table_args__ = (
        UniqueConstraint("trial_id", "epoch", "rule"),
        Index(None, "study_id", "rule", "bracket", "rung", "value"),  # rungs are ranked by it
    )
    decision_id: Mapped[int] = mapped_column(primary_key=True)  # in the order of the decisions
    study_id: Mapped[int] = mapped_column(ForeignKey(OPTUNA_STUDIES.c.study_id, ondelete="CASCADE"))
    trial_id: Mapped[int] = _of_trial()
    epoch: Mapped[int]
    rule: Mapped[str] = mapped_column(String(64))
    verdict: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    bracket: Mapped[int | None]
    rung: Mapped[int | None]
    value: Mapped[float] = mapped_column(AnyFloat, nullable=True)
    cutoff: Mapped[float | None] = mapped_column(Float(53))


class Checkpoint(Base):
    """A state of a trial's training that is kept: what `attempt` had after `epoch`."""

    __tablename__ = "tuner_checkpoint"
    trial_id: Mapped[int] = _of_trial(primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    location: Mapped[str] = mapped_column(Text)  # a path on the launch's host, or a URL
    num_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))


class Request(Base):
    """Somebody asks for a study, or one trial of it, to be stopped."""

    __tablename__ = "tuner_request"
    request_id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = _of_study()
    trial_id: Mapped[int | None] = mapped_column(ForeignKey("tuner_trial.trial_id", ondelete="CASCADE"))
    asked_by: Mapped[str] = mapped_column(String(512))
    asked_at: Mapped[float] = mapped_column(Float(53))


TABLES = Base.metadata.tables
LAUNCH, SPACE, TRIAL, ATTEMPT, EPOCH_METRIC, GRADIENT_FLOW, DECISION, CHECKPOINT, REQUEST = (
    TABLES[f"{PREFIX}{name}"]
    for name in (
        "launch",
        "space",
        "trial",
        "attempt",
        "epoch_metric",
        "gradient_flow",
        "decision",
        "checkpoint",
        "request",
    )
)
