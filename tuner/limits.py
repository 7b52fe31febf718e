"""What ends a study or a trial from outside of training: its budget, and what people ask for."""

from storage.launches import spent_cpu_hours, spent_gpu_hours, spent_hours
from storage.requests import who_stops_study, who_stops_trial
from storage.transaction import DecisionRecord, StudyTransaction, TrialRecord
from tuner.events import Decision, Outcome
from tuner.search_space import Budget

HOURS_ARE_SPENT = "the study's hours are spent; raise the budget and launch again to go on"


class Limits:
    """The budget of a study and the requests to one launch of it, read inside the study's events."""

    def __init__(self, budget: Budget, launch_id: int) -> None:
        self._budget = budget
        self._launch_id = launch_id

    def hours_are_spent(self, transaction: StudyTransaction, now: float) -> bool:
        """Whether all launches together have spent the hours, GPU hours or CPU hours. `now`: unix seconds."""
        study = (transaction.connection, transaction.study_id)
        limits = (
            (self._budget.hours, spent_hours),
            (self._budget.gpu_hours, spent_gpu_hours),
            (self._budget.cpu_hours, spent_cpu_hours),
        )
        return any(limit is not None and spent(*study, now) >= limit for limit, spent in limits)

    def trials_are_spent(self, transaction: StudyTransaction) -> bool:
        """Whether no new trial may begin."""
        return self._budget.trials is not None and transaction.count_trials() >= self._budget.trials

    def study_is_stopped(self, transaction: StudyTransaction) -> str | None:
        """The sentence about who asked for the study to be stopped since the launch began; None when nobody did."""
        who = who_stops_study(transaction.connection, transaction.study_id, self._launch_id)
        return None if who is None else f"the study was stopped by {who}"

    def after_epoch(self, transaction: StudyTransaction, trial: TrialRecord, epoch: int, now: float) -> Decision:
        """Whether a trial that its rule lets go on goes on."""
        cancelled = self.cancelled(transaction, trial, epoch)
        if cancelled is not None:
            return cancelled
        stopped = self.study_is_stopped(transaction)
        if stopped is not None:
            return Decision(Outcome.SUSPENDED, f"{stopped}; resume it to go on")
        if self.hours_are_spent(transaction, now):
            return Decision(Outcome.SUSPENDED, HOURS_ARE_SPENT)
        return Decision(Outcome.GO_ON)

    def cancelled(self, transaction: StudyTransaction, trial: TrialRecord, epoch: int) -> Decision | None:
        """The end of a trial that somebody asked to be stopped, recorded as one after `epoch`; None when nobody did."""
        who = who_stops_trial(transaction.connection, trial.trial_id)
        if who is None:
            return None
        reason = f"stopped by {who}"
        value = transaction.newest_value(trial)
        transaction.record_decision(trial, DecisionRecord(epoch, "request", "stop", reason, value))
        return Decision(Outcome.PRUNED, reason)
