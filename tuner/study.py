"""The decisions of one study: which configuration next, go on or stop, what did it come to.

Every answer is recorded with the event it answers in one SQL transaction and returned after the commit. The object holds no
state of its own that is not in the database, so it can be made anew at any moment, by any launch.
"""

import hashlib
import json
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np

from storage.store import DecisionRecord, Place, StudyStore, StudyTransaction, TrialRecord
from tuner.distributions import Fixed
from tuner.early_stopping import rule_of
from tuner.sampling import derive_seed, make_sampler, propose
from tuner.search_space import SearchSpace, best_value

log = logging.getLogger(__name__)

EPOCH_SECONDS = "seconds"  # the figure that executors add to a trainer's: how long the epoch took


@dataclass(frozen=True, slots=True)
class Assignment:
    """One attempt at a trial, to be run from its first epoch. `attempt` is its fencing number."""

    trial: int
    attempt: int
    configuration: Mapping[str, Any]
    epochs: int


class Idle(Enum):
    """There is no configuration to run now."""

    WAIT = "wait"  # until an event: enough trials run, or all that may run do
    FINISHED = "finished"  # for good: the budget is spent and nothing runs


@dataclass(frozen=True, slots=True)
class EpochReport:
    """What an attempt says after an epoch. Epochs count from 1; gradient flow is layer -> mean |dL/dW|."""

    epoch: int
    metrics: Mapping[str, float]
    gradient_flow: Mapping[str, float]
    place: Place


class Outcome(Enum):
    """What becomes of the attempt after an epoch."""

    GO_ON = "go on"
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"
    SUSPENDED = "suspended"  # the budget is spent: the trial can be gone on with when it is raised
    REFUSED = "refused"  # another attempt holds the trial; nothing was recorded


@dataclass(frozen=True, slots=True)
class Decision:
    """The study's answer to an epoch, with the reason in words."""

    outcome: Outcome
    reason: str = ""

    @property
    def stops(self) -> bool:
        """Whether the attempt ends here."""
        return self.outcome is not Outcome.GO_ON


class AttemptEnd(Enum):
    """How an attempt ended without a decision of the study."""

    RAISED = "failed"  # an exception in the training code
    WORKER_LOST = "worker_lost"  # its process or node died


class Decider(Protocol):
    """What an executor asks; the study, or something that watches it."""

    def next_trial(self) -> Assignment | Idle:
        """The next attempt to run, wait, or finished."""
        ...

    def on_epoch(self, assignment: Assignment, report: EpochReport) -> Decision:
        """Record an epoch and decide on it."""
        ...

    def on_end(self, assignment: Assignment, end: AttemptEnd, traceback: str) -> Outcome:
        """Record an attempt that ended by itself; FAILED, or SUSPENDED when the trial will be tried again."""
        ...


