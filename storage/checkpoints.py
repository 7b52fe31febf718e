"""Which states of training are kept, and where. The files themselves are written and deleted elsewhere."""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.tables import CHECKPOINT, OPTUNA_TRIALS, TRIAL


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that is needed to go on after an epoch, as one file. `location`: a path on the launch's host, or a URL."""

    epoch: int
    attempt: int
    location: str
    num_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class TrialCheckpoints:
    """The kept checkpoints of one trial, newest first; `status`: queued, running or ended."""

    trial_id: int
    status: str
    checkpoints: tuple[Checkpoint, ...]


def add_checkpoint(connection: Connection, trial_id: int, checkpoint: Checkpoint) -> None:
    """Keep a checkpoint. One that has been written again, after an answer was lost, replaces itself."""
    _remove(connection, trial_id, [checkpoint])
    connection.execute(
        sa.insert(CHECKPOINT).values(
            trial_id=trial_id,
            epoch=checkpoint.epoch,
            attempt=checkpoint.attempt,
            location=checkpoint.location,
            num_bytes=checkpoint.num_bytes,
            sha256=checkpoint.sha256,
        )
    )


def checkpoints_of_trial(connection: Connection, trial_id: int | sa.ScalarSelect[int]) -> tuple[Checkpoint, ...]:
    """The kept checkpoints of a trial, newest first."""
    query = sa.select(CHECKPOINT).where(CHECKPOINT.c.trial_id == trial_id)
    rows = connection.execute(query.order_by(CHECKPOINT.c.epoch.desc(), CHECKPOINT.c.attempt.desc()))
    return tuple(_checkpoint(row) for row in rows)


def checkpoints_of_study(connection: Connection, study_id: int) -> list[TrialCheckpoints]:
    """Every trial that has checkpoints, by number."""
    query = (
        sa.select(CHECKPOINT, TRIAL.c.status)
        .join(TRIAL, TRIAL.c.trial_id == CHECKPOINT.c.trial_id)
        .where(TRIAL.c.study_id == study_id)
        .order_by(CHECKPOINT.c.trial_id, CHECKPOINT.c.epoch.desc(), CHECKPOINT.c.attempt.desc())
    )
    found: dict[int, tuple[str, list[Checkpoint]]] = {}
    for row in connection.execute(query):
        found.setdefault(row.trial_id, (row.status, []))[1].append(_checkpoint(row))
    return [TrialCheckpoints(trial_id, status, tuple(kept)) for trial_id, (status, kept) in found.items()]


def remove_checkpoints(connection: Connection, trial_id: int, checkpoints: Iterable[Checkpoint]) -> list[str]:
    """Forget checkpoints; returns where their files are, to be deleted after the commit."""
    gone = list(checkpoints)
    _remove(connection, trial_id, gone)
    return [checkpoint.location for checkpoint in gone]


def locations_in_use(connection: Connection, study_id: int) -> set[str]:
    """Where the study's kept checkpoints are."""
    query = sa.select(CHECKPOINT.c.location).join(TRIAL, TRIAL.c.trial_id == CHECKPOINT.c.trial_id)
    return set(connection.execute(query.where(TRIAL.c.study_id == study_id)).scalars())


def running_attempts(connection: Connection, study_id: int) -> set[tuple[int, int]]:
    """(trial number, attempt) of every trial that is being worked on: its files may be ahead of its rows."""
    query = sa.select(OPTUNA_TRIALS.c.number, TRIAL.c.attempt).join(
        OPTUNA_TRIALS, OPTUNA_TRIALS.c.trial_id == TRIAL.c.trial_id
    )
    rows = connection.execute(query.where(TRIAL.c.study_id == study_id, TRIAL.c.status == "running"))
    return {(row.number, row.attempt) for row in rows}


def _remove(connection: Connection, trial_id: int, checkpoints: Iterable[Checkpoint]) -> None:
    for checkpoint in checkpoints:
        connection.execute(
            sa.delete(CHECKPOINT).where(
                CHECKPOINT.c.trial_id == trial_id,
                CHECKPOINT.c.epoch == checkpoint.epoch,
                CHECKPOINT.c.attempt == checkpoint.attempt,
            )
        )


def _checkpoint(row: sa.Row[tuple[object, ...]]) -> Checkpoint:
    return Checkpoint(row.epoch, row.attempt, row.location, row.num_bytes, row.sha256)
