"""How a study stands, in figures: a few small queries, cheap enough to be asked every second while it runs."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from optuna.storages._rdb.models import TrialIntermediateValueModel
from sqlalchemy import Connection

from storage import launches
from storage.columns import database_now
from storage.optuna_rows import parameters_of_trials
from storage.tables import ATTEMPT, DECISION, LAUNCH, OPTUNA_EPOCH_VALUES, OPTUNA_TRIALS, TRIAL

# Optuna's states in our words; RUNNING is told apart by whether a living launch works on the trial
STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "WAITING": "interrupted"}
_FINITE = TrialIntermediateValueModel.TrialIntermediateValueType.FINITE
_VALUE = OPTUNA_EPOCH_VALUES.c


@dataclass(frozen=True, slots=True)
class BestEpoch:
    """The best epoch of all trials, with the trial it belongs to."""

    trial: int
    state: str
    value: float
    epoch: int
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunningTrial:
    """A trial that an attempt of a living launch works on.

    `epoch` is the newest recorded one, 0 before the first, and `value` its objective; `node` and `device` are known after
    the attempt's first epoch; `seconds` have passed since the attempt began.
    """

    number: int
    attempt: int
    epoch: int
    value: float | None
    parameters: Mapping[str, Any]
    node: str | None
    device: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class RungView:
    """How many trials were compared at a rung, how many went on, and the newest cut-off."""

    epoch: int
    compared: int
    went_on: int
    cutoff: float | None


@dataclass(frozen=True, slots=True)
class LaunchView:
    """One run of the driver without an end: alive, or dead without a word. `begun`: its first trial has been handed out."""

    pid: int
    hostname: str
    alive: bool
    begun: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """A study at one moment.

    `trials`: state -> number of trials; `last_outcome`: how the newest launch ended (finished, stopped, interrupted, failed, died),
    None while it runs; `hours`, `gpu_hours`, `cpu_hours`: spent by all launches; `epochs_per_hour`: of the launches that run, else of
    the newest one, from its first trial on; `read_at`: unix seconds by the database's clock.
    """

    name: str
    space: Mapping[str, Any]
    trials: Mapping[str, int]
    best: BestEpoch | None
    running: tuple[RunningTrial, ...]
    rungs: tuple[RungView, ...]
    launches: tuple[LaunchView, ...]
    last_outcome: str | None
    hours: float
    gpu_hours: float
    cpu_hours: float
    epochs_per_hour: float
    read_at: float

    @property
    def is_running(self) -> bool:
        """Whether a launch of the study is alive."""
        return any(launch.alive for launch in self.launches)


@dataclass(frozen=True, slots=True)
class EndedAttempt:
    """An attempt that came to an end by itself or by a decision.

    `outcome`: as the attempt's row has it; `state`: what became of the trial with it (complete, pruned, failed), or
    interrupted: it can be gone on with; `epoch`: the newest recorded one; `best`: value and epoch of the trial's best epoch,
    if any is finite; `ended_at`: unix seconds by the database's clock.
    """

    trial: int
    outcome: str
    state: str
    epoch: int
    best: tuple[float, int] | None
    reason: str
    ended_at: float


def read_standing(connection: Connection, study_id: int, name: str) -> Standing:
    """How the study stands, by the rows that the connection's transaction sees."""
    space = launches.newest_space(connection, study_id)
    assert space is not None, "a launch writes it"
    now = float(connection.execute(sa.select(database_now())).scalar_one())
    unfinished = launches.open_launches(connection, study_id)
    living = [launch.launch_id for launch in unfinished if launch.is_alive()]
    query = sa.select(LAUNCH).where(LAUNCH.c.study_id == study_id).order_by(LAUNCH.c.launch_id)
    rows = connection.execute(query).all()
    until = {r.launch_id: now if r.launch_id in living else (r.ended_at or r.heartbeat_at) for r in rows}
    begun = {r.launch_id: _begun_at(connection, r.launch_id) for r in rows if r.launch_id in living or r is rows[-1]}
    running = _running(connection, study_id, living, now)
    return Standing(
        name=name,
        space=space.content,
        trials=_count_states(connection, study_id, len(running)),
        best=_best(connection, study_id, space.content["metric"]["goal"], {trial.number for trial in running}),
        running=running,
        rungs=_rungs(connection, study_id),
        launches=tuple(
            LaunchView(x.identity.pid, x.identity.hostname, x.launch_id in living, begun.get(x.launch_id) is not None)
            for x in unfinished
        ),
        last_outcome=None if rows[-1].launch_id in living else rows[-1].outcome or "died",
        hours=launches.spent_hours(connection, study_id, now),
        gpu_hours=launches.spent_gpu_hours(connection, study_id, now),
        cpu_hours=launches.spent_cpu_hours(connection, study_id, now),
        epochs_per_hour=sum(
            _epochs_per_hour(connection, row.launch_id, max(start, row.started_at), until[row.launch_id])
            for row in rows
            if (start := begun.get(row.launch_id)) is not None and (row.launch_id in living or not living)
        ),
        read_at=now,
    )


