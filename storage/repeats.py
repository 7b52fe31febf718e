"""Configurations that come up again: which trial had one first, and which trials wait for its result."""

from dataclasses import dataclass

import sqlalchemy as sa
from optuna.trial import TrialState
from sqlalchemy import Connection

from storage.tables import OPTUNA_TRIALS, TRIAL


@dataclass(frozen=True, slots=True)
class Original:
    """The trial that has, or will have, the result of a configuration."""

    trial_id: int
    number: int
    has_ended: bool


def find_original(connection: Connection, study_id: int, configuration_hash: str, before: int) -> Original | None:
    """The first trial with a configuration, of those numbered below `before` that train it themselves and did not fail."""
    query = (
        sa.select(TRIAL.c.trial_id, OPTUNA_TRIALS.c.number, TRIAL.c.status)
        .join(OPTUNA_TRIALS, OPTUNA_TRIALS.c.trial_id == TRIAL.c.trial_id)
        .where(
            TRIAL.c.study_id == study_id,
            TRIAL.c.configuration_hash == configuration_hash,
            TRIAL.c.repeat_of.is_(None),
            OPTUNA_TRIALS.c.number < before,
            OPTUNA_TRIALS.c.state != TrialState.FAIL,
        )
        .order_by(OPTUNA_TRIALS.c.number)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Original(row.trial_id, row.number, row.status == "ended")


def num_newest_repeats(connection: Connection, study_id: int) -> int:
    """How many of the newest trials, without another between them, have the configuration of an earlier one."""
    newest = sa.select(sa.func.coalesce(sa.func.max(TRIAL.c.trial_id), 0))
    newest = newest.where(TRIAL.c.study_id == study_id, TRIAL.c.repeat_of.is_(None))
    query = sa.select(sa.func.count()).where(TRIAL.c.study_id == study_id, TRIAL.c.trial_id > newest.scalar_subquery())
    return int(connection.execute(query).scalar_one())


def set_repeat(connection: Connection, trial_id: int, repeat_of: int | None, status: str) -> None:
    """The trial has the result of the trial numbered `repeat_of`; None: it is to be trained itself."""
    connection.execute(sa.update(TRIAL).where(TRIAL.c.trial_id == trial_id).values(repeat_of=repeat_of, status=status))


def waiting_for(connection: Connection, study_id: int, number: int) -> list[int]:
    """Numbers of the trials that wait for the result of another, lowest first."""
    query = sa.select(OPTUNA_TRIALS.c.number).join(TRIAL, TRIAL.c.trial_id == OPTUNA_TRIALS.c.trial_id)
    query = query.where(TRIAL.c.study_id == study_id, TRIAL.c.status == "waiting", TRIAL.c.repeat_of == number)
    return list(connection.execute(query.order_by(OPTUNA_TRIALS.c.number)).scalars())
