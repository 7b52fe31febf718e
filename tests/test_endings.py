"""What becomes of a trial whose attempt ended by itself."""

import pytest

from storage.attempts import BrokenTrial, PastAttempt
from tuner.endings import MOST_ALIKE, Next, after_the_end, common_failure, must_run_alone


def history(*attempts: str, gpus: float = 0.0) -> list[PastAttempt]:
    """`outcome@epoch`: how each attempt ended, and the newest epoch then."""
    parts = [attempt.split("@") for attempt in attempts]
    return [PastAttempt(outcome, int(epoch), gpus) for outcome, epoch in parts]


@pytest.mark.parametrize(
    ("attempts", "max_retries", "expected"),
    [
        (["failed@3"], 0, Next.FAIL),
        (["failed@3"], 1, Next.TRY_AGAIN),
        (["failed@3", "failed@5"], 1, Next.FAIL),
        (["failed@3", "timed_out@3"], 1, Next.FAIL),
        (["timed_out@0"], 0, Next.FAIL),
        (["worker_lost@2", "failed@2"], 0, Next.FAIL),
        (["worker_lost@0"], 0, Next.TRY_AGAIN),
        (["worker_lost@0", "worker_lost@0"], 5, Next.FAIL),
        (["worker_lost@2", "worker_lost@3"], 0, Next.TRY_AGAIN),
        (["worker_lost@2", "worker_lost@3", "worker_lost@3"], 0, Next.FAIL),
        (["launch_died@2", "worker_lost@2"], 0, Next.TRY_AGAIN),  # the launch's death is not the trial's
        (["worker_lost@2", "launch_died@2", "worker_lost@2"], 0, Next.FAIL),  # and does not make up for one
        (["worker_lost@2", "interrupted@4", "worker_lost@4"], 0, Next.TRY_AGAIN),
        (["node_lost@1", "node_lost@1", "node_lost@1"], 0, Next.TRY_AGAIN),
        (["evicted@1", "evicted@1"], 0, Next.TRY_AGAIN),
        (["node_lost@1", "worker_lost@1"], 0, Next.TRY_AGAIN),
        (["out_of_memory@0"], 0, Next.TRY_AGAIN),
        (["out_of_memory@0", "out_of_memory@4"], 9, Next.INFEASIBLE),
        (["out_of_device_memory@0", "launch_died@0", "out_of_memory@0"], 0, Next.INFEASIBLE),
    ],
)
def test_what_becomes_of_a_trial(attempts: list[str], max_retries: int, expected: Next) -> None:
    assert after_the_end(history(*attempts), max_retries) is expected


@pytest.mark.parametrize(
    ("attempts", "gpus", "alone"),
    [
        (["worker_lost@1"], 0.0, False),
        (["out_of_memory@1"], 1.0, True),
        (["out_of_memory@1", "launch_died@1"], 0.0, True),
        (["out_of_device_memory@1"], 0.5, True),
        (["out_of_device_memory@1"], 1.0, False),  # nothing else was on that GPU
    ],
)
def test_memory_that_may_have_been_shared_is_tried_alone(attempts: list[str], gpus: float, alone: bool) -> None:
    assert must_run_alone(history(*attempts, gpus=gpus)) is alone


def test_failures_are_alike_whatever_numbers_they_hold() -> None:
    words = "Traceback …\nRuntimeError: worker {} found 0x{}f0 bytes"
    broken = [BrokenTrial(n, n, words.format(100 + n, n)) for n in range(MOST_ALIKE)]
    assert common_failure(broken) == "RuntimeError: worker 100 found 0x0f0 bytes"
    assert common_failure(broken[1:]) is None  # too few to tell
    assert common_failure([*broken, BrokenTrial(9, 0, "ValueError: another")]) is None
    assert common_failure([]) is None
