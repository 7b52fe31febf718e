"""Learning curves: every trial is there, what ended early says why, and nobody squashes the others."""

import math
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from tests.reporting.frames_by_hand import make_epochs, make_trials
from tuner.reporting.figures import Objective, curve_metrics, learning_curves
from tuner.reporting.figures.style import INCUMBENT

ACCURACY = Objective("validation_accuracy", "maximize")
SCORE = Objective("score", "maximize")


def traces(figure: go.Figure, **wanted: Any) -> list[go.Scatter]:
    return [trace for trace in figure.data if all(trace[key] == value for key, value in wanted.items())]


def curves(figure: go.Figure) -> dict[int, go.Scatter]:
    """Trial -> the trace that is its curve."""
    found = [trace for trace in figure.data if (trace.uid or "").startswith("trial_")]
    return {int(trace.uid.removeprefix("trial_")): trace for trace in found}


def explanation(figure: go.Figure) -> str:
    return str(figure.layout.title.subtitle.text)


def test_the_objective_comes_first_then_its_other_split_then_the_rest_and_times_never() -> None:
    names = ("learning_rate", "seconds", "train_accuracy", "train_loss", "validation_accuracy", "validation_loss")
    epochs = pd.DataFrame(columns=["trial", "epoch", *names])
    in_order = ["validation_accuracy", "train_accuracy", "validation_loss", "train_loss"]
    assert curve_metrics(epochs, ACCURACY) == in_order
    assert curve_metrics(epochs, Objective("train_loss", "minimize"))[:2] == ["train_loss", "validation_loss"]
    assert curve_metrics(epochs, Objective("seconds", "minimize")) == ["seconds", *sorted(in_order, key=in_order.index)]


def test_an_objective_called_epoch_is_found() -> None:
    epochs = pd.DataFrame(columns=["trial", "epoch", "loss", "metric_epoch"])
    assert curve_metrics(epochs, Objective("epoch", "minimize")) == ["metric_epoch", "loss"]


def test_every_trial_is_a_line_the_stopped_ones_are_marked_with_their_reason_and_the_best_stands_out() -> None:
    trials = make_trials(["complete", "pruned", "complete"], [0.8, 0.2, 0.9], reason=["", "rung 2: 0.2 is too low", ""])
    epochs = make_epochs(score={0: [0.5, 0.7, 0.8], 1: [0.1, 0.2], 2: [0.6, 0.7, 0.9]})
    figure = learning_curves(epochs, trials, "score", SCORE, 3)
    drawn = curves(figure)
    assert {number: trace.y.tolist() for number, trace in drawn.items()} == {
        0: [0.5, 0.7, 0.8], 1: [0.1, 0.2], 2: [0.6, 0.7, 0.9]}  # fmt: skip
    assert all(set(trace.customdata) == {number} for number, trace in drawn.items())
    assert drawn[2].line.color == INCUMBENT
    assert drawn[2].name == "best: trial 2"
    (ends,) = traces(figure, uid="ends_pruned")
    assert (list(ends.x), list(ends.y), list(ends.customdata)) == ([2], [0.2], [1])
    assert "rung 2: 0.2 is too low" in ends.text[0]
    assert "score 0.2 at epoch 2" in ends.text[0]
    assert figure.data.index(drawn[1]) < figure.data.index(drawn[0]) < figure.data.index(drawn[2])


def test_where_lower_is_better_the_lowest_is_the_best() -> None:
    trials = make_trials(["complete", "complete"], [0.3, 0.1])
    figure = learning_curves(make_epochs(loss={0: [0.3], 1: [0.1]}), trials, "loss", Objective("loss", "minimize"), 1)
    assert curves(figure)[1].name == "best: trial 1"
    assert curves(figure)[0].mode == "markers"  # one point is no line


@pytest.mark.parametrize("last", [math.nan, math.inf])
def test_a_curve_that_ends_not_finite_is_marked_there_at_its_last_finite_value(last: float) -> None:
    trials = make_trials(
        ["complete", "pruned", "pruned"], [0.9, 0.2, math.nan], reason=["", "loss is nan", "loss is nan"]
    )
    epochs = make_epochs(score={0: [0.5, 0.9], 1: [0.2, last], 2: [last]})
    figure = learning_curves(epochs, trials, "score", SCORE, 2)
    (ends,) = traces(figure, name="not finite")
    assert (list(ends.x), list(ends.customdata)) == ([2, 1], [1, 2])
    assert ends.y[0] == 0.2
    assert figure.layout.yaxis.range[0] < ends.y[1] < 0.2  # one that never was finite: at the worse edge
    assert not traces(figure, uid="ends_pruned")


