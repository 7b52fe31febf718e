"""The decisions of one study: which configuration next, go on or stop, what did it come to.

Every answer is recorded with the event it answers in one SQL transaction and returned after the commit. The object holds no
state of its own that is not in the database, so it can be made anew at any moment, by any launch.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from storage.attempts import broken_trials, furthest_running, has_healthy_attempt, past_attempts, running_beside
from storage.checkpoints import checkpoints_of_trial
from storage.launches import revive_launch
from storage.repeats import num_newest_repeats
from storage.store import StudyStore
from storage.takeover import take_over_dead_launches
from storage.transaction import DecisionRecord, StudyTransaction, TrialRecord
from tuner.distributions import Fixed
from tuner.endings import Next, after_the_end, common_failure, must_run_alone
from tuner.errors import TrainingError
from tuner.events import Assignment, AttemptEnd, Decision, EpochReport, Idle, Outcome
from tuner.judgement import Judgement
from tuner.limits import HOURS_ARE_SPENT, Limits
from tuner.repeats import Repeats
from tuner.retention import Retention
from tuner.sampling import Proposer, configuration_hash, derive_seed
from tuner.search_space import SearchSpace, best_value

_MOST_REPEATS = 10  # in a row, of a sampler that could choose among no end of configurations


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
        self._proposer = Proposer(space)
        self._judgement = Judgement(space)
        self._limits = Limits(space.budget, launch_id)
        self._repeats = Repeats(reuse=space.repeats == "reuse")
        self._retention = Retention(space.metric.goal, space.checkpoint)
        self._discard = discard
        self._tell = tell

    # -- the three events -----------------------------------------------------------------------------------------------

    def next_trial(self) -> Assignment | Idle:
        """Interrupted trials first, by number; then a new one, as long as the budget lasts.

        Launches of one study share it: each runs as many trials as it has room for, and takes over those of the dead.
        Raises: TrainingError: all trials of this launch have failed in the same way.
        """
        with self._event() as transaction:
            revive_launch(transaction.connection, self._launch_id)
            now = self._now(transaction)
            trial = self._next_trial(transaction, now)
            if isinstance(trial, Idle):
                return trial
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
            said = report.output + "".join(f"[tuner] {note}\n" for note in report.notes)
            if said and not transaction.has_from_this_attempt(
                trial, report.epoch
            ):  # else told again: its answer was lost
                transaction.add_output(trial, said)
            decision = self._judgement.record(transaction, trial, report)
            self._retention.forget(transaction, trial, report.damaged)
            if report.checkpoint is not None:
                self._retention.keep(transaction, trial, report.checkpoint)
            if not decision.stops:
                decision = self._limits.after_epoch(transaction, trial, report.epoch, now)
            return self._finish(transaction, trial, now, decision) if decision.stops else decision

    def on_end(self, assignment: Assignment, end: AttemptEnd, traceback: str, output: str = "") -> Outcome:
        """What becomes of the trial is said by `tuner.endings`."""
        with self._event() as transaction:
            trial = self._held_trial(transaction, assignment)
            if trial is None:
                return self._recorded_end(transaction, assignment).outcome
            transaction.add_output(trial, output)
            transaction.end_attempt(trial, end.value, self._now(transaction), traceback)
            history = past_attempts(transaction.connection, trial)
            match after_the_end(history, self._space.max_retries):
                case Next.TRY_AGAIN:
                    transaction.queue_again(trial, alone=must_run_alone(history))
                    return Outcome.SUSPENDED
                case Next.INFEASIBLE:
                    self._record_infeasible(transaction, trial)
                    self._end_trial(transaction, trial, Outcome.PRUNED)
                    return Outcome.PRUNED
                case Next.FAIL:
                    self._end_trial(transaction, trial, Outcome.FAILED)
                    return Outcome.FAILED

    def reclaim(self, held: Collection[tuple[int, int]]) -> None:
        """Queue again what this launch was given without hearing of it: an answer can be lost after its commit.

        Args:
            held: (trial, attempt) of every assignment that the launch knows of.
        """
        with self._event() as transaction:
            transaction.requeue_attempts_of(self._launch_id, "answer_lost", self._now(transaction), held)

    # -- next_trial -----------------------------------------------------------------------------------------------------

    def _next_trial(self, transaction: StudyTransaction, now: float) -> TrialRecord | Idle:
        transaction.told += take_over_dead_launches(transaction, self._launch_id)
        if self._limits.hours_are_spent(transaction, now):
            transaction.told.append(HOURS_ARE_SPENT)
            return Idle.SPENT
        num_mine = transaction.count_running(self._launch_id)
        if num_mine >= self._concurrency:
            return Idle.WAIT
        stopped = self._limits.study_is_stopped(transaction)
        if stopped is not None:
            if num_mine == 0:
                transaction.told.append(stopped)
            return Idle.WAIT if num_mine else Idle.FINISHED
        beside = running_beside(transaction.connection, self._launch_id)
        if any(beside) or self._all_seem_to_fail(transaction):
            return Idle.WAIT
        trial = self._queued(transaction) or self._new_trial(transaction)
        if isinstance(trial, TrialRecord):
            return Idle.WAIT if trial.alone and beside else trial
        if transaction.count_running():
            return Idle.WAIT
        transaction.told.append(trial)
        return Idle.FINISHED

    def _all_seem_to_fail(self, transaction: StudyTransaction) -> bool:
        """Whether every trial of this launch has failed in the same way so far, and those that run may do so too.

        Raises: TrainingError: none runs any more.
        """
        if has_healthy_attempt(transaction.connection, self._launch_id):
            return False
        broken = broken_trials(transaction.connection, self._launch_id)
        failure = common_failure(broken)
        if failure is None:
            return False
        furthest = furthest_running(transaction.connection, self._launch_id)
        if furthest is None:
            raise TrainingError(
                f"study {self._space.study!r}: all {len(broken)} trials that this launch ended failed in the same way: {failure}; "
                f"tuner logs {self._space.study} {broken[-1].number} shows more; correct the cause and launch again"
            )
        return furthest <= max(trial.epochs for trial in broken)

    def _queued(self, transaction: StudyTransaction) -> TrialRecord | None:
        """The first trial that is to be gone on with; those that somebody asked to be stopped are ended on the way."""
        while (trial := transaction.first_queued()) is not None:
            cancelled = self._limits.cancelled(transaction, trial, transaction.last_epoch(trial))
            if cancelled is None:
                return trial
            transaction.told.append(f"trial {trial.number:3d} is not gone on with: {cancelled.reason}")
            self._end_trial(transaction, trial, cancelled.outcome)  # its attempts have ended already, as they did
        return None

    def _new_trial(self, transaction: StudyTransaction) -> TrialRecord | str:
        """A new trial to train, or why there is none. Configurations that come up again become trials that have, or wait for,
        the result of the first."""
        while True:
            if self._limits.trials_are_spent(transaction):
                return "the study's trials are spent"
            if transaction.count_waiting() >= self._concurrency:
                return "as many trials as may run wait for others"
            begun, repeated = (
                transaction.count_trials(),
                num_newest_repeats(transaction.connection, transaction.study_id),
            )
            given = None
            if self._proposer.needs_untried(begun, repeated):
                given = self._proposer.untried(transaction.configuration_hashes())
                if given is None:
                    return "every configuration of the space has been tried"
            elif repeated >= _MOST_REPEATS:
                return f"the sampler proposed {repeated} configurations in a row that had been tried before"
            trial, hashed = self._propose(transaction, begun, given)
            original = self._repeats.answer(transaction, trial, hashed)
            if original is None:
                return trial
            transaction.told.append(
                f"trial {trial.number:3d} has the configuration of trial {original}, whose result answers"
            )

    def _propose(
        self, transaction: StudyTransaction, begun: int, given: Mapping[str, Any] | None
    ) -> tuple[TrialRecord, str]:
        """The trial that Optuna makes, and the hash of its configuration."""
        number = transaction.next_trial_number()
        proposal = self._proposer.propose(transaction.optuna_study, number, begun, given)
        rng = np.random.default_rng(derive_seed(self._space.sampler.seed, "bracket", number))
        hashed = configuration_hash(proposal.chosen)
        transaction.add_trial(proposal.trial_id, self._judgement.rule.bracket(rng), hashed)
        trial = transaction.trial_of_id(proposal.trial_id)  # has another number where somebody enqueued one in Optuna
        assert trial is not None, "made in this transaction"
        return trial, hashed

    def _configuration(self, sampled: Mapping[str, Any]) -> dict[str, Any]:
        fixed = {p.name: p.distribution.value for p in self._space.parameters if isinstance(p.distribution, Fixed)}
        return self._space.configuration({**fixed, **sampled})

    # -- ends -----------------------------------------------------------------------------------------------------------

    def _finish(self, transaction: StudyTransaction, trial: TrialRecord, now: float, decision: Decision) -> Decision:
        value = None
        if decision.outcome is Outcome.COMPLETE:
            value = best_value(transaction.epoch_values(trial), self._space.metric.goal)
            if value is None:
                decision = Decision(Outcome.FAILED, f"no epoch has a finite {self._space.metric.name}")
        reason = (
            decision.reason if decision.outcome in (Outcome.FAILED, Outcome.SUSPENDED) else None
        )  # others have decisions
        transaction.end_attempt(trial, _ATTEMPT_OUTCOMES[decision.outcome], now, reason)
        if decision.outcome is Outcome.SUSPENDED:
            transaction.queue_again(trial)
        else:
            self._end_trial(transaction, trial, decision.outcome, value)
        return decision

    def _end_trial(
        self, transaction: StudyTransaction, trial: TrialRecord, outcome: Outcome, value: float | None = None
    ) -> None:
        transaction.end_trial(trial, outcome.value, value)
        self._retention.after_the_end(transaction, trial)
        self._repeats.after_the_end(transaction, trial)

    @staticmethod
    def _record_infeasible(transaction: StudyTransaction, trial: TrialRecord) -> None:
        reason = "ran out of memory twice, the second time with nothing beside it: it cannot be trained here"
        epoch, value = transaction.last_epoch(trial), transaction.newest_value(trial)
        transaction.record_decision(trial, DecisionRecord(epoch, "out_of_memory", "stop", reason, value))
        transaction.set_constraint(trial, "memory", 1.0)

    # -- shared ---------------------------------------------------------------------------------------------------------

    @contextmanager
    def _event(self) -> Iterator[StudyTransaction]:
        with self._store.transaction() as transaction:
            yield transaction
        if transaction.discarded:
            self._discard(transaction.discarded)
        for line in transaction.told:
            self._tell(line)

    def _now(self, transaction: StudyTransaction) -> float:
        return transaction.now() if self._clock is None else self._clock()

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


_ATTEMPT_OUTCOMES = {
    Outcome.COMPLETE: "finished",
    Outcome.PRUNED: "stopped",
    Outcome.FAILED: "failed",
    Outcome.SUSPENDED: "suspended",
}
