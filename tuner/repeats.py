"""A configuration that comes up again is not trained again: the recorded result answers, or will when it is there."""

from storage.repeats import find_original, set_repeat, waiting_for
from storage.transaction import DecisionRecord, StudyTransaction, TrialRecord


class Repeats:
    """Answers new trials from earlier ones of the same configuration, inside the study's events.

    Args:
        reuse: whether a recorded result answers; else a configuration is trained again, but never twice at once.
    """

    def __init__(self, reuse: bool) -> None:
        self._reuse = reuse

    def answer(self, transaction: StudyTransaction, trial: TrialRecord, configuration_hash: str) -> int | None:
        """The number of the trial that has, or will have, the result of a new one; None when it is to be trained now."""
        connection = transaction.connection
        original = find_original(connection, transaction.study_id, configuration_hash, trial.number)
        if original is None or (original.has_ended and not self._reuse):
            return None
        set_repeat(connection, trial.trial_id, original.number, "waiting")
        if original.has_ended:
            self._copy(transaction, original.number, trial)
        return original.number

    def after_the_end(self, transaction: StudyTransaction, original: TrialRecord) -> None:
        """Answer the trials that waited for one that has just ended; where it has no result, the next is trained."""
        waiting = waiting_for(transaction.connection, transaction.study_id, original.number)
        if not waiting:
            return
        answers = self._reuse and transaction.ended_state(original) != "failed"
        for position, number in enumerate(waiting):
            trial = transaction.trial(number)
            assert trial is not None, "read in this transaction"
            if answers:
                self._copy(transaction, original.number, trial)
            elif position == 0:
                set_repeat(transaction.connection, trial.trial_id, None, "queued")
            else:
                set_repeat(transaction.connection, trial.trial_id, waiting[0], "waiting")

    @staticmethod
    def _copy(transaction: StudyTransaction, number: int, trial: TrialRecord) -> None:
        original = transaction.trial(number)
        assert original is not None, "it ended in this study"
        epoch = transaction.last_epoch(original)
        reason = f"the configuration of trial {number}: its recorded result answers"
        transaction.record_decision(
            trial, DecisionRecord(epoch, "repeat", "stop", reason, transaction.newest_value(original))
        )
        transaction.copy_result(original, trial)