def test_a_metric_that_only_some_epochs_have_is_joined_and_breaks_nothing() -> None:
    trials = make_trials(["complete", "complete"], [0.9, 0.8])
    epochs = make_epochs(score={0: [0.5, 0.9, 0.9], 1: [0.4, 0.8, 0.8]}, rare={0: [1.0, math.nan, 3.0], 1: [2.0, 5.0, math.nan]})  # fmt: skip
    figure = learning_curves(epochs, trials, "rare", SCORE, 3)
    assert curves(figure)[0].x.tolist() == [1, 3]
    assert not traces(figure, name="not finite")


def test_an_infinite_value_on_the_way_breaks_the_line() -> None:
    epochs = make_epochs(score={0: [0.5, -math.inf, 0.9]})
    figure = learning_curves(epochs, make_trials(["complete"], [0.9]), "score", SCORE, 3)
    np.testing.assert_array_equal(curves(figure)[0].y, [0.5, math.nan, 0.9])


def test_both_splits_of_a_quantity_have_the_same_range() -> None:
    trials = make_trials(["complete"], [2.0])
    epochs = make_epochs(validation_loss={0: [4.0, 3.0]}, train_loss={0: [2.0, 1.0]}, accuracy={0: [0.1, 0.2]})
    goal = Objective("validation_loss", "minimize")
    ranges = [learning_curves(epochs, trials, metric, goal, 2).layout.yaxis.range for metric in ("validation_loss", "train_loss")]  # fmt: skip
    assert ranges[0] == ranges[1] == pytest.approx((0.88, 4.12))  # 1 to 4 and 4 % room
    assert learning_curves(epochs, trials, "accuracy", goal, 2).layout.yaxis.range[1] < 1


def test_a_curve_that_leaves_the_axis_is_told_and_marked_at_the_edge() -> None:
    numbers = range(40)
    trials = make_trials(["complete"] * 40, [1.0] * 40)
    epochs = make_epochs(loss={number: [2.0, 1.5, 1e9 if number == 17 else 1.0] for number in numbers})
    figure = learning_curves(epochs, trials, "loss", Objective("loss", "minimize"), 3)
    assert figure.layout.yaxis.range[1] < 4
    assert "1 curve leaves the axis" in explanation(figure)
    (above,) = traces(figure, uid="triangle_up")
    assert (list(above.x), list(above.customdata)) == ([3], [17])
    assert above.y[0] < figure.layout.yaxis.range[1]
    assert "loss 1e+09 at epoch 3" in above.text[0]


def test_of_very_many_trials_some_are_drawn_with_every_outlier_and_the_envelope_of_all() -> None:
    rng = np.random.default_rng(0)
    values = 0.5 + 0.1 * rng.random((2000, 50))
    values[1234, 20] = 7.0
    numbers = np.repeat(np.arange(2000), 50)
    epochs = pd.DataFrame({"trial": numbers, "epoch": np.tile(np.arange(1, 51), 2000), "score": values.ravel()})
    states = ["failed" if number == 77 else "running" if number == 1999 else "complete" for number in range(2000)]
    trials = make_trials(states, np.where(np.arange(2000) == 1234, 0.6, values.max(axis=1)))
    figure = learning_curves(epochs, trials, "score", SCORE, 50)
    drawn = curves(figure)
    assert len(drawn) == 200
    assert {1234, 77, 1999, int(trials["value"].idxmax()), int(trials["value"].idxmin())} <= set(drawn)
    assert "Drawn are 200 of 2,000 curves" in explanation(figure)
    (highest,) = traces(figure, uid="highest")
    assert highest.y[20] == 7.0


def test_names_and_reasons_with_markup_are_text() -> None:
    hostile = "<img src=x onerror=alert(1)>%{y}"
    trials = make_trials(["pruned"], [1.0], reason=[f"because of {hostile}"], params_p=[hostile])
    figure = learning_curves(make_epochs(**{hostile: {0: [1.0]}}), trials, hostile, Objective(hostile, "minimize"), 1)
    assert "<img" not in figure.to_json().replace("\\u003c", "<")
    assert figure.layout.yaxis.title.text == "&lt;img src=x on…alert(1)&gt;%{y}"
    assert all("img" not in trace.hovertemplate for trace in figure.data)  # where plotly would put values for %{y}


def test_a_study_whose_trials_have_not_finished_an_epoch_has_no_figure() -> None:
    assert curve_metrics(make_epochs(), SCORE) == []
    assert len(learning_curves(make_epochs(), make_trials([], []), "score", SCORE, 9).data) == 0
