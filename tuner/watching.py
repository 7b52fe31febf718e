"""`tuner status --watch`: follow a study from any process that reaches its database, until its launch ends."""

import signal
import time
from collections.abc import Callable
from dataclasses import replace

from storage.errors import DatabaseAwayError
from storage.reading import StudyReader
from storage.standing import Standing
from tuner.interrupts import Interrupted, catch_signals
from tuner.reporting.live_status import REFRESH_SECONDS, LiveStatus
from tuner.reporting.status_lines import all_lines


def watch_live(url: str, study: str) -> None:
    """Show the study on the terminal until no launch of it is alive, or until Ctrl-C.

    Raises: StorageError: there is no such study, or no database. SystemExit: SIGTERM.
    """
    display = LiveStatus(url, study, hint="Ctrl-C ends watching; the launch goes on")
    try:
        with catch_signals(display.leave), display:
            display.open()
            while display.refresh().is_running:
                time.sleep(display.pause)
    except Interrupted as interrupted:
        _end_of_watching(interrupted)


def print_changes(reader: StudyReader, study: str, say: Callable[[str], None]) -> None:
    """Say how the study stands each time an epoch, a trial or a launch has changed it; ends as `watch_live` does.

    Raises: StorageError: there is no such study. SystemExit: SIGTERM.
    """
    said: Standing | None = None
    try:
        with catch_signals(lambda: None):
            standing = reader.standing(study)
            while True:
                if said is None or _without_times(standing) != _without_times(said):
                    for line in [*([""] if said else []), *all_lines(standing)]:
                        say(line)
                    said = standing
                if not standing.is_running:
                    return
                time.sleep(REFRESH_SECONDS)
                try:
                    standing = reader.standing(study)
                except DatabaseAwayError:
                    continue  # asked again
    except Interrupted as interrupted:
        _end_of_watching(interrupted)


def _end_of_watching(interrupted: Interrupted) -> None:
    if interrupted.exit_code != 128 + signal.SIGINT:
        raise SystemExit(interrupted.exit_code) from None


def _without_times(study: Standing) -> Standing:
    running = tuple(replace(trial, seconds=0.0) for trial in study.running)
    return replace(study, hours=0.0, gpu_hours=0.0, cpu_hours=0.0, epochs_per_hour=0.0, read_at=0.0, running=running)
