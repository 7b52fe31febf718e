"""Broken trials are told once for each reason, with what they broke with."""

import math
from collections.abc import Mapping
from typing import Any

import tuner
from tests.scenes import Script, report
from tests.studies import make_space, simulate
from tuner.events import AttemptEnd
from tuner.execution.simulated import SimulatedExecutor
from tuner.launching import launch
from tuner.reporting.broken import breakages
from tuner.reporting.study_data import read_study

TRACEBACK = "Traceback (most recent call last):\n  File 'mine.py', line 3\nValueError: a bug\n"


def test_trials_that_broke_alike_are_told_together_and_the_most_common_reason_first(sqlite_url: str) -> None:
    def play(study: Any) -> None:
        trials = [study.next_trial() for _ in range(4)]
        for trial in trials[:2]:
            study.on_epoch(trial, report(1, score=0.5))
            study.on_end(trial, AttemptEnd.RAISED, TRACEBACK)
        study.on_end(trials[2], AttemptEnd.RAISED, TRACEBACK.replace("a bug", "another"))
        study.on_epoch(trials[3], report(1, score=math.nan))

    space = make_space(budget={"trials": 4}, concurrency=4)
    launch(space, sqlite_url, say=lambda line: None, make_executor=lambda space, data, *_: Script(play, concurrency=4))
    told = breakages(read_study(tuner.open_study(sqlite_url, "s")))
    assert [breakage.reason for breakage in told] == ["ValueError: a bug", "ValueError: another", "score is nan"]
    assert [[broken.trial for broken in breakage.trials] for breakage in told] == [[0, 1], [2], [3]]
    assert [breakage.traceback for breakage in told] == [TRACEBACK, TRACEBACK.replace("a bug", "another"), ""]
    first = told[0].trials[0]
    assert (first.state, first.epochs) == ("failed", 1)
    assert "x" in first.configuration


def test_an_attempt_that_broke_and_was_tried_again_is_told_too(sqlite_url: str) -> None:
    def play(study: Any) -> None:
        study.on_end(study.next_trial(), AttemptEnd.RAISED, TRACEBACK)
        again = study.next_trial()
        assert again.trial == 0
        study.on_epoch(again, report(1, score=0.5))

    space = make_space(budget={"trials": 1}, settings={"epochs": 1}, max_retries=1)
    launch(space, sqlite_url, say=lambda line: None, make_executor=lambda space, data, *_: Script(play))
    (told,) = breakages(read_study(tuner.open_study(sqlite_url, "s")))
    assert told.reason == "ValueError: a bug"
    assert [(broken.trial, broken.state) for broken in told.trials] == [(0, "complete")]


def test_a_study_in_which_nothing_broke_has_no_breakage(sqlite_url: str) -> None:
    def curve(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
        return {"score": 0.5}

    simulate(make_space(), sqlite_url, SimulatedExecutor(curve))
    assert breakages(read_study(tuner.open_study(sqlite_url, "s"))) == []
