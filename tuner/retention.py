"""Which checkpoints are worth their bytes, over the whole study: pure decisions, and the one place that carries them out."""

import math
from collections.abc import Mapping, Sequence

from storage.checkpoints import (
    Checkpoint,
    TrialCheckpoints,
    add_checkpoint,
    checkpoints_of_study,
    checkpoints_of_trial,
    locations_in_use,
    remove_checkpoints,
)
from storage.transaction import StudyTransaction, TrialRecord
from tuner.search_space import Checkpointing


class Retention:
    """Keeps and drops the checkpoints of one study inside its events.

    Args:
        goal: maximize or minimize.
        rules: how many finished trials keep their best one, and how many bytes all may take.
    """

    def __init__(self, goal: str, rules: Checkpointing) -> None:
        self._goal = goal
        self._rules = rules

    def keep(self, transaction: StudyTransaction, trial: TrialRecord, checkpoint: Checkpoint) -> None:
        """Keep a running trial's new checkpoint and drop what it supersedes."""
        connection = transaction.connection
        add_checkpoint(connection, trial.trial_id, checkpoint)
        kept = checkpoints_of_trial(connection, trial.trial_id)
        gone = expendable_while_running(kept, transaction.values_by_epoch(trial), self._goal) if len(kept) > 2 else []
        transaction.discarded += remove_checkpoints(connection, trial.trial_id, gone)
        if self._rules.quota_gb is not None:
            trials = checkpoints_of_study(connection, transaction.study_id)
            for trial_id, spare in over_quota(trials, self._rules.quota_gb * 1e9):
                transaction.discarded += remove_checkpoints(connection, trial_id, [spare])

    def refuse(self, transaction: StudyTransaction, checkpoint: Checkpoint | None) -> None:
        """Drop a checkpoint that came too late, unless it is kept: then it came in time, and its answer was lost."""
        if checkpoint and checkpoint.location not in locations_in_use(transaction.connection, transaction.study_id):
            transaction.discarded.append(checkpoint.location)

    def forget(self, transaction: StudyTransaction, trial: TrialRecord, damaged: Sequence[Checkpoint]) -> None:
        """Drop checkpoints that cannot be read: of later epochs, they would stand for the newest, and new ones be dropped."""
        transaction.discarded += remove_checkpoints(transaction.connection, trial.trial_id, damaged)

    def after_the_end(self, transaction: StudyTransaction, trial: TrialRecord) -> None:
        """A finished trial keeps its best checkpoint while it is among the best; a stopped or failed one keeps none."""
        connection = transaction.connection
        kept = checkpoints_of_trial(connection, trial.trial_id)
        finished = transaction.ended_state(trial) == "complete"
        best = best_checkpoint(kept, transaction.values_by_epoch(trial), self._goal) if finished and kept else None
        transaction.discarded += remove_checkpoints(connection, trial.trial_id, [c for c in kept if c != best])
        if best is None:
            return
        ended = {t.trial_id: t for t in checkpoints_of_study(connection, transaction.study_id) if t.status == "ended"}
        ranked = transaction.values_and_numbers(ended)
        for trial_id in expendable_after_the_end(ranked, self._goal, self._rules.keep):
            transaction.discarded += remove_checkpoints(connection, trial_id, ended[trial_id].checkpoints)


def best_checkpoint(checkpoints: Sequence[Checkpoint], values: Mapping[int, float], goal: str) -> Checkpoint | None:
    """The checkpoint of the epoch with the best finite value, the earliest of equals; None when there is none.

    Args:
        values: epoch -> objective, in the metric's own sign.
        goal: maximize or minimize.
    """
    sign = -1.0 if goal == "maximize" else 1.0
    judged = [c for c in checkpoints if math.isfinite(values.get(c.epoch, math.nan))]
    return min(judged, key=lambda c: (sign * values[c.epoch], c.epoch, -c.attempt), default=None)


def expendable_while_running(
    checkpoints: Sequence[Checkpoint], values: Mapping[int, float], goal: str
) -> list[Checkpoint]:
    """All but the newest, the one before it (should the newest be damaged), the best, and the newest of the newest attempt,
    which may be behind: it began from scratch where those of earlier attempts were out of its reach.

    Args:
        checkpoints: newest first.
    """
    epochs = sorted({c.epoch for c in checkpoints}, reverse=True)[:2]
    newest = [next(c for c in checkpoints if c.epoch == epoch) for epoch in epochs]
    latest = max(checkpoints, key=lambda c: (c.attempt, c.epoch))
    kept = {*newest, latest, best_checkpoint(checkpoints, values, goal)}
    return [c for c in checkpoints if c not in kept]


def expendable_after_the_end(ended: Mapping[int, tuple[float, int]], goal: str, keep: int) -> set[int]:
    """Trials whose checkpoints are not worth keeping: all but the best `keep`.

    Args:
        ended: trial id -> (value, trial number) of finished trials that have a checkpoint.
    """
    sign = -1.0 if goal == "maximize" else 1.0
    ranked = sorted(ended, key=lambda trial_id: (sign * ended[trial_id][0], ended[trial_id][1]))
    return set(ranked[keep:])


def over_quota(trials: Sequence[TrialCheckpoints], quota_bytes: float) -> list[tuple[int, Checkpoint]]:
    """What must go to come under a quota: first what finished trials have, oldest trial first, then all but the newest of
    running ones. The newest of a trial that is not finished always stays: going on from nothing costs more than bytes."""
    total = sum(c.num_bytes for t in trials for c in t.checkpoints)
    finished = [(t.trial_id, c) for t in trials if t.status == "ended" for c in t.checkpoints]
    spare = [(t.trial_id, c) for t in trials if t.status != "ended" for c in reversed(t.checkpoints[1:])]
    gone = []
    for trial_id, checkpoint in finished + spare:
        if total <= quota_bytes:
            break
        total -= checkpoint.num_bytes
        gone.append((trial_id, checkpoint))
    return gone
