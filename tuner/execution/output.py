"""What a worker prints, whoever prints it: Python, a C library, a child process."""

import os
import sys
from pathlib import Path

from tuner.execution.last_words import LARGEST_BYTES


class OutputCapture:
    """Turns the standard output and error of this process, for good, to a file that belongs to one attempt after another:
    should the process die, what it had not yet handed over is found there.

    Args:
        file: of the first attempt; its folder is there.
    """

    def __init__(self, file: Path) -> None:
        self._path = file
        self._file = open(file, "w+b")
        for stream in (1, 2):
            os.dup2(self._file.fileno(), stream)

    def belongs_to(self, file: Path) -> None:
        """From now on the output is another attempt's; what is left of the one before is dropped."""
        self.take()
        os.replace(self._path, file)
        self._path = file

    def take(self) -> str:
        """What was printed since the last call; of more than 64 KB the end."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        size = self._file.seek(0, os.SEEK_END)  # the streams share this position: they write where it stands
        self._file.seek(max(0, size - LARGEST_BYTES))
        words = self._file.read().decode(errors="replace")
        self._file.seek(0)
        self._file.truncate()
        return words if size <= LARGEST_BYTES else f"[{size - LARGEST_BYTES} bytes before this are left out]\n{words}"
