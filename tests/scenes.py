"""A study played by hand: a test says what its executor does with it."""

from typing import Any

from storage.transaction import Place
from tuner.events import Assignment, Decider, EpochReport
from tuner.launching import launch
from tuner.search_space import SearchSpace

HERE = Place("host", 1, "cpu")


def report(epoch: int, **metrics: float) -> EpochReport:
    return EpochReport(epoch, metrics, {}, HERE)


class Script:
    """An executor that does what a test tells it with the study itself."""

    cpus, gpus, concurrency = 1.0, 0.0, 1
    clock = None

    def __init__(self, play: Any, concurrency: int = 1) -> None:
        self._play = play
        self.concurrency = concurrency

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def run(self, study: Decider) -> None:
        self._play(study)


def play(
    space: SearchSpace, url: str, scene: Any, concurrency: int = 1, say: Any = lambda line: None, patience: float = 0.0
) -> None:
    launch(space, url, say=say, make_executor=lambda *_: Script(scene, concurrency), patience_seconds=patience)


def begin(study: Decider) -> Assignment:
    assignment = study.next_trial()
    assert isinstance(assignment, Assignment)
    return assignment
