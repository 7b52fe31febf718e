"""What a worker that died had not yet said: files of the launch's folder, on the machine where the worker ran."""

import os
from dataclasses import dataclass
from pathlib import Path

from tuner.events import Assignment

LARGEST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class AttemptFiles:
    """Where an attempt's worker prints to, and where it says that an epoch hangs."""

    output: Path
    hang: Path

    @classmethod
    def of(cls, folder: str, assignment: Assignment) -> "AttemptFiles":
        """Those of one attempt of a launch."""
        name = f"trial-{assignment.trial}.attempt-{assignment.attempt}"
        return cls(Path(folder, f"{name}.output"), Path(folder, f"{name}.hang"))


@dataclass(frozen=True, slots=True)
class LastWords:
    """What was printed after the last epoch, and the stacks of an attempt that was ended because it hung."""

    output: str = ""
    hang: str = ""


def read_last_words(folder: str, assignment: Assignment) -> LastWords:
    """What a dead worker left of an attempt; empty where it ran on another machine."""
    files = AttemptFiles.of(folder, assignment)
    return LastWords(_end_of(files.output), _end_of(files.hang))


def _end_of(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LARGEST_BYTES))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
