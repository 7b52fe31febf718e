"""What people ask of a database: studies, their trials and launches, as plain values. Writes nothing."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import optuna
import sqlalchemy as sa
from sqlalchemy import Connection

from storage import launches
from storage.engine import away_in_words, open_existing, optuna_joins
from storage.errors import StudyNotFoundError
from storage.store import ATTEMPT, DECISION, EPOCH_METRIC, LAUNCH, TRIAL
from storage.tables import OPTUNA_STUDIES

_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "WAITING": "interrupted"}


@dataclass(frozen=True, slots=True)
class TrialView:
    """A trial as people see it. `values`: epoch -> objective; `state`: complete, pruned, failed, running or interrupted."""

    number: int
    state: str
    parameters: Mapping[str, Any]
    values: Mapping[int, float]
    attempts: int
    reason: str


@dataclass(frozen=True, slots=True)
class RungView:
    """How many trials were compared at a rung, how many went on, and the newest cut-off."""

    epoch: int
    compared: int
    went_on: int
    cutoff: float | None


@dataclass(frozen=True, slots=True)
class LaunchView:
    """One run of the driver."""

    pid: int
    hostname: str
    alive: bool


@dataclass(frozen=True, slots=True)
class StudyView:
    """A study as it stands. `space` is its newest checked file; `launches` are those without an end."""

    name: str
    space: Mapping[str, Any]
    trials: tuple[TrialView, ...]
    rungs: tuple[RungView, ...]
    launches: tuple[LaunchView, ...]
    hours: float
    epochs_per_hour: float


class StudyReader:
    """Reads a database that a launch has made.

    Raises: DatabaseUnreachableError: nothing there.
    """

    def __init__(self, url: str) -> None:
        self._database = open_existing(url)

    def names(self) -> list[str]:
        """Names of all studies that were launched by this product, oldest first."""
        with self.reading() as connection:
            query = sa.select(OPTUNA_STUDIES.c.study_name).where(
                OPTUNA_STUDIES.c.study_id.in_(sa.select(LAUNCH.c.study_id))
            )
            return list(connection.execute(query.order_by(OPTUNA_STUDIES.c.study_id)).scalars())

    def study(self, name: str) -> StudyView:
        """All of one study, read in one transaction.

        Raises: StudyNotFoundError: names those that are there.
        """
        known = self.names()
        if name not in known:
            raise StudyNotFoundError(f"study {name!r} is not in this database; it has: {', '.join(known) or 'none'}")
        with self.reading() as connection, optuna_joins(self._database, connection):
            trials = optuna.load_study(study_name=name, storage=self._database).get_trials(deepcopy=False)
            study_id = connection.execute(
                sa.select(OPTUNA_STUDIES.c.study_id).where(OPTUNA_STUDIES.c.study_name == name)
            ).scalar_one()
            space = launches.newest_space(connection, study_id)
            assert space is not None, "a launch writes it"
            ours = {
                row.trial_id: row for row in connection.execute(sa.select(TRIAL).where(TRIAL.c.study_id == study_id))
            }
            reasons = _reasons(connection, study_id)
            unfinished = launches.open_launches(connection, study_id)
            alive = {launch.launch_id for launch in unfinished if launch.is_alive()}
            held = _held_trials(connection, alive)
            views = tuple(
                _trial_view(t, ours.get(t._trial_id), reasons.get(t._trial_id, ""), t._trial_id in held) for t in trials
            )
            running = tuple(LaunchView(x.identity.pid, x.identity.hostname, x.launch_id in alive) for x in unfinished)
            hours = _hours(connection, study_id)
            epochs = _count_epochs(connection, study_id)
            return StudyView(
                name,
                space.content,
                views,
                _rungs(connection, study_id),
                running,
                hours,
                epochs / hours if hours else 0.0,
            )

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A short transaction that only reads.

        Raises: DatabaseAwayError: the database does not answer any more.
        """
        with away_in_words(), self._database.engine.connect().execution_options(reading=True) as connection:
            yield connection


def error_line(traceback: str) -> str:
    """The line of a traceback that names the error; its message may go on for more lines."""
    lines = traceback.strip().splitlines() or ["no word"]
    named = [line for line in lines if re.match(r"[A-Za-z_][\w.]*(: |$)", line)]
    return (named or lines)[-1]


def _held_trials(connection: Connection, living_launches: set[int]) -> set[int]:
    """Trials that an attempt of a living launch works on."""
    query = sa.select(ATTEMPT.c.trial_id).where(ATTEMPT.c.launch_id.in_(living_launches), ATTEMPT.c.ended_at.is_(None))
    return set(connection.execute(query).scalars())


def _trial_view(trial: optuna.trial.FrozenTrial, ours: sa.Row[Any] | None, reason: str, held: bool) -> TrialView:
    state = _STATES.get(trial.state.name)
    if state is None:  # RUNNING in Optuna's tables: we know whether anybody works on it
        state = "running" if held else "interrupted"
    attempts = ours.attempt if ours is not None else 0
    return TrialView(
        trial.number, state, dict(trial.params), dict(sorted(trial.intermediate_values.items())), attempts, reason
    )


def _reasons(connection: Connection, study_id: int) -> dict[int, str]:
    """Why trials ended: the reason of a stop, the last line of a failure."""
    failed = (
        sa.select(ATTEMPT.c.trial_id, ATTEMPT.c.traceback)
        .join(TRIAL, TRIAL.c.trial_id == ATTEMPT.c.trial_id)
        .where(TRIAL.c.study_id == study_id, ATTEMPT.c.traceback.is_not(None))
        .order_by(ATTEMPT.c.attempt)
    )
    reasons = {row.trial_id: error_line(row.traceback) for row in connection.execute(failed)}
    stopped = sa.select(DECISION.c.trial_id, DECISION.c.reason).where(
        DECISION.c.study_id == study_id, DECISION.c.verdict == "stop"
    )
    return reasons | {row.trial_id: row.reason for row in connection.execute(stopped)}


def _rungs(connection: Connection, study_id: int) -> tuple[RungView, ...]:
    query = (
        sa.select(DECISION.c.rung, DECISION.c.verdict, DECISION.c.cutoff)
        .where(DECISION.c.study_id == study_id, DECISION.c.rung.is_not(None))
        .order_by(DECISION.c.rung, DECISION.c.decision_id)
    )
    by_rung: dict[int, list[Any]] = {}
    for row in connection.execute(query):
        by_rung.setdefault(row.rung, []).append(row)
    return tuple(
        RungView(rung, len(rows), sum(row.verdict == "go on" for row in rows), rows[-1].cutoff)
        for rung, rows in by_rung.items()
    )


def _hours(connection: Connection, study_id: int) -> float:
    end = sa.func.coalesce(LAUNCH.c.ended_at, LAUNCH.c.heartbeat_at)
    query = sa.select(sa.func.sum(end - LAUNCH.c.started_at)).where(LAUNCH.c.study_id == study_id)
    return float(connection.execute(query).scalar_one() or 0.0) / 3600


def _count_epochs(connection: Connection, study_id: int) -> int:
    epochs = (
        sa.select(EPOCH_METRIC.c.trial_id, EPOCH_METRIC.c.epoch)
        .join(TRIAL, TRIAL.c.trial_id == EPOCH_METRIC.c.trial_id)
        .where(TRIAL.c.study_id == study_id)
        .distinct()
        .subquery()
    )
    return int(connection.execute(sa.select(sa.func.count()).select_from(epochs)).scalar_one())
