"""The root of every error a user can cause; it imports nothing of the product."""

import re

LONGEST_MESSAGE = 500  # characters


class TunerError(Exception):
    """Something a user can put right. The message is complete: where, what was found, what is allowed, what to do.

    It is one line without control characters and passwords, whatever a file, a file's name or an option held.
    """

    def __init__(self, message: str) -> None:
        super().__init__(plain_line(message))


class InputError(TunerError, ValueError):
    """A file, an option or a value that cannot be used. Nothing was written, nothing was started."""


class TrainingError(TunerError, RuntimeError):
    """A trial cannot go on and fails with this reason; or a whole launch cannot, since all its trials fail in one way."""


class RayLostError(TunerError, RuntimeError):
    """Ray's own processes died under a launch; the study can be gone on with."""


class CheckpointError(TunerError, OSError):
    """A checkpoint cannot be written or read; the trial goes on without it."""


class CheckpointDamagedError(CheckpointError):
    """A checkpoint is not what was written, or is gone from its folder: nobody will ever read it."""


class SettingError(InputError):
    """One key has a value that cannot be used; whoever knows the file adds its name and line."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}")
        self.key = key
        self.message = message


def plain_line(words: str) -> str:
    """Any text as one line that a terminal shows as it is: blanks for line ends, other control characters written out,
    passwords of URLs hidden, the middle of a very long one left out (its end says what to do)."""
    line = " ".join(words.split("\n"))
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    line = re.sub(r"(\w[\w+.-]*:/{1,2}[^\s:/@]*):[^\s/]*@", r"\1:***@", line)  # one / where it was taken for a path
    line = re.sub(r"([?&]password=)[^\s&]*", r"\1***", line)
    if len(line) <= LONGEST_MESSAGE:
        return line
    half = LONGEST_MESSAGE // 2
    return f"{line[: half + 40]} … {line[-half + 50 :]}"
