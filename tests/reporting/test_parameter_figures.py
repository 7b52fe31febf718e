"""Figures of the search space: where values stand, which trials are drawn, and what is said of them."""

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from tests.reporting.small_frames import HIGHER, LOWER, trials_frame
from tuner.reporting.figures import contour, number_parameters, parallel_coordinates, parameter_importance, slice_plots
from tuner.reporting.figures.parameter_axes import ParameterAxis, parameter_axes
from tuner.reporting.figures.ranking import by_value, thinned, value_range

SPACE = {
    "space": {
        "kind": ["a<b>", None, True, 2],
        "lr": {"low": 1e-5, "high": 1e-1, "scale": "log"},
        "depth": {"low": 1, "high": 5, "when": {"kind": ["a<b>"]}},
        "x": {"low": -1.0, "high": 1.0},
    }
}
TRIALS = trials_frame(
    ["complete", "pruned", "complete", "running", "failed"],
    [0.5, 0.1, 0.9, 0.3, math.nan],
    kind=["a<b>", None, True, 2, "a<b>"],
    lr=[1e-5, 1e-3, 1e-1, 1e-2, 1e-4],
    depth=pd.array([5, None, None, None, 1], "Int64"),
    x=[-1.0, 0.0, 1.0, 0.5, 0.0],
)


def lines(figure: go.Figure) -> dict[int, list[float]]:
    """Trial -> where its line crosses each axis, in the order in which lines are drawn."""
    drawn = [trace for trace in figure.data if trace.customdata is not None]
    return {trace.customdata[0]: list(trace.x) for trace in drawn}


def words(figure: go.Figure) -> str:
    return f"{figure.layout.title.text} {figure.layout.title.subtitle.text}"


def many(num_trials: int) -> pd.DataFrame:
    """Trials that are better the larger x is."""
    x = [n / num_trials for n in range(num_trials)]
    return trials_frame(["complete"] * num_trials, x, x=x, lr=[1e-3] * num_trials)


def test_values_stand_by_size_by_logarithm_or_in_the_middle_of_equal_parts() -> None:
    kind, lr, depth, x = parameter_axes(TRIALS, SPACE)
    assert x.shares([-1, 0.5]).tolist() == [0, 0.75]
    assert lr.shares([1e-5, 1e-3, 1e-1]).tolist() == pytest.approx([0, 0.5, 1])
    assert depth.shares([3, pd.NA]).tolist() == pytest.approx([0.5, math.nan], nan_ok=True)
    assert kind.shares([True, None, 2, "a<b>", math.nan])[:4].tolist() == [0.625, 0.375, 0.875, 0.125]


def test_labels_are_short_and_hold_no_markup() -> None:
    kind, lr, depth, _ = parameter_axes(TRIALS, SPACE)
    assert kind.ticks(40)[1] == ["a&lt;b&gt;", "null", "true", "2"]
    assert lr.ticks(40) == (pytest.approx([0, 0.5, 1]), ["1e-5", "0.001", "0.1"])
    assert depth.ticks(40)[1] == ["2", "4"]
    long = ParameterAxis("long", 0, 1, choices=("x" * 50, "y"))
    assert long.ticks(20)[1] == ["xxxxxxxxx…", "y"]
    names = ParameterAxis("names", 0, 99, choices=tuple(range(100)))
    assert len(names.ticks(40)[1]) == 13


def test_choices_that_are_numbers_stand_by_size_and_true_is_not_one() -> None:
    frame = trials_frame(["complete"] * 2, [1, 2], batch=[50, 10], on=[True, 2])
    batch, on = parameter_axes(frame, {"space": {"batch": [50, 10], "on": [True, 2]}})
    assert batch.choices == (10, 50)
    assert on.places([2, True, 2.0]).tolist() == [1, 0, 1]


def test_a_value_that_is_not_in_the_space_stands_behind_its_choices() -> None:
    frame = trials_frame(["complete"] * 2, [1, 2], kind=["c", None], other=["d", "e"])
    kind, other = parameter_axes(frame, {"space": {"kind": ["a", None]}})
    assert kind.places(["c", None, "a"]).tolist() == [2, 1, 0]
    assert other.choices == ("d", "e")


