"""What a worker prints, whoever prints it: Python, a C library, a child process."""

import os
import sys
import tempfile

LARGEST_BYTES = 64 * 1024


class OutputCapture:
    """Turns the standard output and error of this process, for good, to a file that nobody else sees."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()
        for stream in (1, 2):
            os.dup2(self._file.fileno(), stream)

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
