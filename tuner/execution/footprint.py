"""What a launch has on this machine: a folder, and processes that carry its mark. Nothing of it outlives the launch.

The folder is locked for as long as the launch or its reaper lives; the kernel lets go of the lock at their death. The mark
is a variable in the environment that holds the folder's path. See docs/decisions/0011-nothing-outlives-a-launch.md.
"""

import fcntl
import os
import re
import secrets
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tuner.execution import reaper

PLACE = Path("/tmp")  # paths of Unix sockets end at 107 bytes, and Ray's are long
# Ray's processes give themselves titles, which overwrite their environment in /proc unless this is set
_KEEPS_MARKS = {"SPT_NOENV": "1"}
_NAME = re.compile(r"tuner-[0-9a-f]{12}")
_REAPER_ENDS_SECONDS = 5.0


class Footprint:
    """One launch's; made by `begin`, gone after `end`.

    Attributes:
        folder: for Ray's session and Tune's files.
    """

    def __init__(self) -> None:
        self.folder = PLACE / f"tuner-{secrets.token_hex(6)}"
        self._lock: int | None = None
        self._reaper: subprocess.Popen[bytes] | None = None
        self._environment_before: dict[str, str | None] = {}

    def begin(self) -> None:
        """Make the folder, start the reaper, and mark every process that is started from now on."""
        self._lock = _make_locked(self.folder)
        self._reaper = self._start_reaper(self._lock)
        marks = {reaper.MARK: str(self.folder), **_KEEPS_MARKS}
        self._environment_before = {name: os.environ.get(name) for name in marks}  # an outer launch's, in a trial of it
        os.environ.update(marks)

    def end(self) -> None:
        """End every process that carries the mark and remove the folder; what cannot be ended now is left to the reaper."""
        if self._lock is None:
            return
        for name, value in self._environment_before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        try:
            reaper.erase(str(self.folder))
        finally:
            self._dismiss_reaper(nothing_is_left=not self.folder.exists())
            os.close(self._lock)
            self._lock = None

    def _start_reaper(self, lock: int) -> "subprocess.Popen[bytes]":
        """It holds the lock too, so that nobody sweeps while it works, and carries no mark, its launch's or an outer one's."""
        # handed down: Slurm and systemd send their signals to each single process, and nothing but kill -9 shall end this one
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", reaper.__file__, str(self.folder)],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,  # who reads the launch's output sees its end when the launch dies
                stderr=subprocess.DEVNULL,
                pass_fds=(lock,),
                start_new_session=True,  # a terminal's signals are for the launch's group
                cwd="/",
                env={name: value for name, value in os.environ.items() if name != reaper.MARK},
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _dismiss_reaper(self, nothing_is_left: bool) -> None:
        if self._reaper is None:  # a signal came while it was being started
            return
        assert self._reaper.stdin is not None
        with self._reaper.stdin as pipe, suppress(BrokenPipeError):  # somebody may have killed it
            if nothing_is_left:
                pipe.write(b"\0")
        if nothing_is_left:
            with suppress(subprocess.TimeoutExpired):
                self._reaper.wait(_REAPER_ENDS_SECONDS)


def sweep() -> list[str]:
    """Erase what launches of this user left that were killed together with their reapers.

    Returns: a line to be told for each.
    """
    lines = []
    for folder in sorted(PLACE.glob("tuner-*")):
        if not _NAME.fullmatch(folder.name) or not _is_mine(folder):
            continue
        lock = _lock(folder)
        if lock is None:
            continue
        num_processes = reaper.erase(str(folder))
        os.close(lock)
        if not folder.exists():
            lines.append(
                f"removed {folder}, left by a launch that was killed; processes of it that were ended: {num_processes}"
            )
    return lines


def _is_mine(folder: Path) -> bool:
    try:
        return folder.lstat().st_uid == os.geteuid()
    except FileNotFoundError:
        return False


def _make_locked(folder: Path) -> int:
    """Make a folder and lock it; returns the lock's file descriptor. A sweep may take it before the lock is: then again."""
    while True:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        lock = _lock(folder)
        if lock is not None:
            return lock


def _lock(folder: Path) -> int | None:
    """Lock the folder itself, which keeps cleaners of /tmp away from it too; None when it is held, or is none any more."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), folder.stat()):  # else the one before has removed it
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(lock)
    return None
