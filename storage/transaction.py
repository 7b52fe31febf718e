"""One event of a study: all that it reads and writes, Optuna's rows and ours, inside one SQL transaction."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
import sqlalchemy as sa
from optuna.study._constrained_optimization import _CONSTRAINTS_KEY
from optuna.trial import TrialState
from sqlalchemy import Connection

from storage import optuna_rows
from storage.columns import database_now
from storage.event_cache import EventCache
from storage.rung_values import RungValues
from storage.tables import ATTEMPT, DECISION, EPOCH_METRIC, GRADIENT_FLOW, OPTUNA_TRIALS, SPACE, TRIAL

OUTPUT_CHARACTERS = 64 * 1024


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial as the study needs it: Optuna's id and number, our status, its newest attempt and its bracket; `alone`: it is
    tried with nothing beside it."""

    trial_id: int
    number: int
    status: str
    attempt: int
    bracket: int
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where an attempt runs: host name, process id, `cpu` or the GPU's name."""

    node: str
    worker: int
    device: str


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A verdict with all that led to it; `value` and `cutoff` have the metric's own sign."""

    epoch: int
    rule: str
    verdict: str
    reason: str
    value: float
    bracket: int | None = None
    rung: int | None = None
    cutoff: float | None = None


class StudyTransaction:
    """One event of a study. Every method reads and writes inside the one transaction.

    Args:
        trial_ids: number -> id where it was last found: where to look first, since Optuna's tables have no index on numbers.
    """

    def __init__(self, connection: Connection, optuna_study: optuna.Study, trial_ids: dict[int, int]) -> None:
        self.connection = connection
        self.optuna_study = optuna_study
        self.study_id: int = optuna_study._study_id
        self._optuna = optuna_study._storage
        assert isinstance(self._optuna, EventCache), "StudyStore loads it so"
        self._optuna.begin_event(connection)
        self._trial_ids = trial_ids
        self.discarded: list[str] = []  # files to be deleted after the commit
        self.told: list[str] = []  # lines to be said after the commit

    def now(self) -> float:
        """Unix time in seconds by the database's clock."""
        return float(self.connection.execute(sa.select(database_now())).scalar_one())

    # -- trials ---------------------------------------------------------------------------------------------------------

    def count_trials(self) -> int:
        """Trials begun so far, whatever became of them."""
        return int(self._scalar(sa.select(sa.func.count()).select_from(TRIAL).where(TRIAL.c.study_id == self.study_id)))

    def count_running(self, launch_id: int | None = None) -> int:
        """Trials that an attempt is working on, of any launch or of one."""
        query = sa.select(sa.func.count()).select_from(TRIAL)
        if launch_id is not None:
            newest = (ATTEMPT.c.trial_id == TRIAL.c.trial_id) & (ATTEMPT.c.attempt == TRIAL.c.attempt)
            query = query.join(ATTEMPT, newest).where(ATTEMPT.c.launch_id == launch_id)
        return int(self._scalar(query.where(TRIAL.c.study_id == self.study_id, TRIAL.c.status == "running")))

    def count_waiting(self) -> int:
        """Trials that wait for the result of another with the same configuration."""
        waiting = sa.select(sa.func.count()).select_from(TRIAL).where(TRIAL.c.status == "waiting")
        return int(self._scalar(waiting.where(TRIAL.c.study_id == self.study_id)))

    def configuration_hashes(self) -> set[str]:
        """Of every trial begun so far."""
        query = sa.select(TRIAL.c.configuration_hash).where(TRIAL.c.study_id == self.study_id)
        return set(self.connection.execute(query).scalars())

    def next_trial_number(self) -> int:
        """The number that Optuna will give to the next trial."""
        query = sa.select(sa.func.count()).select_from(OPTUNA_TRIALS).where(OPTUNA_TRIALS.c.study_id == self.study_id)
        return int(self._scalar(query))

    def trial(self, number: int) -> TrialRecord | None:
        """The trial of this number, or None when it was deleted."""
        it, last_id = OPTUNA_TRIALS.c.number == number, self._trial_ids.get(number)
        found = None if last_id is None else self._find_trial(it & (TRIAL.c.trial_id == last_id))
        return found or self._find_trial(it)

    def trial_of_id(self, trial_id: int) -> TrialRecord | None:
        """The trial of this id of Optuna's."""
        return self._find_trial(TRIAL.c.trial_id == trial_id)

    def first_queued(self) -> TrialRecord | None:
        """The queued trial with the lowest number."""
        return self._find_trial(TRIAL.c.status == "queued")

    def parameters(self, trial: TrialRecord) -> dict[str, Any]:
        """The values that the sampler chose for a trial."""
        return optuna_rows.parameters_of_trials(self.connection, [trial.trial_id])[trial.trial_id]

    def add_trial(self, trial_id: int, bracket: int, configuration_hash: str) -> None:
        """Ours beside the trial that Optuna has just made; it is queued until an attempt starts."""
        newest = sa.select(sa.func.max(SPACE.c.space_id)).where(SPACE.c.study_id == self.study_id).scalar_subquery()
        self.connection.execute(
            sa.insert(TRIAL).values(
                trial_id=trial_id,
                study_id=self.study_id,
                space_id=newest,
                status="queued",
                attempt=0,
                bracket=bracket,
                configuration_hash=configuration_hash,
            )
        )

    def end_trial(self, trial: TrialRecord, state: str, value: float | None = None) -> None:
        """The trial came to `state`: complete (with its value), pruned or failed. Optuna's row is told too."""
        self._set_status(trial.trial_id, "ended")
        if (
            state == "pruned"
        ):  # with the newest epoch's value, as Optuna's own tell() does; its tables hold no NaN there
            newest = self.newest_value(trial)
            value = None if math.isnan(newest) else newest
        self._optuna.set_trial_state_values(trial.trial_id, _OPTUNA_STATES[state], None if value is None else [value])

    def copy_result(self, original: TrialRecord, trial: TrialRecord) -> None:
        """End a trial with the state, the values and the constraints of another that has ended."""
        result = self._optuna.get_trial(original.trial_id)
        for epoch, value in sorted(result.intermediate_values.items()):
            self._optuna.set_trial_intermediate_value(trial.trial_id, epoch, value)
        for name, value in result.constraints.items():
            self.set_constraint(trial, name, value)
        self._set_status(trial.trial_id, "ended")
        self._optuna.set_trial_state_values(trial.trial_id, result.state, result.values)

    def set_constraint(self, trial: TrialRecord, name: str, value: float) -> None:
        """What Trial.set_constraint does, which would draw a configuration first. Above 0: samplers take it as infeasible."""
        self._optuna.set_trial_system_attr(trial.trial_id, f"{_CONSTRAINTS_KEY}:{name}", value)

    def ended_state(self, trial: TrialRecord) -> str | None:
        """complete, pruned or failed; None while the trial has not ended."""
        state = self._scalar(sa.select(OPTUNA_TRIALS.c.state).where(OPTUNA_TRIALS.c.trial_id == trial.trial_id))
        return next((ours for ours, theirs in _OPTUNA_STATES.items() if theirs is state), None)

    def is_foreign(self, goal: str) -> bool:
        """Whether another program made this study: it has trials, or another direction. One without is as good as new."""
        other_direction = self.optuna_study.direction.name.lower() != goal
        return other_direction or self.next_trial_number() > 0

    # -- attempts -------------------------------------------------------------------------------------------------------

    def start_attempt(self, trial: TrialRecord, launch_id: int, cpus: float, gpus: float, now: float) -> TrialRecord:
        """Begin the trial's next attempt and return the trial as it then is; older attempts may not write from now on."""
        begun = replace(trial, status="running", attempt=trial.attempt + 1)
        newest = sa.select(sa.func.max(EPOCH_METRIC.c.epoch)).where(EPOCH_METRIC.c.trial_id == trial.trial_id)
        self.connection.execute(
            sa.update(TRIAL).where(TRIAL.c.trial_id == trial.trial_id).values(status="running", attempt=begun.attempt)
        )
        self.connection.execute(
            sa.insert(ATTEMPT).values(
                trial_id=trial.trial_id,
                attempt=begun.attempt,
                launch_id=launch_id,
                cpus=cpus,
                gpus=gpus,
                started_at=now,
                epochs_before=sa.func.coalesce(newest.scalar_subquery(), 0),
            )
        )
        return begun

    def place_attempt(self, trial: TrialRecord, place: Place) -> None:
        """Note where the running attempt is, once it is known."""
        self.connection.execute(
            sa.update(ATTEMPT)
            .where(ATTEMPT.c.trial_id == trial.trial_id, ATTEMPT.c.attempt == trial.attempt, ATTEMPT.c.node.is_(None))
            .values(node=place.node, worker=place.worker, device=place.device)
        )

    def end_attempt(self, trial: TrialRecord, outcome: str, now: float, traceback: str | None = None) -> None:
        """Note how the running attempt ended."""
        # a dead launch's end is when it was last heard of, and it may have begun the attempt after that
        ended_at = sa.case((ATTEMPT.c.started_at > now, ATTEMPT.c.started_at), else_=now)
        self.connection.execute(
            sa.update(ATTEMPT)
            .where(ATTEMPT.c.trial_id == trial.trial_id, ATTEMPT.c.attempt == trial.attempt)
            .values(ended_at=ended_at, outcome=outcome, traceback=traceback)
        )

    def add_output(self, trial: TrialRecord, text: str) -> None:
        """Keep what the running attempt printed: the last 65,536 characters of it."""
        if not text:
            return
        here = (ATTEMPT.c.trial_id == trial.trial_id) & (ATTEMPT.c.attempt == trial.attempt)
        kept = (self._scalar(sa.select(ATTEMPT.c.output).where(here)) or "") + text.replace("\0", "\ufffd")
        self.connection.execute(sa.update(ATTEMPT).where(here).values(output=kept[-OUTPUT_CHARACTERS:]))

    def queue_again(self, trial: TrialRecord, *, alone: bool = False) -> None:
        """The trial is to be gone on with by a later attempt; `alone`: from now on with nothing beside it."""
        values = {"status": "queued", "alone": trial.alone or alone}
        self.connection.execute(sa.update(TRIAL).where(TRIAL.c.trial_id == trial.trial_id).values(values))

    def requeue_attempts_of(
        self, launch_id: int, outcome: str, now: float, but: Collection[tuple[int, int]] = ()
    ) -> list[int]:
        """End every open attempt of a launch, but these (trial, attempt), and queue its trials again; returns their numbers."""
        query = (
            sa.select(OPTUNA_TRIALS.c.number, ATTEMPT.c.attempt)
            .select_from(
                ATTEMPT.join(TRIAL, TRIAL.c.trial_id == ATTEMPT.c.trial_id).join(
                    OPTUNA_TRIALS, OPTUNA_TRIALS.c.trial_id == TRIAL.c.trial_id
                )
            )
            .where(ATTEMPT.c.launch_id == launch_id, ATTEMPT.c.ended_at.is_(None), TRIAL.c.study_id == self.study_id)
        )
        numbers = sorted(row.number for row in self.connection.execute(query) if tuple(row) not in but)
        for number in numbers:
            trial = self.trial(number)
            assert trial is not None, "read in this transaction"
            self.end_attempt(trial, outcome, now)
            self.queue_again(trial)
        return numbers

    # -- epochs ---------------------------------------------------------------------------------------------------------

    def last_epoch(self, trial: TrialRecord) -> int:
        """The newest recorded epoch, 0 before the first."""
        return int(
            self._scalar(sa.select(sa.func.max(EPOCH_METRIC.c.epoch)).where(EPOCH_METRIC.c.trial_id == trial.trial_id))
            or 0
        )

    def has_from_this_attempt(self, trial: TrialRecord, epoch: int) -> bool:
        """Whether the running attempt has recorded an epoch."""
        begun_before = (
            (ATTEMPT.c.trial_id == trial.trial_id)
            & (ATTEMPT.c.attempt == trial.attempt)
            & (ATTEMPT.c.epochs_before < epoch)
        )
        query = sa.select(EPOCH_METRIC.c.epoch).where(
            EPOCH_METRIC.c.trial_id == trial.trial_id, EPOCH_METRIC.c.epoch == epoch, sa.exists().where(begun_before)
        )
        return self.connection.execute(query.limit(1)).first() is not None

    def metrics(self, trial: TrialRecord, epoch: int) -> dict[str, float]:
        """What is recorded of an epoch; empty when nothing is."""
        query = sa.select(EPOCH_METRIC.c.name, EPOCH_METRIC.c.value)
        rows = self.connection.execute(
            query.where(EPOCH_METRIC.c.trial_id == trial.trial_id, EPOCH_METRIC.c.epoch == epoch)
        )
        return {row.name: row.value for row in rows}

    def record_epoch(self, trial: TrialRecord, epoch: int, value: float, metrics: Mapping[str, float]) -> None:
        """Every figure of a new epoch, and its value as Optuna's intermediate value at that step."""
        self._optuna.set_trial_intermediate_value(trial.trial_id, epoch, value)
        self.connection.execute(
            sa.insert(EPOCH_METRIC),
            [
                {"trial_id": trial.trial_id, "epoch": epoch, "name": name, "value": figure}
                for name, figure in metrics.items()
            ],
        )

    def record_gradient_flow(self, trial: TrialRecord, epoch: int, flow: Mapping[str, float]) -> None:
        """Mean |dL/dW| of every layer; the layers' names are written once a trial."""
        self.connection.execute(
            sa.update(TRIAL)
            .where(TRIAL.c.trial_id == trial.trial_id, TRIAL.c.layers.is_(None))
            .values(layers=list(flow))
        )
        self.connection.execute(
            sa.insert(GRADIENT_FLOW).values(
                trial_id=trial.trial_id, epoch=epoch, mean_abs_gradients=np.array(list(flow.values()), np.float64)
            )
        )

    def values_by_epoch(self, trial: TrialRecord) -> dict[int, float]:
        """Recorded epoch -> the objective's value, in order."""
        return optuna_rows.values_by_epoch(self.connection, trial.trial_id)

    def epoch_values(self, trial: TrialRecord) -> list[float]:
        """The objective's value of each recorded epoch, in order."""
        return list(self.values_by_epoch(trial).values())

    def newest_value(self, trial: TrialRecord) -> float:
        """The objective's value of the newest recorded epoch, NaN before the first."""
        values = self.epoch_values(trial)
        return values[-1] if values else math.nan

    def values_and_numbers(self, trial_ids: Iterable[int]) -> dict[int, tuple[float, int]]:
        """Id -> (value, number) of finished trials."""
        return optuna_rows.values_and_numbers(self.connection, trial_ids)

    # -- decisions ------------------------------------------------------------------------------------------------------

    def record_decision(self, trial: TrialRecord, decision: DecisionRecord) -> None:
        """A verdict at a rung, or a stop."""
        self.connection.execute(
            sa.insert(DECISION).values(
                study_id=self.study_id,
                trial_id=trial.trial_id,
                epoch=decision.epoch,
                rule=decision.rule,
                verdict=decision.verdict,
                reason=decision.reason,
                bracket=decision.bracket,
                rung=decision.rung,
                value=decision.value,
                cutoff=decision.cutoff,
            )
        )

    def rung_values(self, rule: str, bracket: int, rung: int, goal: str) -> RungValues:
        """Values that earlier trials of the bracket had at the rung, best first."""
        return RungValues(self.connection, self.study_id, rule, bracket, rung, goal)

    # -- private --------------------------------------------------------------------------------------------------------

    def _scalar(self, query: sa.Select[Any]) -> Any:
        return self.connection.execute(query).scalar_one_or_none()

    def _set_status(self, trial_id: int, status: str) -> None:
        self.connection.execute(sa.update(TRIAL).where(TRIAL.c.trial_id == trial_id).values(status=status))

    def _find_trial(self, condition: sa.ColumnElement[bool]) -> TrialRecord | None:
        query = sa.select(TRIAL, OPTUNA_TRIALS.c.number).join(
            OPTUNA_TRIALS, OPTUNA_TRIALS.c.trial_id == TRIAL.c.trial_id
        )
        query = query.where(TRIAL.c.study_id == self.study_id, condition).order_by(OPTUNA_TRIALS.c.number).limit(1)
        row = self.connection.execute(query).one_or_none()
        if row is None:
            return None
        self._trial_ids[row.number] = row.trial_id
        return TrialRecord(row.trial_id, row.number, row.status, row.attempt, row.bracket, row.alone)


_OPTUNA_STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
