"""What the dashboard reads, each part once for all who look: it asks cheaply how a study stands, and reads the rest anew only
when that has changed and somebody wants to see it.

Every reading is a short transaction of its own; none is open between two of them, so that SQLite's write-ahead log can be
taken back at any time.
"""

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from storage.checkpoints import Checkpoint
from storage.presence import database_identity
from storage.reading import StudyReader
from storage.standing import Standing
from storage.trial_log import TrialLog, read_trial_log
from tuner.reporting.figures import Objective
from tuner.reporting.frames import StudyFrames
from tuner.reporting.sections import SECTIONS, Section
from tuner.reporting.study_data import StudyData, read_study

_FRESH_SECONDS = 1.0  # several pages ask in the same moment
_MOST_STUDIES = 3  # whose readings are kept in memory


class Look:
    """A study as it was when its standing last changed; its parts are read when they are first asked for.

    Attributes:
        token: equal for equal standings; tells a page whether it must draw anew.
        seconds: that reading and drawing have taken, so far or, before anything was drawn, of the look before.
    """

    def __init__(self, standing: Standing, token: str, frames: StudyFrames, lock: Any, before: "Look | None") -> None:
        self.standing, self.token = standing, token
        self._frames, self._lock = frames, lock
        self._spent, self._spent_before = 0.0, before.seconds if before else 0.0
        self._is_making = False
        self._made: dict[object, Any] = {}

    @property
    def seconds(self) -> float:
        return self._spent or self._spent_before

    @property
    def objective(self) -> Objective:
        """The metric by which the study searches."""
        metric = self.standing.space["metric"]
        return Objective(metric["name"], metric["goal"])

    @property
    def trials(self) -> pd.DataFrame:
        """As `StudyFrames.trials`."""
        return self.once("trials", lambda: self._frames.trials)

    @property
    def data(self) -> StudyData:
        """All of the study."""
        data: StudyData = self.once("data", lambda: read_study(self._frames))
        return data

    def trial(self, number: int) -> StudyData:
        """The study as if it had this trial alone."""
        frames = self._frames
        decisions, attempts = frames.decisions, frames.attempts
        return StudyData(
            name=self.standing.name,
            space=self.standing.space,
            standing=self.standing,
            trials=self.trials.loc[[number]],
            epochs=frames.epochs_of([number]),
            decisions=decisions[decisions["trial"] == number],
            attempts=attempts[attempts["trial"] == number],
            launches=frames.launches,
            gradient_flow=frames.gradient_flow_of([number]),
        )

    def once(self, what: object, make: Callable[[], Any]) -> Any:
        """What was made under this name before, else what `make` returns."""
        with self._lock:
            if what not in self._made:
                outermost, self._is_making, began = not self._is_making, True, time.monotonic()
                try:
                    self._made[what] = make()
                finally:
                    if outermost:  # what it asks for in turn is part of it
                        self._is_making = False
                        self._spent += time.monotonic() - began
            return self._made[what]


class Readings:
    """A database under observation, for any number of threads, one reading at a time.

    Args:
        url: the database.
    Raises: StorageError: there is none, or it is not ours. The methods raise it too while the database is away, and work again
        by themselves when it is back.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._lock = threading.RLock()
        self._looks: dict[str, tuple[float, Look]] = {}
        self._frames: dict[str, StudyFrames] = {}
        self._identity = database_identity(url)
        self._reader = StudyReader(url)

    def names(self) -> list[str]:
        """Names of all studies, oldest first."""
        with self._lock:
            return self._opened().names()

    def look(self, study: str) -> Look:
        """How a study is now.

        Raises: StudyNotFoundError: it was deleted.
        """
        with self._lock:
            reader = self._opened()
            read_at, before = self._looks.get(study, (0.0, None))
            if before is not None and time.monotonic() - read_at < _FRESH_SECONDS:
                return before
            standing = reader.standing(study)
            token = _token(standing)
            if before is not None and before.token == token:
                before.standing = standing  # times have gone on
                look = before
            else:
                if study not in self._frames:
                    self._frames[study] = StudyFrames(self.url, study)
                look = Look(standing, token, self._frames[study], self._lock, before)
            self._looks.pop(study, None)
            self._looks[study] = (time.monotonic(), look)
            while len(self._looks) > _MOST_STUDIES:
                oldest = next(iter(self._looks))
                del self._looks[oldest]
                self._frames.pop(oldest).close()  # else each study ever looked at would hold connections
            return look

    def log(self, study: str, number: int) -> TrialLog:
        """All that is recorded of a trial.

        Raises: StudyNotFoundError, TrialNotFoundError.
        """
        with self._lock:
            return read_trial_log(self._opened(), study, number)

    def checkpoints(self, study: str, number: int) -> tuple[Checkpoint, ...]:
        """The kept checkpoints of a trial, newest first."""
        with self._lock:
            return self._opened().checkpoints(study, number)

    def close(self) -> None:
        """Give all connections back: of a SQLite database the last one takes the write-ahead log with it. Does not wait for a
        reading."""
        self._reader.close()
        for frames in list(self._frames.values()):
            frames.close()

    def _opened(self) -> StudyReader:
        """The reader; another one where another file has taken the database's place."""
        found = database_identity(self.url)
        if found != self._identity:
            reader = StudyReader(self.url)  # raises while there is none
            self.close()
            self._looks.clear()
            self._frames.clear()
            self._reader, self._identity = reader, found
        return self._reader


def section(key: str) -> Section | None:
    """The section of this key."""
    return next((section for section in SECTIONS if section.key == key), None)


def _token(standing: Standing) -> str:
    """Tells standings apart by all but the times in them."""
    running = tuple(replace(trial, seconds=0.0) for trial in standing.running)
    lasting = replace(
        standing, hours=0.0, gpu_hours=0.0, cpu_hours=0.0, epochs_per_hour=0.0, read_at=0.0, running=running
    )
    return hashlib.sha256(repr(lasting).encode()).hexdigest()[:16]
