"""Ctrl-C and SIGTERM: the event being recorded is finished, then the launch ends; a second signal leaves at once."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from tuner.events import Assignment, AttemptEnd, Decider, Decision, EpochReport, Idle, Outcome

GO_ON = "interrupted; launch again to go on"
LEAVE_AFTER_SECONDS = 10.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
Answer = TypeVar("Answer")


class Interrupted(BaseException):
    """Somebody asked this process to end. No KeyboardInterrupt: libraries on the way turn those into errors of theirs."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.exit_code = 128 + signal_number


class Interrupts:
    """Knows whether a signal has come, and keeps it from tearing an event apart.

    Args:
        leave: called just before the process ends at once; must not wait for anything.
    """

    def __init__(self, leave: Callable[[], None]) -> None:
        self.received: int | None = None
        self._tidy_up = leave
        self._watchdog: threading.Timer | None = None
        self._in_event = False

    def take_signals(self) -> None:
        """Be the one whom signals reach; again after anything that takes them for itself, as Ray's start does."""
        for number in _SIGNALS:
            signal.signal(number, self.on_signal)

    def run_event(self, event: Callable[[], Answer]) -> Answer:
        """Run one event to its end; a signal that comes meanwhile ends the launch after it.

        Raises: Interrupted: a signal has come. Before the event: what it would tell, a worker's death perhaps, may be the
            signal's own doing.
        """
        self.raise_if_received()
        self._in_event = True
        try:
            answer = event()
        finally:
            self._in_event = False
        self.raise_if_received()
        return answer

    def raise_if_received(self) -> None:
        """Raises: Interrupted: a signal has come."""
        if self.received is not None:
            raise Interrupted(self.received)

    def over(self) -> None:
        """Nothing hangs any more."""
        if self._watchdog is not None:
            self._watchdog.cancel()

    def _leave(self) -> None:
        """Something does not end: Ray waits a minute for its own server where the signal has reached that one too."""
        assert self.received is not None, "set before the watchdog is started"
        self._tidy_up()
        os.write(2, f"{GO_ON}\n".encode())  # past sys.stderr, whose locks the hanging thread may hold
        os._exit(128 + self.received)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """The handler. Whatever is written is committed or rolled back as a whole, so leaving at once loses nothing."""
        if self.received is not None:
            self._tidy_up()
            os._exit(128 + number)
        self.received = number
        self._watchdog = threading.Timer(LEAVE_AFTER_SECONDS, self._leave)
        self._watchdog.daemon = True
        self._watchdog.start()
        if not self._in_event:
            raise Interrupted(number)


@contextmanager
def catch_signals(leave: Callable[[], None]) -> Iterator[Interrupts]:
    """Turn SIGINT and SIGTERM into `Interrupted` inside the block; to be entered on the main thread.

    Args:
        leave: called before the process ends at once, on a second signal; must not wait for anything.
    """
    interrupts = Interrupts(leave)
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    interrupts.take_signals()
    try:
        yield interrupts
    finally:
        interrupts.over()
        for number, handler in before.items():
            signal.signal(number, handler)


class Uninterrupted:
    """A study whose events signals cannot tear apart."""

    def __init__(self, study: Decider, interrupts: Interrupts) -> None:
        self._study = study
        self._interrupts = interrupts

    def next_trial(self) -> Assignment | Idle:
        """As the study's."""
        return self._interrupts.run_event(self._study.next_trial)

    def on_epoch(self, assignment: Assignment, report: EpochReport) -> Decision:
        """As the study's."""
        return self._interrupts.run_event(lambda: self._study.on_epoch(assignment, report))

    def on_end(self, assignment: Assignment, end: AttemptEnd, traceback: str, output: str = "") -> Outcome:
        """As the study's."""
        return self._interrupts.run_event(lambda: self._study.on_end(assignment, end, traceback, output))
