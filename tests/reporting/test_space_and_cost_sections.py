"""Sections about the search space, time and cost, drawn from studies in a database."""

import math
from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
import pytest

import tuner
from tests.scenes import begin, play, report
from tests.studies import make_space, simulate
from tests.trainers import curve
from tuner.events import AttemptEnd, Decider
from tuner.execution.simulated import SimulatedExecutor
from tuner.reporting.sections import SECTIONS
from tuner.reporting.study_data import StudyData, read_study

OURS = ("parallel-coordinates", "importance", "slice", "contour", "time-line", "spending")
HOSTILE = "<img src=x onerror=alert(1)>"


def read(url: str) -> StudyData:
    return read_study(tuner.open_study(url, "s"))


def draw(study: StudyData) -> dict[str, list[go.Figure]]:
    return {section.key: section.draw(study) for section in SECTIONS if section.key in OURS}


def broken(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
    """As `curve`, but a seventh of the space breaks in its second epoch."""
    is_broken = epoch == 2 and 0.4 < configuration["x"] < 0.55
    return curve(configuration, epoch) | ({"loss": math.nan} if is_broken else {})


def test_a_study_has_every_section(sqlite_url: str) -> None:
    simulate(make_space(budget={"trials": 40}), sqlite_url, SimulatedExecutor(broken, workers=3))
    study = read(sqlite_url)
    drawn = draw(study)
    assert {key: len(drawn[key]) for key in OURS} == dict(zip(OURS, (1, 1, 3, 1, 1, 1), strict=True))
    assert drawn["contour"][0].layout.title.text == "score over x and depth"
    epochs = study.trials["epochs"].sum()  # of a minute each; 9 in a trial that nobody stops
    assert study.spending.total_hours == pytest.approx(epochs / 60)
    stopped = study.decisions.query("rule == 'asha' and verdict == 'stop'")["trial"]
    assert study.spending.num_stopped == len(stopped) > 5
    assert study.spending.saved_hours == pytest.approx((9 - study.trials.loc[stopped, "epochs"]).sum() / 60)
    nan = study.decisions.query("rule == 'not_finite'")["trial"]
    assert len(nan) > 0
    assert study.spending.hours["broken"] == pytest.approx(study.trials.loc[nan, "epochs"].sum() / 60)


def test_a_study_that_has_just_begun_has_none(sqlite_url: str) -> None:
    play(make_space(), sqlite_url, lambda study: None)
    assert not any(draw(read(sqlite_url)).values())


def test_a_trial_before_its_first_epoch_is_on_the_time_line_only(sqlite_url: str) -> None:
    play(make_space(), sqlite_url, begin)
    drawn = draw(read(sqlite_url))
    assert [key for key in OURS if drawn[key]] == ["time-line", "spending"]


def test_failed_trials_are_time_that_broke(sqlite_url: str) -> None:
    def scene(study: Decider) -> None:
        for _ in range(2):
            assignment = begin(study)
            study.on_epoch(assignment, report(1, score=math.inf))
            study.on_end(assignment, AttemptEnd.RAISED, "ValueError: a bug")

    play(make_space(stop_when=[], budget={"trials": 2}), sqlite_url, scene)
    study = read(sqlite_url)
    drawn = draw(study)
    assert [key for key in OURS if drawn[key]] == ["time-line", "spending"]
    assert study.spending.hours["broken"] == study.spending.total_hours > 0


def test_what_users_have_named_is_shown_as_text(sqlite_url: str) -> None:
    space = make_space(
        study="s",
        metric={"name": HOSTILE, "goal": "minimize"},
        space={HOSTILE: ["a", HOSTILE], f"2{HOSTILE}": {"low": 0.0, "high": 1.0}, "x": {"low": 0.0, "high": 1.0}},
        budget={"trials": 30},
    )
    hostile = SimulatedExecutor(lambda configuration, epoch: {HOSTILE: configuration["x"]})
    simulate(space, sqlite_url, hostile)
    for key, figures in draw(read(sqlite_url)).items():
        assert figures
        for figure in figures:
            drawn = figure.to_json().replace("\\u003c", "<")
            assert "<img" not in drawn
            assert "&lt;img" in drawn or key == "spending"
