"""Gradient flow: what vanishes or explodes is seen, also where a logarithmic axis has no place for it."""

import math

import numpy as np
import pandas as pd
import pytest

from tests.reporting.frames_by_hand import make_flow, make_trials
from tuner.reporting.figures import gradient_flow, gradient_heat_map

LAYERS = ("entry", "conv", "linear")


@pytest.fixture
def flow() -> pd.DataFrame:
    with_norm = make_flow(0, LAYERS, [1e-1, 1e-2, 1e-3], [1e-2, 1e-2, 1e-2], [1e-3, 1e-3, 1e-2])
    without = make_flow(1, LAYERS, [1e-9, 0.0, 1.0], [math.nan, math.inf, 1e-4])
    return pd.concat([with_norm, without], ignore_index=True)


@pytest.fixture
def trials() -> pd.DataFrame:
    return make_trials(["complete", "failed"], [0.9, math.nan], params_lr=[0.1, 0.1], params_norm=["batch", None])


def test_early_is_each_trials_first_epoch_and_late_its_last(flow: pd.DataFrame, trials: pd.DataFrame) -> None:
    early, late = gradient_flow(flow, trials, "early"), gradient_flow(flow, trials, "late")
    assert early.data[0].y.tolist() == [1e-1, 1e-2, 1e-3]
    assert late.data[0].y.tolist() == [1e-3, 1e-3, 1e-2]
    np.testing.assert_array_equal(late.data[1].y, [math.nan, math.nan, 1e-4])
    assert late.data[1].text[2] == "linear 0.0001 in epoch 2"


def test_both_have_the_same_range_which_holds_all_of_either(flow: pd.DataFrame, trials: pd.DataFrame) -> None:
    early, late = gradient_flow(flow, trials, "early"), gradient_flow(flow, trials, "late")
    assert early.layout.yaxis.range == late.layout.yaxis.range == pytest.approx((-9.45, 0.45))  # nine decades and 5 %
    assert early.layout.yaxis.type == "log"
    assert [text for text in early.layout.yaxis.ticktext][-1] == "10<sup>-1</sup>"


def test_zeros_stand_at_the_bottom_and_what_is_not_finite_at_the_top(flow: pd.DataFrame, trials: pd.DataFrame) -> None:
    early, late = gradient_flow(flow, trials, "early"), gradient_flow(flow, trials, "late")
    (zeros,) = [trace for trace in early.data if trace.mode == "markers"]
    assert (zeros.x.tolist(), zeros.marker.symbol, zeros.customdata.tolist()) == ([1], "triangle-down", [1])
    assert zeros.y[0] < 1e-9
    assert "exactly 0" in early.layout.title.subtitle.text
    (broken,) = [trace for trace in late.data if trace.mode == "markers"]
    assert (broken.x.tolist(), broken.marker.symbol) == ([0, 1], "x")
    assert broken.y[0] > 1
    assert "not finite" in late.layout.title.subtitle.text
    assert [text.split(" ")[1] for text in broken.text] == ["nan", "inf"]


def test_trials_are_told_apart_by_the_choice_in_which_they_differ(flow: pd.DataFrame, trials: pd.DataFrame) -> None:
    assert [trace.name for trace in gradient_flow(flow, trials, "early").data[:2]] == ["0: batch", "1: null"]
    alike = trials.assign(params_norm="batch")
    assert [trace.name for trace in gradient_flow(flow, alike, "early").data[:2]] == ["trial 0", "trial 1"]
    assert gradient_heat_map(flow, trials, 1).layout.title.text == "Gradient flow by epoch, trial 1: null"


def test_of_many_layers_some_are_named_with_the_first_and_the_last() -> None:
    names = [f"features/block_{place}" for place in range(38)]
    figure = gradient_flow(make_flow(0, names, [0.1] * 38), make_trials(["complete"], [1.0]), "early")
    assert figure.layout.xaxis.tickvals.tolist() == [*range(0, 34, 3), 37]
    assert figure.layout.xaxis.ticktext[-1] == "featur…ock_37"


def test_where_networks_differ_a_place_is_named_by_its_number() -> None:
    flow = pd.concat(
        [make_flow(0, ["entry", "linear"], [1.0, 1.0]), make_flow(1, ["entry", "conv", "linear"], [1.0] * 3)]
    )
    figure = gradient_flow(flow, make_trials(["complete"] * 2, [1.0, 1.0]), "early")
    assert figure.layout.xaxis.ticktext == ("entry", "1", "linear")


def test_the_heat_map_has_logarithms_and_shows_zero_and_not_finite_in_colours_of_their_own(
    flow: pd.DataFrame, trials: pd.DataFrame
) -> None:
    figure = gradient_heat_map(flow, trials, 1)
    values, zeros, broken = figure.data
    np.testing.assert_allclose(values.z, [[-9, math.nan], [math.nan, math.nan], [0, -4]])
    np.testing.assert_array_equal(zeros.z, [[math.nan, math.nan], [1, math.nan], [math.nan, math.nan]])
    np.testing.assert_array_equal(broken.z, [[math.nan, 1], [math.nan, 1], [math.nan, math.nan]])
    assert (values.zmin, values.zmax) == (-8, 0)  # gradients below are as good as none
    assert list(values.text[2]) == ["linear: 1", "linear: 0.0001"]
    assert values.colorbar.ticktext[0] == "10<sup>-8</sup>"
    other = gradient_heat_map(flow, trials, 0)
    assert (other.data[0].zmin, other.data[0].zmax) == (-8, 0)
    assert len(other.data) == 1


def test_of_very_many_epochs_the_unusual_ones_are_drawn() -> None:
    epochs = [[0.1, 0.1, 0.1] for _ in range(1000)]
    epochs[500] = [0.1, 40.0, 0.1]
    epochs[700] = [0.1, math.nan, 0.1]
    epochs[900] = [0.1, 0.1, 0.0]
    figure = gradient_heat_map(make_flow(0, LAYERS, *epochs), make_trials(["complete"], [1.0]), 0)
    drawn = figure.data[0].x.tolist()
    assert len(drawn) == 120
    assert {501, 701, 901} <= set(drawn)
    assert "120 of 1,000 epochs" in figure.layout.title.subtitle.text


def test_gradients_that_are_all_zero_have_a_figure() -> None:
    flow, trials = make_flow(0, LAYERS, [0.0, 0.0, 0.0]), make_trials(["complete"], [1.0])
    figure = gradient_flow(flow, trials, "late")
    assert len(figure.data[1].x) == 3
    assert len(gradient_heat_map(flow, trials, 0).data) == 2


def test_names_of_layers_and_choices_with_markup_are_text() -> None:
    flow = pd.concat([make_flow(number, ["<b>x</b>"], [1.0]) for number in (0, 1)])
    trials = make_trials(["complete"] * 2, [1.0, 1.0], params_kind=["<i>a</i>", "b"])
    for figure in (gradient_flow(flow, trials, "early"), gradient_heat_map(flow, trials, 0)):
        text = figure.to_json().replace("\\u003c", "<")
        assert "<b>x" not in text
        assert "<i>a" not in text
        assert "&lt;b&gt;x" in text