def test_every_trial_with_a_value_is_a_line_the_best_on_top() -> None:
    figure = parallel_coordinates(TRIALS, HIGHER, SPACE)
    drawn = lines(figure)
    assert list(drawn) == [1, 3, 0, 2]
    # spread of equal choices by rank of four, over 0.6 of a part of 1/4: -+0.375 and -+0.125 of it
    assert drawn[2] == pytest.approx([0.625 + 0.375 * 0.15, 1, -0.06, 1, 1])
    assert drawn[1] == pytest.approx([0.375 - 0.375 * 0.15, 0.5, -0.06, 0.5, 0])
    assert drawn[0][2] == 1  # depth 5 of 1 to 5
    assert figure.data[0].line.dash == "dot"  # trial 1 was stopped
    assert figure.data[3].line.dash == "solid"
    assert [(trace.name, trace.line.dash) for trace in figure.data[4:]] == [
        *(("complete", "solid"), ("pruned", "dot"), ("running", "dash"))
    ]
    assert "Far left: not in force." in words(figure)


def test_the_best_is_on_the_left_where_lower_is_better() -> None:
    drawn = lines(parallel_coordinates(TRIALS, LOWER, SPACE))
    assert list(drawn) == [2, 0, 3, 1]
    assert drawn[1][-1] == 0


def test_very_many_trials_are_thinned_but_for_the_best_and_the_worst() -> None:
    figure = parallel_coordinates(many(1000), HIGHER, SPACE)
    assert len(lines(figure)) == 200
    assert set(range(50)) | set(range(950, 1000)) < set(lines(figure))
    assert "Of 1000 trials 200 are drawn" in words(figure)
    assert "are drawn" not in words(parallel_coordinates(many(200), HIGHER, SPACE))


def test_thinning_keeps_each_trial_once() -> None:
    ranked = by_value(many(103), LOWER)
    for most in (1, 2, 7, 50, 102, 103, 104):
        kept = thinned(ranked, most).index
        assert kept.is_unique
        assert len(kept) == min(most, 103)


def test_a_diverged_trial_does_not_squeeze_all_others() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 1e9]
    frame = trials_frame(["complete"] * 5, values, x=[0.0] * 5)
    assert value_range(by_value(frame, LOWER)) == (1.0, 4.0)  # quartiles 2 and 4, fence at 7
    assert value_range(by_value(frame, HIGHER)) == (1.0, 1e9)  # the best is shown where it is
    figure = parallel_coordinates(frame, LOWER, SPACE)
    assert lines(figure)[4][-1] == 1  # at the end of the axis
    assert "1 value far outside of the others: drawn at the edge." in words(figure)
    (figure,) = slice_plots(frame, LOWER, SPACE)
    assert list(figure.data[0].y) == [1, 2, 3, 4, 4]
    assert figure.data[0].text[4].endswith("loss 1e+09")


@pytest.mark.parametrize(
    "frame",
    [
        trials_frame([], []),
        trials_frame(["failed"], [math.nan], x=[0.5]),
        trials_frame(["complete", "complete"], [math.inf, -math.inf], x=[0.5, 0.1]),
        trials_frame(["running"], [0.5], x=[0.5], lr=[1e-3]),
    ],
    ids=["no trial", "only a failed one", "not finite", "one"],
)
def test_few_or_no_trials_are_no_error(frame: pd.DataFrame) -> None:
    figure = parallel_coordinates(frame, HIGHER, SPACE)
    with_value = int(np.isfinite(frame["value"]).sum())
    assert len(lines(figure)) == with_value
    assert len(slice_plots(frame, HIGHER, SPACE)) == 2 * with_value


def test_each_parameter_has_a_slice_with_its_own_axis() -> None:
    kind, lr, depth, x = slice_plots(TRIALS, HIGHER, SPACE)
    assert [figure.layout.title.text for figure in (lr, x)] == ["score over lr", "score over x"]
    assert lr.layout.xaxis.type == "log"
    assert lr.layout.xaxis.range == pytest.approx((-5.12, -0.88))
    assert list(kind.layout.xaxis.ticktext) == ["a&lt;b&gt;", "null", "true", "2"]
    complete, pruned, running = x.data
    assert (list(complete.x), list(complete.y), list(complete.customdata)) == ([-1, 1], [0.5, 0.9], [0, 2])
    assert (pruned.name, list(pruned.customdata)) == ("pruned", [1])
    assert "<b>trial 3</b>, running<br>kind 2" in running.text[0]
    assert list(depth.data[0].customdata) == [0]
    assert "Not in force in 3 trials." in words(depth)


