"""Learning curves, early stopping and gradient flow as report and dashboard ask for them, of studies in every state."""

import math
from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
import pytest

import tuner
from tests.studies import make_space, simulate
from tests.trainers import curve
from tuner.execution.simulated import SimulatedExecutor
from tuner.reporting.sections import SECTIONS
from tuner.reporting.study_data import read_study

MINE = ("learning-curves", "rungs", "gradient-flow")


def flow(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
    return {"first": 0.0, "last": 0.1 / epoch}


def drawn(url: str) -> dict[str, list[go.Figure]]:
    study = read_study(tuner.open_study(url, "s"))
    return {section.key: section.draw(study) for section in SECTIONS if section.key in MINE}


def titles(figures: list[go.Figure]) -> list[str]:
    return [figure.layout.title.text for figure in figures]


def test_a_finished_study_has_all_of_them_in_order(sqlite_url: str) -> None:
    simulate(make_space(budget={"trials": 30}), sqlite_url, SimulatedExecutor(curve, gradient_flow=flow))
    figures = drawn(sqlite_url)
    assert list(figures) == list(MINE)
    assert titles(figures["learning-curves"]) == ["score of every trial", "loss of every trial"]
    assert titles(figures["rungs"]) == [
        "Who was compared at the rungs, and who went on",
        "How well ranks after each epoch predicted the end",
    ]
    early, late, *maps = titles(figures["gradient-flow"])
    assert (early, late) == ("Gradient flow in the first epoch", "Gradient flow in the last epoch")
    assert len(maps) == 3
    for figure in (figure for of_section in figures.values() for figure in of_section):
        assert len(figure.data) > 0
        assert figure.layout.title.subtitle.text.endswith(".")


def test_a_study_that_has_only_begun_has_none(sqlite_url: str) -> None:
    class Nobody(SimulatedExecutor):
        def run(self, study: Any) -> None:
            """Nothing is run."""

    simulate(make_space(), sqlite_url, Nobody(curve))
    assert drawn(sqlite_url) == {"learning-curves": [], "rungs": [], "gradient-flow": []}


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_study_of_broken_trials_is_drawn(sqlite_url: str, broken: float) -> None:
    def curve_of_nothing(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
        return {"score": broken, "loss": broken}

    executor = SimulatedExecutor(curve_of_nothing, gradient_flow=lambda configuration, epoch: {"first": broken})
    simulate(make_space(budget={"trials": 3}), sqlite_url, executor)
    figures = drawn(sqlite_url)
    ends = [trace for trace in figures["learning-curves"][0].data if trace.name == "not finite"]
    assert [list(trace.customdata) for trace in ends] == [[0, 1, 2]]
    assert figures["rungs"] == []  # they were stopped before they could be compared
    assert len(figures["gradient-flow"]) == 3


def test_one_trial_of_one_epoch_is_drawn(sqlite_url: str) -> None:
    simulate(
        make_space(settings={"epochs": 1}, budget={"trials": 1}),
        sqlite_url,
        SimulatedExecutor(curve, gradient_flow=flow),
    )
    figures = drawn(sqlite_url)
    assert [len(of_section) for of_section in figures.values()] == [2, 0, 3]
    (line,) = figures["learning-curves"][0].data
    assert (line.mode, len(line.x)) == ("markers", 1)


def test_values_that_are_not_finite_are_compared_at_rungs_where_they_stop_nobody_before(sqlite_url: str) -> None:
    def sometimes(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
        score = curve(configuration, epoch)["score"]
        return {"score": math.nan if configuration["x"] > 0.7 else score if configuration["x"] > 0.2 else -math.inf}

    simulate(make_space(stop_when=[], budget={"trials": 20}), sqlite_url, SimulatedExecutor(sometimes))
    figures = drawn(sqlite_url)
    stopped = next(trace for trace in figures["rungs"][0].data if trace.name == "stopped")
    assert any("is not a number" in text.replace("<br>", " ") for text in stopped.text)
    assert all(math.isfinite(y) for y in stopped.y)


def test_a_trial_by_itself_is_named(sqlite_url: str) -> None:
    simulate(make_space(budget={"trials": 1}), sqlite_url)
    figure, _ = drawn(sqlite_url)["learning-curves"]
    assert figure.layout.title.text == "score of trial 0"
    assert figure.layout.title.subtitle.text.startswith("A mark is where")
    assert [trace.name for trace in figure.data if trace.mode.startswith("lines")] == ["trial 0"]
