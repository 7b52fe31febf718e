"""What becomes of a trial whose attempt ended by itself, and when failures are too much alike to go on: pure decisions."""

import re
from collections.abc import Collection, Sequence
from enum import Enum

from storage.attempts import BrokenTrial, PastAttempt
from storage.standing import error_line
from tuner.events import AttemptEnd

MOST_ALIKE = 5  # trials of a launch that may fail in the same way before the launch ends
_BROKE = {AttemptEnd.RAISED.value, AttemptEnd.TIMED_OUT.value}
_OUT_OF_MEMORY = {AttemptEnd.OUT_OF_MEMORY.value, AttemptEnd.OUT_OF_DEVICE_MEMORY.value}


class Next(Enum):
    """What becomes of the trial."""

    TRY_AGAIN = "try again"
    FAIL = "fail"
    INFEASIBLE = "infeasible"  # this machine cannot train such a configuration


def after_the_end(history: Sequence[PastAttempt], max_retries: int) -> Next:
    """What becomes of a trial after its newest attempt.

    An exception or a time-out may come `max_retries` times. Two deaths of its own worker without a new epoch between them are
    a failure; the loss of its node or its launch, or its eviction, neither counts nor makes up for one. Memory may run out once: the second time
    nothing else ran beside it.

    Args:
        history: all attempts, oldest first; the newest has just ended by itself.
        max_retries: of the search space file.
    """
    newest = history[-1]
    match AttemptEnd(newest.outcome):
        case AttemptEnd.RAISED | AttemptEnd.TIMED_OUT:
            return Next.FAIL if _count(history, _BROKE) > max_retries else Next.TRY_AGAIN
        case AttemptEnd.WORKER_LOST:
            here = [past for past in history if past.epochs == newest.epochs]
            return Next.FAIL if _count(here, {newest.outcome}) > 1 else Next.TRY_AGAIN
        case AttemptEnd.NODE_LOST | AttemptEnd.EVICTED:
            return Next.TRY_AGAIN
        case AttemptEnd.OUT_OF_MEMORY | AttemptEnd.OUT_OF_DEVICE_MEMORY:
            return Next.INFEASIBLE if _count(history, _OUT_OF_MEMORY) > 1 else Next.TRY_AGAIN


def must_run_alone(history: Sequence[PastAttempt]) -> bool:
    """Whether a trial is to be tried with nothing beside it: it ran out of memory that it may have shared with others."""
    return any(
        past.outcome == AttemptEnd.OUT_OF_MEMORY.value
        or (past.outcome == AttemptEnd.OUT_OF_DEVICE_MEMORY.value and past.gpus < 1)
        for past in history
    )


def common_failure(broken: Sequence[BrokenTrial]) -> str | None:
    """What all trials broke with, when they are many and it is the same; else None.

    Numbers do not tell failures apart: they are addresses, process ids, sizes.
    """
    lines = [error_line(trial.words) for trial in broken]
    alike = len({re.sub(r"0x[0-9a-f]+|\d+", "#", line) for line in lines}) == 1
    return lines[0] if alike and len(broken) >= MOST_ALIKE else None


def _count(history: Sequence[PastAttempt], outcomes: Collection[str | None]) -> int:
    return sum(past.outcome in outcomes for past in history)