def read_ended(connection: Connection, study_id: int, goal: str, since: float) -> list[EndedAttempt]:
    """Attempts that ended after `since` (unix seconds by the database's clock), oldest first; not those that an interrupted
    or dead launch left."""
    is_last = (TRIAL.c.attempt == ATTEMPT.c.attempt) & (TRIAL.c.status == "ended")
    query = (
        sa.select(OPTUNA_TRIALS.c.number, OPTUNA_TRIALS.c.state, is_last.label("is_last"), ATTEMPT)
        .join(OPTUNA_TRIALS, OPTUNA_TRIALS.c.trial_id == ATTEMPT.c.trial_id)
        .join(TRIAL, TRIAL.c.trial_id == ATTEMPT.c.trial_id)
        .where(
            OPTUNA_TRIALS.c.study_id == study_id,
            ATTEMPT.c.ended_at > since,
            ATTEMPT.c.outcome.not_in(("interrupted", "launch_died", "answer_lost")),
        )
        .order_by(ATTEMPT.c.ended_at, OPTUNA_TRIALS.c.number)
    )
    ended = []
    for row in connection.execute(query).all():
        best = _best_row(connection, OPTUNA_TRIALS.c.trial_id == row.trial_id, goal)
        epoch, _ = _newest_values(connection, [row.trial_id]).get(row.trial_id, (0, None))
        reason = error_line(row.traceback) if row.traceback is not None else ""
        state = STATES[row.state.name] if row.is_last else "interrupted"
        if state == "pruned":
            reason = _stop_reason(connection, row.trial_id)
        best_epoch = None if best is None else (float(best.intermediate_value), int(best.step))
        ended.append(EndedAttempt(row.number, row.outcome, state, epoch, best_epoch, reason, row.ended_at))
    return ended


def error_line(traceback: str) -> str:
    """The line of a traceback that names the error; its message may go on for more lines."""
    lines = traceback.strip().splitlines() or ["no word"]
    named = [line for line in lines if re.match(r"[A-Za-z_][\w.]*(: |$)", line)]
    return (named or lines)[-1]


def _count_states(connection: Connection, study_id: int, running: int) -> dict[str, int]:
    query = sa.select(OPTUNA_TRIALS.c.state, sa.func.count()).where(OPTUNA_TRIALS.c.study_id == study_id)
    counts = dict.fromkeys(("complete", "pruned", "failed", "running", "interrupted", "waiting"), 0)
    for state, count in connection.execute(query.group_by(OPTUNA_TRIALS.c.state)):
        counts[STATES.get(state.name, "interrupted")] += count
    waits = sa.select(sa.func.count()).where(TRIAL.c.study_id == study_id, TRIAL.c.status == "waiting")
    counts["running"] = running
    counts["waiting"] = connection.execute(waits).scalar_one()  # for the result of another with the same configuration
    counts["interrupted"] -= running + counts["waiting"]
    return counts


def _best(connection: Connection, study_id: int, goal: str, running: set[int]) -> BestEpoch | None:
    row = _best_row(connection, OPTUNA_TRIALS.c.study_id == study_id, goal)
    if row is None:
        return None
    parameters = parameters_of_trials(connection, [row.trial_id])[row.trial_id]
    state = "running" if row.number in running else STATES.get(row.state.name, "interrupted")
    return BestEpoch(row.number, state, float(row.intermediate_value), row.step, parameters)


def _best_row(connection: Connection, condition: sa.ColumnElement[bool], goal: str) -> Any:
    """The epoch with the best finite value; of equal ones the lowest trial's, and there the earliest."""
    value = _VALUE.intermediate_value
    query = (
        sa.select(OPTUNA_TRIALS.c.trial_id, OPTUNA_TRIALS.c.number, OPTUNA_TRIALS.c.state, value, _VALUE.step)
        .join(OPTUNA_TRIALS, OPTUNA_TRIALS.c.trial_id == _VALUE.trial_id)
        .where(condition, _VALUE.intermediate_value_type == _FINITE)
        .order_by(value.desc() if goal == "maximize" else value.asc(), OPTUNA_TRIALS.c.number, _VALUE.step)
        .limit(1)
    )
    return connection.execute(query).one_or_none()


