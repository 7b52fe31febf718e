"""A database that is away for a while: the launch waits, says so, and goes on; no event is lost or recorded twice."""

import time
from collections.abc import Callable, Collection
from typing import TypeVar

from storage.errors import DatabaseAwayError
from tuner.events import Assignment, AttemptEnd, Decider, Decision, EpochReport, Idle, Outcome

PATIENCE_SECONDS = 600.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 10.0
Answer = TypeVar("Answer")


class Patient:
    """A study whose events are asked again until the database answers.

    An event whose answer was lost after its commit is asked again too: an epoch that is recorded stays as it is, and a
    trial that was handed out without anybody hearing of it is put back.

    Args:
        study: who decides.
        reclaim: puts back what was handed out but to those (trial, attempt).
        tell: takes a line.
        patience_seconds: how long to wait for the database before giving up.
        sleep, clock: of real time, in seconds.
    Raises: DatabaseAwayError: from any event, when patience is at its end.
    """

    def __init__(
        self,
        study: Decider,
        reclaim: Callable[[Collection[tuple[int, int]]], None],
        tell: Callable[[str], None],
        patience_seconds: float = PATIENCE_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._study = study
        self._reclaim = reclaim
        self._tell = tell
        self._patience_seconds = patience_seconds
        self._sleep, self._clock = sleep, clock
        self._held: set[tuple[int, int]] = set()

    def next_trial(self) -> Assignment | Idle:
        """As the study's."""
        answer = self._until_answered(self._study.next_trial, lambda: self._reclaim(frozenset(self._held)))
        if isinstance(answer, Assignment):
            self._held.add((answer.trial, answer.attempt))
        return answer

    def on_epoch(self, assignment: Assignment, report: EpochReport) -> Decision:
        """As the study's."""
        decision = self._until_answered(lambda: self._study.on_epoch(assignment, report))
        if decision.stops:
            self._held.discard((assignment.trial, assignment.attempt))
        return decision

    def on_end(self, assignment: Assignment, end: AttemptEnd, traceback: str, output: str = "") -> Outcome:
        """As the study's."""
        outcome = self._until_answered(lambda: self._study.on_end(assignment, end, traceback, output))
        self._held.discard((assignment.trial, assignment.attempt))
        return outcome

    def _until_answered(self, event: Callable[[], Answer], before_again: Callable[[], None] = lambda: None) -> Answer:
        try:
            return event()
        except DatabaseAwayError as error:
            self._tell(f"{error}; waiting for up to {self._patience_seconds:g} s")
        began, pause = self._clock(), _FIRST_PAUSE_SECONDS
        while True:
            self._sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            waited = self._clock() - began
            try:
                before_again()
                answer = event()
            except DatabaseAwayError:
                if waited >= self._patience_seconds:
                    raise
                continue
            self._tell(f"the database answers again, after {waited:.0f} s")
            return answer
