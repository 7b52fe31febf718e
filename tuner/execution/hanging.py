"""Ends a worker whose trainer hangs, from outside of Python: also where a C library holds the interpreter for ever."""

import faulthandler
from pathlib import Path
from typing import Protocol


class TimeLimit(Protocol):
    """How long a trainer may work before it says something."""

    def begin(self) -> None:
        """The time runs from now on, anew where it ran already."""
        ...

    def end(self) -> None:
        """The time does not run any more."""
        ...


class NoTimeLimit:
    """A trainer may take as long as it likes."""

    def begin(self) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


class HangLimit:
    """After so many seconds the stacks of all threads are written to a file and this process ends.

    Args:
        seconds: > 0.
        file: what the stacks are written to; made here, empty.
    """

    def __init__(self, seconds: float, file: Path) -> None:
        self._seconds = seconds
        self._file = open(file, "wb")

    def begin(self) -> None:
        """The time runs from now on."""
        faulthandler.dump_traceback_later(self._seconds, file=self._file, exit=True)

    def end(self) -> None:
        """The time does not run any more."""
        faulthandler.cancel_dump_traceback_later()
