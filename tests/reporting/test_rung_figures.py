"""The rungs as they were: order, values, cut-offs and verdicts; and the correlation of ranks, worked out by hand."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tuner
from tests.reporting.frames_by_hand import make_epochs, make_trials
from tests.studies import make_space, simulate
from tuner.reporting.figures import Objective, brackets, rung_prediction, rungs
from tuner.reporting.frames import StudyFrames

SCORE = Objective("score", "maximize")


@pytest.fixture(scope="module")
def asha(tmp_path_factory: pytest.TempPathFactory) -> StudyFrames:
    return simulated(tmp_path_factory.mktemp("asha"))


def simulated(folder: Path, **changes: object) -> StudyFrames:
    url = f"sqlite:///{folder / 'study.db'}"
    simulate(make_space(budget={"trials": 30}, **changes), url)
    return tuner.open_study(url, "s")


def test_every_comparison_stands_in_the_column_of_its_rung_in_the_order_of_time(asha: StudyFrames) -> None:
    decisions = asha.decisions
    figure = rungs(decisions, asha.trials, SCORE)
    went_on, stopped, cutoff, _ = figure.data
    assert len(went_on.x) + len(stopped.x) == len(decisions)
    assert (went_on.name, stopped.name, cutoff.name) == ("went on", "stopped", "cut-off")
    for trace, verdict in ((went_on, "go on"), (stopped, "stop")):
        expected = decisions[decisions["verdict"] == verdict]
        assert list(trace.customdata) == expected["trial"].tolist()
        assert list(trace.y) == expected["value"].tolist()
        columns = expected["rung"].map({1: 0, 3: 1}).to_numpy()
        assert (np.abs(np.array(trace.x) - columns) < 0.5).all()
        assert all((np.diff(np.array(trace.x)[columns == column]) > 0).all() for column in (0, 1))
    first = decisions[decisions["rung"] == 1]
    assert figure.layout.xaxis.ticktext[0] == f"1<br>{(first['verdict'] == 'go on').sum()}<br>of 30"


def test_the_cut_off_is_the_one_that_each_trial_met(asha: StudyFrames) -> None:
    decisions = asha.decisions
    figure = rungs(decisions, asha.trials, SCORE)
    _, stopped, cutoff, _ = figure.data
    at = dict(zip(cutoff.x, cutoff.y, strict=True))
    met = decisions[decisions["verdict"] == "stop"]["cutoff"].tolist()
    assert [at[x] for x in stopped.x] == met
    assert (np.array(stopped.y) < met).all()
    assert "below it was stopped" in figure.layout.title.subtitle.text


def test_the_hover_tells_order_and_reason(asha: StudyFrames) -> None:
    text = rungs(asha.decisions, asha.trials, SCORE).data[1].text[0].replace("<br>", " ")
    assert "of 30 at rung 1" in text
    assert "is not among the best 1/3" in text


def test_the_way_of_the_best_trial_is_drawn_through_the_rungs(asha: StudyFrames) -> None:
    way = rungs(asha.decisions, asha.trials, SCORE).data[3]
    best = asha.best
    assert best is not None
    assert way.name == f"best: trial {best.name}"
    assert list(way.y) == asha.decisions.query("trial == @best.name")["value"].tolist()


def test_each_bracket_has_its_own_rungs(tmp_path: Path) -> None:
    study = simulated(tmp_path, early_stopping={"name": "asha", "min_epochs": 1, "reduction_factor": 2, "brackets": 3})
    decisions = study.decisions
    assert brackets(decisions) == [0, 1, 2]
    for bracket, levels in ((0, "1248"), (1, "248"), (2, "48")):
        figure = rungs(decisions, study.trials, SCORE, bracket)
        assert [text.split("<")[0] for text in figure.layout.xaxis.ticktext] == list(levels)
        assert figure.layout.title.text.endswith(f", bracket {bracket}")


def test_a_rule_that_compares_after_every_epoch_stands_at_its_epochs_with_the_range_of_its_cut_offs(
    tmp_path: Path,
) -> None:
    study = simulated(tmp_path, settings={"epochs": 20}, early_stopping={"name": "median", "min_epochs": 2})
    decisions = study.decisions
    figure = rungs(decisions, study.trials, SCORE)
    went_on, _, lowest, highest, newest, _ = figure.data
    assert set(went_on.x) == set(decisions["rung"])
    at_three = decisions[(decisions["rung"] == 3) & decisions["cutoff"].notna()]["cutoff"]
    place = list(newest.x).index(3)
    assert (lowest.y[place], highest.y[place], newest.y[place]) == (at_three.min(), at_three.max(), at_three.iloc[-1])


def comparisons(values: list[float], rule: str = "asha") -> pd.DataFrame:
    stopped = ["stop" if not math.isfinite(value) else "go on" for value in values]
    return pd.DataFrame({
        "trial": range(len(values)), "epoch": 4, "rule": rule, "verdict": stopped, "reason": "rung 4: <b>so</b>",
        "value": values, "cutoff": math.nan, "bracket": 0, "rung": 4,
    }).astype({"bracket": "Int64", "rung": "Int64"})  # fmt: skip


def test_of_very_many_comparisons_some_are_drawn_with_the_extreme_ones() -> None:
    values = [0.5 + number / 10_000 for number in range(2000)]
    values[600], values[601] = 0.1, 0.99
    figure = rungs(comparisons(values), make_trials(["complete"] * 2000, values), SCORE)
    (went_on,) = [trace for trace in figure.data if trace.name == "went on"]
    assert len(went_on.x) == 250
    assert {0, 600, 601, 1999} <= set(went_on.customdata)
    assert "Drawn are 250 of 2,000 comparisons" in figure.layout.title.subtitle.text
    assert figure.layout.xaxis.ticktext == ("4<br>2000<br>of 2000",)


def test_a_value_that_is_not_finite_stands_at_the_worse_edge() -> None:
    figure = rungs(comparisons([0.4, 0.6, math.nan, -math.inf]), make_trials(["pruned"] * 4, [0.4, 0.6, math.nan, math.nan]), SCORE)  # fmt: skip
    (stopped,) = [trace for trace in figure.data if trace.name == "stopped"]
    low = figure.layout.yaxis.range[0]
    assert all(low < y < 0.4 for y in stopped.y)
    assert "&lt;b&gt;so&lt;/b&gt;" in stopped.text[0]


def test_stops_without_a_rung_are_not_comparisons() -> None:
    asked = comparisons([0.5], rule="request").assign(bracket=pd.NA, rung=pd.NA)
    assert brackets(asked.astype({"bracket": "Int64", "rung": "Int64"})) == []


def test_the_correlation_is_that_of_ranks_with_the_end() -> None:
    values = [1.0, 2.0, 3.0, 4.0]
    trials = make_trials(["complete"] * 4 + ["pruned", "running"], [*values, 9.0, 9.0])
    first = [20.0, 10.0, 40.0, 30.0]  # two neighbours swapped twice: 1 - 6 * 4 / (4 * 15) = 0.6
    curves = {number: [first[number], 7.0, values[number]] for number in range(4)}
    epochs = make_epochs(score={**curves, 4: [0.0], 5: [1.0, 2.0]})
    figure = rung_prediction(epochs, trials, SCORE, rungs=[1, 2])
    low, high, line, marks = figure.data
    assert line.x.tolist() == [1, 3]  # at epoch 2 all were equal: there is no order
    assert line.y.tolist() == pytest.approx([0.6, 1.0])
    assert low.y[0] == pytest.approx(-0.893, abs=0.001)  # tanh(0.6931 -+ 1.96 * sqrt(1.18)), n = 4
    assert high.y[0] == pytest.approx(0.993, abs=0.001)
    assert (low.y[1], high.y[1]) == (1.0, 1.0)
    assert marks.x.tolist() == [1]
    assert "4 finished trials" in figure.layout.title.subtitle.text
    assert "The stopped trials (1) are missing" in figure.layout.title.subtitle.text


def test_where_lower_is_better_a_good_rank_still_predicts_a_good_end() -> None:
    values = [4.0, 3.0, 2.0, 1.0]
    epochs = make_epochs(loss={number: [10 * value, value] for number, value in enumerate(values)})
    figure = rung_prediction(epochs, make_trials(["complete"] * 4, values), Objective("loss", "minimize"), [])
    assert figure.data[2].y.tolist() == pytest.approx([1.0, 1.0])


def test_three_finished_trials_tell_nothing() -> None:
    epochs = make_epochs(score={0: [1.0], 1: [2.0], 2: [3.0]})
    figure = rung_prediction(epochs, make_trials(["complete"] * 3, [1, 2, 3]), SCORE, [1])
    assert len(figure.data) == 0