class Study:
    """One study of one launch.

    Args:
        store: the study's rows.
        space: its checked search space.
        launch_id: the launch in whose name attempts are begun.
        concurrency: how many trials may run at once.
        cpus, gpus: what each attempt is given.
        clock: unix time in seconds; the database's clock when None.
    """

    def __init__(
        self,
        store: StudyStore,
        space: SearchSpace,
        launch_id: int,
        *,
        concurrency: int = 1,
        cpus: float = 1,
        gpus: float = 0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._store = store
        self._space = space
        self._launch_id = launch_id
        self._concurrency = concurrency
        self._cpus, self._gpus = cpus, gpus
        self._clock = clock
        self._rule = rule_of(space)

    # -- the three events -----------------------------------------------------------------------------------------------

    def next_trial(self) -> Assignment | Idle:
        """Interrupted trials first, by number; then a new one, as long as the budget lasts."""
        with self._store.transaction() as transaction:
            running = transaction.count_running()
            if running >= self._concurrency:
                return Idle.WAIT
            now = self._now(transaction)
            if self._time_is_up(transaction, now):
                return Idle.WAIT if running else Idle.FINISHED
            trial = transaction.first_queued()
            if trial is None:
                limit = self._space.budget.trials
                if limit is not None and transaction.count_trials() >= limit:
                    return Idle.WAIT if running else Idle.FINISHED
                trial = self._new_trial(transaction)
            trial = transaction.start_attempt(trial, self._launch_id, self._cpus, self._gpus, now)
            configuration = self._configuration(transaction.parameters(trial))
        return Assignment(trial.number, trial.attempt, configuration, self._space.epochs)

    def on_epoch(self, assignment: Assignment, report: EpochReport) -> Decision:
        """The first record of an epoch stands: one that is run again changes nothing and goes on as it did."""
        with self._store.transaction() as transaction:
            trial = self._held_trial(transaction, assignment)
            if trial is None:
                return Decision(Outcome.REFUSED, "another attempt has taken this trial over")
            now = self._now(transaction)
            transaction.place_attempt(trial, report.place)
            recorded = transaction.metrics(trial, report.epoch)
            if recorded:
                self._compare(trial, report, recorded)
                return self._suspend_if_time_is_up(transaction, trial, now)
            value = report.metrics.get(self._space.metric.name)
            if value is None:
                reason = (
                    f"the trainer gave no {self._space.metric.name!r} for epoch {report.epoch}; "
                    f"it gave {', '.join(report.metrics) or 'nothing'}"
                )
                return self._finish(transaction, trial, now, Decision(Outcome.FAILED, reason))
            transaction.record_epoch(trial, report.epoch, value, report.metrics)
            if report.gradient_flow:
                transaction.record_gradient_flow(trial, report.epoch, report.gradient_flow)
            decision = self._judge(transaction, trial, report, value)
            if decision.stops:
                return self._finish(transaction, trial, now, decision)
            return self._suspend_if_time_is_up(transaction, trial, now)

    def on_end(self, assignment: Assignment, end: AttemptEnd, traceback: str) -> Outcome:
        """An exception fails the trial; a lost worker is tried again, unless two in a row recorded no new epoch."""
        with self._store.transaction() as transaction:
            trial = self._held_trial(transaction, assignment)
            if trial is None:
                return Outcome.REFUSED
            now = self._now(transaction)
            if end is AttemptEnd.WORKER_LOST and not self._lost_twice_in_place(transaction, trial):
                transaction.end_attempt(trial, end.value, now, traceback)
                transaction.queue_again(trial)
                return Outcome.SUSPENDED
            transaction.end_attempt(trial, end.value, now, traceback)
            transaction.end_trial(trial, "failed")
            return Outcome.FAILED

    # -- next_trial -----------------------------------------------------------------------------------------------------

    def _new_trial(self, transaction: StudyTransaction) -> TrialRecord:
        number = transaction.next_trial_number()
        seed = self._space.sampler.seed
        sampler = make_sampler(self._space.sampler.name, seed, number)
        trial_id, chosen = propose(transaction.optuna_study, sampler, self._space.parameters)
        bracket = self._rule.bracket(np.random.default_rng(derive_seed(seed, "bracket", number)))
        transaction.add_trial(trial_id, bracket, configuration_hash(self._space.configuration(chosen)))
        trial = transaction.trial_of_id(trial_id)  # its number differs where somebody enqueued a trial in Optuna
        assert trial is not None, "made in this transaction"
        return trial

    def _configuration(self, sampled: Mapping[str, Any]) -> dict[str, Any]:
        fixed = {p.name: p.distribution.value for p in self._space.parameters if isinstance(p.distribution, Fixed)}
        return self._space.configuration({**fixed, **sampled})

    # -- on_epoch -------------------------------------------------------------------------------------------------------

    def _judge(self, transaction: StudyTransaction, trial: TrialRecord, report: EpochReport, value: float) -> Decision:
        broken = [name for name, figure in report.metrics.items() if not math.isfinite(figure)]
        if broken and "not_finite" in self._space.stop_when:
            reason = f"{broken[0]} is {report.metrics[broken[0]]} after epoch {report.epoch}"
            transaction.record_decision(trial, DecisionRecord(report.epoch, "not_finite", "stop", reason, value))
            return Decision(Outcome.PRUNED, reason)
        if report.epoch >= self._space.epochs:
            return Decision(Outcome.COMPLETE, "all epochs done")
        if report.epoch in self._rule.rungs(trial.bracket):
            return self._compare_at_rung(transaction, trial, report.epoch, value)
        return Decision(Outcome.GO_ON)

    def _compare_at_rung(self, transaction: StudyTransaction, trial: TrialRecord, epoch: int, value: float) -> Decision:
        sign = -1.0 if self._space.metric.goal == "maximize" else 1.0
        earlier = transaction.rung_values(self._rule.name, trial.bracket, epoch)
        verdict = self._rule.decide(sign * value, [sign * v for v in earlier])
        cutoff = None if verdict.cutoff is None else sign * verdict.cutoff
        reason = f"rung {epoch}: {self._space.metric.name} {value:.4g} is {verdict.reason}"
        if cutoff is not None:
            reason += f" (cut-off {cutoff:.4g})"
        transaction.record_decision(
            trial,
            DecisionRecord(
                epoch, self._rule.name, "stop" if verdict.stop else "go on", reason, value, trial.bracket, epoch, cutoff
            ),
        )
        return Decision(Outcome.PRUNED if verdict.stop else Outcome.GO_ON, reason)

    def _finish(self, transaction: StudyTransaction, trial: TrialRecord, now: float, decision: Decision) -> Decision:
        value = None
        if decision.outcome is Outcome.COMPLETE:
            value = best_value(transaction.epoch_values(trial), self._space.metric.goal)
            if value is None:
                decision = Decision(Outcome.FAILED, f"no epoch has a finite {self._space.metric.name}")
        ended = {Outcome.COMPLETE: "finished", Outcome.PRUNED: "stopped", Outcome.FAILED: "failed"}[decision.outcome]
        transaction.end_attempt(trial, ended, now, decision.reason if decision.outcome is Outcome.FAILED else None)
        transaction.end_trial(trial, decision.outcome.value, value)
        return decision

    def _suspend_if_time_is_up(self, transaction: StudyTransaction, trial: TrialRecord, now: float) -> Decision:
        if not self._time_is_up(transaction, now):
            return Decision(Outcome.GO_ON)
        transaction.end_attempt(trial, "suspended", now)
        transaction.queue_again(trial)
        return Decision(Outcome.SUSPENDED, "the study's hours are spent; raise the budget and launch again to go on")

    def _compare(self, trial: TrialRecord, report: EpochReport, recorded: Mapping[str, float]) -> None:
        name = self._space.metric.name
        before, again = recorded.get(name), report.metrics.get(name)
        if before != again and not (
            before is not None and again is not None and math.isnan(before) and math.isnan(again)
        ):
            log.warning(
                "trial %d, epoch %d was run again and gave %s %s; the first record, %s, stands",
                trial.number,
                report.epoch,
                name,
                again,
                before,
            )

    # -- shared ---------------------------------------------------------------------------------------------------------

    def _now(self, transaction: StudyTransaction) -> float:
        return transaction.now() if self._clock is None else self._clock()

    def _time_is_up(self, transaction: StudyTransaction, now: float) -> bool:
        budget = self._space.budget
        return (budget.hours is not None and transaction.spent_hours(now) >= budget.hours) or (
            budget.gpu_hours is not None and transaction.spent_gpu_hours(now) >= budget.gpu_hours
        )

    @staticmethod
    def _held_trial(transaction: StudyTransaction, assignment: Assignment) -> TrialRecord | None:
        trial = transaction.trial(assignment.trial)
        held = trial is not None and trial.status == "running" and trial.attempt == assignment.attempt
        return trial if held else None

    @staticmethod
    def _lost_twice_in_place(transaction: StudyTransaction, trial: TrialRecord) -> bool:
        *earlier, (_, epochs_before) = transaction.attempt_progress(trial)
        just_before = earlier[-1][0] if earlier else None
        return just_before == AttemptEnd.WORKER_LOST.value and transaction.last_epoch(trial) == epochs_before


def configuration_hash(configuration: Mapping[str, Any]) -> str:
    """Equal for equal configurations, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()
