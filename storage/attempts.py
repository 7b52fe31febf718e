"""What the attempts of a study say of its trials and launches, as plain values."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.tables import ATTEMPT, EPOCH_METRIC, LAUNCH, OPTUNA_TRIALS, TRIAL
from storage.transaction import TrialRecord

_HEALTHY = ("finished", "stopped", "suspended")  # outcomes of attempts that ended by a decision
_NEWEST = (ATTEMPT.c.trial_id == TRIAL.c.trial_id) & (ATTEMPT.c.attempt == TRIAL.c.attempt)


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """How an attempt ended (None: it runs), the newest epoch that was recorded then, and its share of GPUs."""

    outcome: str | None
    epochs: int
    gpus: float


@dataclass(frozen=True, slots=True)
class BrokenTrial:
    """A trial that ended without a result: its number, its newest epoch (0: none), and what it broke with."""

    number: int
    epochs: int
    words: str


def past_attempts(connection: Connection, trial: TrialRecord) -> list[PastAttempt]:
    """The attempts at a trial, oldest first."""
    query = sa.select(ATTEMPT.c.outcome, ATTEMPT.c.epochs_before, ATTEMPT.c.gpus).where(
        ATTEMPT.c.trial_id == trial.trial_id
    )
    rows = connection.execute(query.order_by(ATTEMPT.c.attempt)).all()
    newest = connection.execute(
        sa.select(sa.func.max(EPOCH_METRIC.c.epoch)).where(EPOCH_METRIC.c.trial_id == trial.trial_id)
    ).scalar_one()
    ended_at = [*(row.epochs_before for row in rows[1:]), newest or 0]
    return [PastAttempt(row.outcome, epochs, row.gpus) for row, epochs in zip(rows, ended_at, strict=True)]


def running_beside(connection: Connection, launch_id: int) -> list[bool]:
    """For each trial of the study that runs on the host of a launch, whichever launch runs it: whether it is to run alone."""
    here = sa.select(LAUNCH.c.study_id, LAUNCH.c.hostname, LAUNCH.c.boot_id).where(LAUNCH.c.launch_id == launch_id)
    study_id, hostname, boot_id = connection.execute(here).one()
    query = (
        sa.select(TRIAL.c.alone)
        .join(ATTEMPT, _NEWEST)
        .join(LAUNCH, LAUNCH.c.launch_id == ATTEMPT.c.launch_id)
        .where(TRIAL.c.study_id == study_id, TRIAL.c.status == "running")
        .where(LAUNCH.c.hostname == hostname, LAUNCH.c.boot_id == boot_id)
    )
    return list(connection.execute(query).scalars())


def has_healthy_attempt(connection: Connection, launch_id: int) -> bool:
    """Whether any attempt of a launch ended by a decision: at its last epoch, at a rung, by a request."""
    query = sa.select(ATTEMPT.c.trial_id).where(ATTEMPT.c.launch_id == launch_id, ATTEMPT.c.outcome.in_(_HEALTHY))
    return connection.execute(query.limit(1)).first() is not None


def broken_trials(connection: Connection, launch_id: int) -> list[BrokenTrial]:
    """Trials that a launch has seen break for good, in the order of their numbers."""
    query = (
        sa.select(OPTUNA_TRIALS.c.number, _epochs_of(TRIAL.c.trial_id), ATTEMPT.c.traceback)
        .select_from(TRIAL)
        .join(ATTEMPT, _NEWEST)
        .join(OPTUNA_TRIALS, OPTUNA_TRIALS.c.trial_id == TRIAL.c.trial_id)
        .where(ATTEMPT.c.launch_id == launch_id, TRIAL.c.status == "ended")
        .order_by(OPTUNA_TRIALS.c.number)
    )
    return [BrokenTrial(row.number, row.epochs, row.traceback or "") for row in connection.execute(query)]


def furthest_running(connection: Connection, launch_id: int) -> int | None:
    """The newest epoch of a launch's running trials; None when none runs."""
    query = (
        sa.select(_epochs_of(TRIAL.c.trial_id))
        .select_from(TRIAL)
        .join(ATTEMPT, _NEWEST)
        .where(ATTEMPT.c.launch_id == launch_id, TRIAL.c.status == "running")
    )
    return max(connection.execute(query).scalars(), default=None)


def _epochs_of(trial_id: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    newest = sa.select(sa.func.max(EPOCH_METRIC.c.epoch)).where(EPOCH_METRIC.c.trial_id == trial_id).scalar_subquery()
    return sa.func.coalesce(newest, 0).label("epochs")
