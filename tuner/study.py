"""The decisions of one study: which configuration next, go on or stop, what did it come to.

Every answer is recorded with the event it answers in one SQL transaction and returned after the commit. The object holds no
state of its own that is not in the database, so it can be made anew at any moment, by any launch.
"""

import logging
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from storage.checkpoints import checkpoints_of_trial
from storage.launches import revive_launch, spent_cpu_hours, spent_gpu_hours, spent_hours
from storage.requests import who_stops_study, who_stops_trial
from storage.store import DecisionRecord, StudyStore, StudyTransaction, TrialRecord
from storage.takeover import take_over_dead_launches
from tuner.distributions import Fixed
from tuner.events import Assignment, AttemptEnd, Decision, EpochReport, Idle, Outcome
from tuner.retention import Retention
from tuner.rungs import rule_of
from tuner.sampling import Proposer, configuration_hash, derive_seed
from tuner.search_space import SearchSpace, best_value

log = logging.getLogger(__name__)


class Study:
    """One study of one launch.

    Args:
        store: the study's rows.
        space: its checked search space.
        launch_id: the launch in whose name attempts are begun.
        concurrency: how many trials may run at once.
        cpus, gpus: what each attempt is given.
        clock: unix time in seconds; the database's clock when None.
        discard: deletes files of checkpoints that are not worth keeping any more; asked after the commit.
        tell: takes a line about what no event of this launch says: another launch died, somebody stopped the study.
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
        discard: Callable[[Sequence[str]], None] = lambda locations: None,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._store = store
        self._space = space
        self._launch_id = launch_id
        self._concurrency = concurrency
        self._cpus, self._gpus = cpus, gpus
        self._clock = clock
        self._rule = rule_of(space)
        self._proposer = Proposer(space)
        self._retention = Retention(space.metric.goal, space.checkpoint)
        self._discard = discard
        self._tell = tell

    # -- the three events -----------------------------------------------------------------------------------------------

    def next_trial(self) -> Assignment | Idle:
        """Interrupted trials first, by number; then a new one, as long as the budget lasts.

        Launches of one study share it: each runs as many trials as it has room for, and takes over those of the dead.
        """
        with self._event() as transaction:
            revive_launch(transaction.connection, self._launch_id)
            if transaction.count_running(self._launch_id) >= self._concurrency:
                return Idle.WAIT
            for line in take_over_dead_launches(transaction, self._launch_id):
                self._tell(line)
            now = self._now(transaction)
            trial = None if self._may_not_begin(transaction, now) else self._queued_or_new(transaction)
            if trial is None:
                return Idle.WAIT if transaction.count_running() else Idle.FINISHED
            trial = transaction.start_attempt(trial, self._launch_id, self._cpus, self._gpus, now)
            configuration = self._configuration(transaction.parameters(trial))
            kept = checkpoints_of_trial(transaction.connection, trial.trial_id)
        return Assignment(trial.number, trial.attempt, configuration, self._space.epochs, kept)

    def on_epoch(self, assignment: Assignment, report: EpochReport) -> Decision:
        """The first record of an epoch stands: one that is run again changes nothing and goes on as it did."""
        with self._event() as transaction:
            trial = self._held_trial(transaction, assignment)
            if trial is None:
                self._retention.refuse(transaction, report.checkpoint)
                return self._recorded_end(transaction, assignment)
            now = self._now(transaction)
            transaction.place_attempt(trial, report.place)
            transaction.add_output(trial, report.output + "".join(f"[tuner] {note}\n" for note in report.notes))
            decision = self._record(transaction, trial, report)
            if report.checkpoint is not None:
                self._retention.keep(transaction, trial, report.checkpoint)
            if not decision.stops:
                decision = self._asked_to_stop(transaction, trial, report, now)
            if decision.stops:
                return self._finish(transaction, trial, now, decision)
            return decision

    def on_end(self, assignment: Assignment, end: AttemptEnd, traceback: str, output: str = "") -> Outcome:
        """An exception fails the trial when all retries are used up; a lost worker is tried again, unless two were lost
        without a new epoch between them: that a launch died, too, neither counts nor makes up for one."""
        with self._event() as transaction:
            trial = self._held_trial(transaction, assignment)
            if trial is None:
                return self._recorded_end(transaction, assignment).outcome
            now = self._now(transaction)
            transaction.add_output(trial, output)
            transaction.end_attempt(trial, end.value, now, traceback)
            if self._may_try_again(transaction, trial, end):
                transaction.queue_again(trial)
                return Outcome.SUSPENDED
            transaction.end_trial(trial, "failed")
            self._retention.after_the_end(transaction, trial)
            return Outcome.FAILED

    def reclaim(self, held: Collection[tuple[int, int]]) -> None:
        """Queue again what this launch was given without hearing of it: an answer can be lost after its commit.

        Args:
            held: (trial, attempt) of every assignment that the launch knows of.
        """
        with self._event() as transaction:
            transaction.requeue_attempts_of(self._launch_id, "answer_lost", self._now(transaction), held)

    # -- next_trial -----------------------------------------------------------------------------------------------------

    def _may_not_begin(self, transaction: StudyTransaction, now: float) -> bool:
        who = who_stops_study(transaction.connection, transaction.study_id, self._launch_id)
        if who is not None:
            self._tell(_stopped_by(who))
        return who is not None or self._time_is_up(transaction, now)

    def _queued_or_new(self, transaction: StudyTransaction) -> TrialRecord | None:
        while (trial := transaction.first_queued()) is not None:
            who = who_stops_trial(transaction.connection, trial.trial_id)
            if who is None:
                return trial
            reason = self._cancel(transaction, trial, transaction.last_epoch(trial), who).reason
            self._tell(f"trial {trial.number} is not gone on with: {reason}")
            transaction.end_trial(trial, "pruned")  # its attempts have ended already, each with an outcome of its own
            self._retention.after_the_end(transaction, trial)
        return self._new_trial(transaction)

    def _new_trial(self, transaction: StudyTransaction) -> TrialRecord | None:
        """A new trial, or None when there may be no more: the budget or the grid is at its end."""
        limit, begun = self._space.budget.trials, transaction.count_trials()
        if limit is not None and begun >= limit:
            return None
        number = transaction.next_trial_number()
        tried = transaction.configuration_hashes() if self._space.sampler.name == "grid" else frozenset[str]()
        proposal = self._proposer.propose(transaction.optuna_study, number, begun, tried)
        if proposal is None:
            return None
        rng = np.random.default_rng(derive_seed(self._space.sampler.seed, "bracket", number))
        hashed = configuration_hash(proposal.chosen)
        transaction.add_trial(proposal.trial_id, self._rule.bracket(rng), hashed)
        trial = transaction.trial_of_id(
            proposal.trial_id
        )  # its number differs where somebody enqueued a trial in Optuna
        assert trial is not None, "made in this transaction"
        return trial

    def _configuration(self, sampled: Mapping[str, Any]) -> dict[str, Any]:
        fixed = {p.name: p.distribution.value for p in self._space.parameters if isinstance(p.distribution, Fixed)}
        return self._space.configuration({**fixed, **sampled})

    # -- on_epoch -------------------------------------------------------------------------------------------------------

    def _record(self, transaction: StudyTransaction, trial: TrialRecord, report: EpochReport) -> Decision:
        recorded = transaction.metrics(trial, report.epoch)
        if recorded:
            self._compare(trial, report, recorded)
            return Decision(Outcome.GO_ON)
        value = report.metrics.get(self._space.metric.name)
        if value is None:
            return Decision(
                Outcome.FAILED,
                f"the trainer gave no {self._space.metric.name!r} for epoch {report.epoch}; "
                f"it gave {', '.join(report.metrics) or 'nothing'}",
            )
        before = transaction.last_epoch(trial)
        transaction.record_epoch(trial, report.epoch, value, report.metrics)
        if report.gradient_flow:
            transaction.record_gradient_flow(trial, report.epoch, report.gradient_flow)
        return self._judge(transaction, trial, report, value, before)

    def _asked_to_stop(
        self, transaction: StudyTransaction, trial: TrialRecord, report: EpochReport, now: float
    ) -> Decision:
        who = who_stops_trial(transaction.connection, trial.trial_id)
        if who is not None:
            return self._cancel(transaction, trial, report.epoch, who)
        who = who_stops_study(transaction.connection, transaction.study_id, self._launch_id)
        if who is not None:
            return Decision(Outcome.SUSPENDED, f"{_stopped_by(who)}; resume it to go on")
        if self._time_is_up(transaction, now):
            return Decision(
                Outcome.SUSPENDED, "the study's hours are spent; raise the budget and launch again to go on"
            )
        return Decision(Outcome.GO_ON)

    def _cancel(self, transaction: StudyTransaction, trial: TrialRecord, epoch: int, who: str) -> Decision:
        values = transaction.epoch_values(trial)
        reason = f"stopped by {who}"
        transaction.record_decision(
            trial, DecisionRecord(epoch, "request", "stop", reason, values[-1] if values else math.nan)
        )
        return Decision(Outcome.PRUNED, reason)

    def _judge(
        self, transaction: StudyTransaction, trial: TrialRecord, report: EpochReport, value: float, before: int
    ) -> Decision:
        broken = [name for name, figure in report.metrics.items() if not math.isfinite(figure)]
        if broken and "not_finite" in self._space.stop_when:
            reason = f"{broken[0]} is {report.metrics[broken[0]]} after epoch {report.epoch}"
            transaction.record_decision(trial, DecisionRecord(report.epoch, "not_finite", "stop", reason, value))
            return Decision(Outcome.PRUNED, reason)
        if report.epoch >= self._space.epochs:
            return Decision(Outcome.COMPLETE, "all epochs done")
        # a trainer that reports every few epochs passes rungs: the highest counts, as in Ray's ASHA
        passed = [rung for rung in self._rule.rungs(trial.bracket) if before < rung <= report.epoch]
        if passed:
            return self._compare_at_rung(transaction, trial, report.epoch, passed[-1], value)
        return Decision(Outcome.GO_ON)

    def _compare_at_rung(
        self, transaction: StudyTransaction, trial: TrialRecord, epoch: int, rung: int, value: float
    ) -> Decision:
        goal = self._space.metric.goal
        if self._rule.compares_best:
            best = best_value(transaction.epoch_values(trial), goal)
            value = value if best is None else best
        sign = -1.0 if goal == "maximize" else 1.0
        earlier = transaction.rung_values(self._rule.name, trial.bracket, rung)
        verdict = self._rule.decide(sign * value, [sign * v for v in earlier])
        cutoff = None if verdict.cutoff is None else sign * verdict.cutoff
        reason = f"rung {rung}: {self._space.metric.name} {value:.4g} is {verdict.reason}"
        if cutoff is not None:
            reason += f" (cut-off {cutoff:.4g})"
        transaction.record_decision(
            trial,
            DecisionRecord(
                epoch, self._rule.name, "stop" if verdict.stop else "go on", reason, value, trial.bracket, rung, cutoff
            ),
        )
        return Decision(Outcome.PRUNED if verdict.stop else Outcome.GO_ON, reason)

    def _finish(self, transaction: StudyTransaction, trial: TrialRecord, now: float, decision: Decision) -> Decision:
        value = None
        if decision.outcome is Outcome.COMPLETE:
            value = best_value(transaction.epoch_values(trial), self._space.metric.goal)
            if value is None:
                decision = Decision(Outcome.FAILED, f"no epoch has a finite {self._space.metric.name}")
        reason = decision.reason if decision.outcome is Outcome.FAILED else None
        transaction.end_attempt(trial, _ATTEMPT_OUTCOMES[decision.outcome], now, reason)
        if decision.outcome is Outcome.SUSPENDED:
            transaction.queue_again(trial)
            return decision
        transaction.end_trial(trial, decision.outcome.value, value)
        self._retention.after_the_end(transaction, trial)
        return decision

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

    @contextmanager
    def _event(self) -> Iterator[StudyTransaction]:
        with self._store.transaction() as transaction:
            yield transaction
        if transaction.discarded:
            self._discard(transaction.discarded)

    def _now(self, transaction: StudyTransaction) -> float:
        return transaction.now() if self._clock is None else self._clock()

    def _time_is_up(self, transaction: StudyTransaction, now: float) -> bool:
        budget, study = self._space.budget, (transaction.connection, transaction.study_id)
        limits = (
            (budget.hours, spent_hours),
            (budget.gpu_hours, spent_gpu_hours),
            (budget.cpu_hours, spent_cpu_hours),
        )
        return any(limit is not None and spent(*study, now) >= limit for limit, spent in limits)

    @staticmethod
    def _held_trial(transaction: StudyTransaction, assignment: Assignment) -> TrialRecord | None:
        trial = transaction.trial(assignment.trial)
        held = trial is not None and trial.status == "running" and trial.attempt == assignment.attempt
        return trial if held else None

    @staticmethod
    def _recorded_end(transaction: StudyTransaction, assignment: Assignment) -> Decision:
        """What became of an attempt that has ended already: its answer may have been lost on the way."""
        trial = transaction.trial(assignment.trial)
        if trial is None or trial.attempt != assignment.attempt:
            return Decision(Outcome.REFUSED, "another attempt has taken this trial over")
        state = transaction.ended_state(trial)
        if state is None:
            return Decision(Outcome.SUSPENDED, "the trial has been put back and will be gone on with")
        return Decision(Outcome(state))

    def _may_try_again(self, transaction: StudyTransaction, trial: TrialRecord, end: AttemptEnd) -> bool:
        """`trial`'s newest attempt has just ended."""
        progress = transaction.attempt_progress(trial)
        if end is AttemptEnd.RAISED:
            raised = sum(outcome == end.value for outcome, _ in progress)
            return bool(raised <= self._space.max_retries)
        newest = transaction.last_epoch(trial)
        ended_after = [*(epochs_before for _, epochs_before in progress[1:]), newest]
        here = [outcome for (outcome, _), epoch in zip(progress, ended_after, strict=True) if epoch == newest]
        return here.count(end.value) < 2


_ATTEMPT_OUTCOMES = {
    Outcome.COMPLETE: "finished",
    Outcome.PRUNED: "stopped",
    Outcome.FAILED: "failed",
    Outcome.SUSPENDED: "suspended",
}


def _stopped_by(who: str) -> str:
    return f"the study was stopped by {who}"
