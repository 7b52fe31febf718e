"""What people ask of a database: studies, their trials and launches, as plain values. Writes nothing."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.checkpoints import Checkpoint, checkpoints_of_trial
from storage.engine import away_in_words, open_existing
from storage.errors import StudyNotFoundError, TrialNotFoundError
from storage.optuna_rows import parameters_of_study, values_of_study
from storage.standing import (
    STATES,
    EndedAttempt,
    LaunchView,
    RungView,
    Standing,
    error_line,
    read_ended,
    read_standing,
)
from storage.tables import ATTEMPT, DECISION, LAUNCH, OPTUNA_STUDIES, OPTUNA_TRIALS, TRIAL


@dataclass(frozen=True, slots=True)
class TrialView:
    """A trial as people see it. `values`: epoch -> objective; `state`: complete, pruned, failed, running, interrupted, or
    waiting: for the result of trial `repeat_of`, which has the same configuration."""

    number: int
    state: str
    parameters: Mapping[str, Any]
    values: Mapping[int, float]
    attempts: int
    reason: str
    repeat_of: int | None = None


@dataclass(frozen=True, slots=True)
class StudyView:
    """A study with all of its trials. `space` is its newest checked file; the rest is what `Standing` says of it."""

    name: str
    space: Mapping[str, Any]
    trials: tuple[TrialView, ...]
    rungs: tuple[RungView, ...]
    launches: tuple[LaunchView, ...]
    hours: float
    epochs_per_hour: float

    def trial(self, number: int) -> TrialView:
        """The trial of this number.

        Raises: TrialNotFoundError: names those that are there.
        """
        found = next((trial for trial in self.trials if trial.number == number), None)
        if found is None:
            has = f"it has {self.trials[0].number} to {self.trials[-1].number}" if self.trials else "it has none yet"
            raise TrialNotFoundError(f"trial {number} is not in study {self.name!r}; {has}")
        return found


class StudyReader:
    """Reads a database that a launch has made.

    Raises: DatabaseUnreachableError: nothing there.
    """

    def __init__(self, url: str) -> None:
        self._database = open_existing(url)

    def names(self) -> list[str]:
        """Names of all studies that were launched by this product, oldest first."""
        with self.reading() as connection:
            return list(_studies(connection))

    def study(self, name: str) -> StudyView:
        """All of one study, read in one transaction.

        Raises: StudyNotFoundError: names those that are there.
        """
        with self.reading() as connection:
            study_id = _find(connection, name)
            standing = read_standing(connection, study_id, name)
            views = _trial_views(connection, study_id, {trial.number for trial in standing.running})
            return StudyView(
                name,
                standing.space,
                views,
                standing.rungs,
                standing.launches,
                standing.hours,
                standing.epochs_per_hour,
            )

    def checkpoints(self, study: str, number: int) -> tuple[Checkpoint, ...]:
        """The kept checkpoints of a trial, newest first."""
        with self.reading() as connection:
            return checkpoints_of_trial(connection, id_of_trial(study, number))

    def standing(self, name: str) -> Standing:
        """How one study stands, without reading its trials one by one.

        Raises: StudyNotFoundError: names those that are there.
        """
        with self.reading() as connection:
            return read_standing(connection, _find(connection, name), name)

    def ended(self, standing: Standing, since: float) -> list[EndedAttempt]:
        """Attempts of the study that ended after `since` (unix seconds by the database's clock), oldest first.

        Raises: StudyNotFoundError: names those that are there.
        """
        with self.reading() as connection:
            study_id = _find(connection, standing.name)
            return read_ended(connection, study_id, standing.space["metric"]["goal"], since)

    def close(self) -> None:
        """Give all connections back."""
        self._database.scoped_session.remove()
        self._database.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A short transaction that only reads.

        Raises: DatabaseAwayError: the database does not answer any more.
        """
        with away_in_words(), self._database.engine.connect().execution_options(reading=True) as connection:
            yield connection


def id_of_trial(study: str, number: int) -> sa.ScalarSelect[int]:
    """Optuna's id of a trial, inside a query."""
    return (
        sa.select(OPTUNA_TRIALS.c.trial_id)
        .join(OPTUNA_STUDIES, OPTUNA_STUDIES.c.study_id == OPTUNA_TRIALS.c.study_id)
        .where(OPTUNA_STUDIES.c.study_name == study, OPTUNA_TRIALS.c.number == number)
        .scalar_subquery()
    )


def _studies(connection: Connection) -> dict[str, int]:
    """Name -> id of every study that was launched by this product, oldest first."""
    columns = OPTUNA_STUDIES.c
    query = sa.select(columns.study_name, columns.study_id).where(columns.study_id.in_(sa.select(LAUNCH.c.study_id)))
    return {row.study_name: row.study_id for row in connection.execute(query.order_by(columns.study_id))}


def _find(connection: Connection, name: str) -> int:
    known = _studies(connection)
    if name not in known:
        raise StudyNotFoundError(f"study {name!r} is not in this database; it has: {', '.join(known) or 'none'}")
    return known[name]


def _trial_views(connection: Connection, study_id: int, held: Collection[int]) -> tuple[TrialView, ...]:
    """All trials by their numbers. `held`: numbers of those that a living launch works on."""
    columns = OPTUNA_TRIALS.c
    query = (
        sa.select(columns.trial_id, columns.number, columns.state, TRIAL.c.status, TRIAL.c.attempt, TRIAL.c.repeat_of)
        .outerjoin(TRIAL, TRIAL.c.trial_id == columns.trial_id)  # one that another program queued has no row of ours
        .where(columns.study_id == study_id)
    )
    trials = connection.execute(query.order_by(columns.number)).all()
    parameters, values = parameters_of_study(connection, study_id), values_of_study(connection, study_id)
    reasons = _reasons(connection, study_id)
    return tuple(
        TrialView(
            row.number,
            STATES.get(row.state.name) or _state_of_running(row.status, row.number in held),
            parameters.get(row.trial_id, {}),
            values.get(row.trial_id, {}),
            row.attempt or 0,
            reasons.get(row.trial_id, ""),
            row.repeat_of,
        )
        for row in trials
    )


def _state_of_running(status: str | None, held: bool) -> str:
    """Of a trial that is RUNNING in Optuna's tables: we know whether anybody works on it."""
    return "running" if held else "waiting" if status == "waiting" else "interrupted"


def _reasons(connection: Connection, study_id: int) -> dict[int, str]:
    """Why trials ended: the reason of a stop, the last line of what their newest attempt broke with."""
    newest = (TRIAL.c.trial_id == ATTEMPT.c.trial_id) & (TRIAL.c.attempt == ATTEMPT.c.attempt)
    failed = (
        sa.select(ATTEMPT.c.trial_id, ATTEMPT.c.traceback)
        .join(TRIAL, newest)
        .where(TRIAL.c.study_id == study_id, ATTEMPT.c.traceback.is_not(None))
    )
    reasons = {row.trial_id: error_line(row.traceback) for row in connection.execute(failed)}
    stopped = sa.select(DECISION.c.trial_id, DECISION.c.reason).where(
        DECISION.c.study_id == study_id, DECISION.c.verdict == "stop"
    )
    return reasons | {row.trial_id: row.reason for row in connection.execute(stopped)}