def test_choices_with_five_trials_have_a_box_of_all_of_them() -> None:
    frame = trials_frame(["complete"] * 5 + ["pruned"], [1, 2, 3, 4, 5, 9], kind=[None] * 5 + [True])
    (figure,) = slice_plots(frame, HIGHER, SPACE)
    (box,) = [trace for trace in figure.data if trace.type == "box"]
    assert list(box.y) == [2, 2, 3, 4, 4]
    assert box.x0 == 1
    marks = next(trace for trace in figure.data if trace.name == "complete")
    assert all(0.75 <= place <= 1.25 for place in marks.x)


def test_parameters_that_are_ranges_come_in_the_order_of_importance() -> None:
    assert number_parameters(TRIALS, SPACE) == ["lr", "depth", "x"]
    assert number_parameters(TRIALS, SPACE, ["kind", "x", "lr"]) == ["x", "lr", "depth"]


def test_the_surface_is_drawn_only_between_trials() -> None:
    rng = np.random.default_rng(0)
    x, lr = rng.uniform(-1, 0, 200), 10 ** rng.uniform(-5, -1, 200)  # the left half of the axis
    frame = trials_frame(["complete"] * 200, [0.25] * 200, x=x, lr=lr)
    figure = contour(frame, HIGHER, SPACE, "x", "lr")
    surface, marks = figure.data
    assert surface.type == "contour"
    known = np.array(surface.x)[np.isfinite(np.array(surface.z)).any(axis=0)]
    assert x.min() <= known.min()
    assert known.max() <= x.max() < 0
    assert np.array(surface.z)[30, 15] == pytest.approx(0.25)
    assert surface.y[[0, -1]].tolist() == pytest.approx([1e-5, 1e-1])
    assert figure.layout.yaxis.type == "log"
    assert len(marks.x) == 200


def test_the_surface_is_the_weighted_mean_of_the_trials_around() -> None:
    # twelve trials in four corners of a square: in its middle all weigh alike, in a corner its own three outweigh all
    x, depth = [-0.1, -0.1, 0.1, 0.1] * 3, [2.8, 3.2, 2.8, 3.2] * 3
    frame = trials_frame(["complete"] * 12, [0, 1, 2, 5] * 3, x=x, y=depth)
    space = {"space": {"x": {"low": -1.0, "high": 1.0}, "y": {"low": 1.0, "high": 5.0}}}
    surface = contour(frame, HIGHER, space, "x", "y").data[0]
    z = np.array(surface.z)
    middle = z[29:31, 29:31].mean()
    assert middle == pytest.approx(2.0, abs=0.05)
    assert np.nanmin(z) > 0
    assert np.nanmax(z) < 5


@pytest.mark.parametrize(
    ("x", "lr"),
    [([0.1 * n - 0.4 for n in range(9)], [10 ** (-5 + n * n / 20) for n in range(9)]), ([0.5] * 20, [1e-3] * 20)],
    ids=["less than ten", "all in one place"],
)
def test_there_is_no_surface_where_it_would_be_a_guess(x: list[float], lr: list[float]) -> None:
    frame = trials_frame(["complete"] * len(x), list(range(len(x))), x=x, lr=lr)
    figure = contour(frame, HIGHER, SPACE, "x", "lr")
    assert [trace.type for trace in figure.data] == ["scatter"]
    assert "surface" not in words(figure)


def test_bars_of_importance_are_grey_where_chance_gives_as_much() -> None:
    shares, chance = pd.Series({"x": 0.8, "<i>": 0.2}), pd.Series({"x": 0.3, "<i>": 0.4})
    figure = parameter_importance(shares, chance, 40, 5, HIGHER)
    bars, marks = figure.data
    assert list(bars.x) == [0.8, 0.2]
    assert bars.marker.color[0] != bars.marker.color[1] == "#6e6e6e"
    assert list(marks.x) == [0.3, 0.4]
    assert list(figure.layout.yaxis.ticktext) == ["x 80%", "&lt;i&gt; 20%"]
    assert "the 5 best trials" in words(figure)
