"""Ends all that a launch has on this machine; as a process of its own, when the launch died without doing so itself.

That process is `python -I -S reaper.py FOLDER`: the standard library alone, for it must be there before Ray is. It waits at
a pipe: one byte says that nothing is left to do, its end without a byte that the launch is dead.
See docs/decisions/0011-nothing-outlives-a-launch.md.
"""

import os
import shutil
import signal
import sys
import time
from contextlib import suppress

MARK = "TUNER_LAUNCH"  # in the environment of every process of a launch: the launch's folder
_MOMENT_SECONDS = 3.0  # for workers to end by themselves
_PATIENCE_SECONDS = 30.0  # with processes that the kernel does not let go of yet
_PAUSE_SECONDS = 0.1


def erase(folder: str) -> int:
    """kill -9 every process of a launch until none is left, then remove its folder.

    Args:
        folder: the launch's, absolute. It stays when a process cannot be ended.
    Returns: how many processes there were.
    """
    killed: set[int] = set()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while found := _processes(folder):  # again: what one of them starts meanwhile carries the mark too
        if time.monotonic() > deadline:
            return len(killed)
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed.update(found)
        time.sleep(_PAUSE_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)
    return len(killed)


def _processes(folder: str) -> list[int]:
    """Living processes that carry the launch's mark, whoever their parent is by now; a zombie has no environment."""
    mark = f"{MARK}={folder}".encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    if mark in file.read().split(b"\0"):
                        found.append(int(name))
            except OSError:  # has ended, or is somebody else's
                continue
    return found


def _main() -> None:
    if os.read(0, 1):
        return
    time.sleep(_MOMENT_SECONDS)
    erase(sys.argv[1])


if __name__ == "__main__":
    _main()