def _running(connection: Connection, study_id: int, living: list[int], now: float) -> tuple[RunningTrial, ...]:
    query = (
        sa.select(OPTUNA_TRIALS.c.number, ATTEMPT)
        .join(OPTUNA_TRIALS, OPTUNA_TRIALS.c.trial_id == ATTEMPT.c.trial_id)
        .where(OPTUNA_TRIALS.c.study_id == study_id, ATTEMPT.c.launch_id.in_(living), ATTEMPT.c.ended_at.is_(None))
        .order_by(OPTUNA_TRIALS.c.number)
    )
    rows = connection.execute(query).all()
    trial_ids = [row.trial_id for row in rows]
    parameters, newest = parameters_of_trials(connection, trial_ids), _newest_values(connection, trial_ids)
    found = []
    for row in rows:
        epoch, value = newest.get(row.trial_id, (0, None))
        seconds = now - row.started_at
        found.append(
            RunningTrial(row.number, row.attempt, epoch, value, parameters[row.trial_id], row.node, row.device, seconds)
        )
    return tuple(found)


def _newest_values(connection: Connection, trial_ids: Iterable[int]) -> dict[int, tuple[int, float]]:
    """Trial id -> newest epoch and its value, for trials that have one."""
    newest = (
        sa.select(_VALUE.trial_id, sa.func.max(_VALUE.step).label("step"))
        .where(_VALUE.trial_id.in_(trial_ids))
        .group_by(_VALUE.trial_id)
        .subquery()
    )
    query = sa.select(OPTUNA_EPOCH_VALUES).join(
        newest, (newest.c.trial_id == _VALUE.trial_id) & (newest.c.step == _VALUE.step)
    )
    restore = TrialIntermediateValueModel.stored_repr_to_intermediate_value
    return {
        row.trial_id: (row.step, restore(row.intermediate_value, row.intermediate_value_type))
        for row in connection.execute(query)
    }


def _rungs(connection: Connection, study_id: int) -> tuple[RungView, ...]:
    went_on = sa.func.sum(sa.case((DECISION.c.verdict == "go on", 1), else_=0)).label("went_on")
    counted = (
        sa.select(
            DECISION.c.rung,
            sa.func.count().label("compared"),
            went_on,
            sa.func.max(DECISION.c.decision_id).label("newest"),
        )
        .where(DECISION.c.study_id == study_id, DECISION.c.rung.is_not(None))
        .group_by(DECISION.c.rung)
        .subquery()
    )
    query = sa.select(counted, DECISION.c.cutoff).join(DECISION, DECISION.c.decision_id == counted.c.newest)
    return tuple(
        RungView(row.rung, row.compared, int(row.went_on), row.cutoff)
        for row in connection.execute(query.order_by(counted.c.rung))
    )


def _stop_reason(connection: Connection, trial_id: int) -> str:
    query = sa.select(DECISION.c.reason).where(DECISION.c.trial_id == trial_id, DECISION.c.verdict == "stop")
    return str(connection.execute(query.order_by(DECISION.c.decision_id.desc()).limit(1)).scalar_one_or_none() or "")


def _begun_at(connection: Connection, launch_id: int) -> float | None:
    query = sa.select(sa.func.min(ATTEMPT.c.started_at)).where(ATTEMPT.c.launch_id == launch_id)
    begun: float | None = connection.execute(query).scalar_one()
    return begun


def _epochs_per_hour(connection: Connection, launch_id: int, start: float, end: float) -> float:
    """Epochs that the launch's trials gained while it ran; one that was run again is none."""
    newest = sa.select(sa.func.max(_VALUE.step)).where(_VALUE.trial_id == ATTEMPT.c.trial_id).scalar_subquery()
    gained = (
        sa.select((sa.func.coalesce(newest, 0) - sa.func.min(ATTEMPT.c.epochs_before)).label("epochs"))
        .where(ATTEMPT.c.launch_id == launch_id)
        .group_by(ATTEMPT.c.trial_id)
        .subquery()
    )
    epochs = connection.execute(sa.select(sa.func.sum(gained.c.epochs))).scalar_one() or 0
    return int(epochs) * 3600 / (end - start) if end > start else 0.0
