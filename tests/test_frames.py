"""Studies as data frames: what a notebook gets, from every table, and from a search space that is no file."""

import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tuner
from storage.errors import StudyNotFoundError
from storage.tables_reading import ATTEMPT_COLUMNS
from tests.studies import BASE, make_space, simulate
from tests.trainers import curve
from tuner.errors import InputError
from tuner.execution.simulated import SimulatedExecutor
from tuner.reporting import figures
from tuner.reporting.frames import StudyFrames


def flow(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
    return {"first": 1.0 * epoch, "last": math.inf}


@pytest.fixture
def study(sqlite_url: str) -> StudyFrames:
    simulate(make_space(), sqlite_url, SimulatedExecutor(curve, start=1000.0, gradient_flow=flow))
    return tuner.open_study(sqlite_url, "s")


def test_trials_have_a_row_each_with_the_value_of_their_best_epoch(study: StudyFrames) -> None:
    trials = study.trials
    assert trials.index.tolist() == list(range(12))
    assert trials.index.name == "number"
    assert list(trials) == ["state", "value", "best_epoch", "epochs", "attempts", "reason", "params_x", "params_kind", "params_depth"]  # fmt: skip
    assert set(trials["state"]) == {"complete", "pruned"}
    for _, trial in trials.iterrows():
        assert trial["best_epoch"] == trial["epochs"]  # this curve rises
        assert trial["value"] == curve({"x": trial["params_x"]}, trial["epochs"])["score"]
    pruned = trials[trials["state"] == "pruned"]
    assert pruned["reason"].str.startswith("rung ").all()
    assert (trials.drop(pruned.index)["epochs"] == 9).all()


def test_a_parameter_that_is_not_in_force_is_missing_and_the_choice_null_is_not(study: StudyFrames) -> None:
    trials = study.trials
    assert trials["params_depth"].dtype == "Int64"
    assert (trials["params_depth"].notna() == (trials["params_kind"] == "a")).all()
    assert set(trials["params_kind"]) == {"a", "b", None}


def test_the_best_trial_is_its_row(study: StudyFrames) -> None:
    best = study.best
    assert best is not None
    assert best["value"] == study.trials["value"].max()
    pd.testing.assert_series_equal(best, study.trials.loc[best.name])


def test_epochs_have_a_column_for_each_metric_and_keep_what_is_not_finite(sqlite_url: str) -> None:
    def broken(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
        if epoch == 3:
            return {"score": -math.inf, "loss": math.nan, "late": 1.0}
        return {"score": 0.5, "loss": math.inf}

    space = make_space(settings={"epochs": 3}, budget={"trials": 2}, stop_when=[], early_stopping={"name": "none"})
    simulate(space, sqlite_url, SimulatedExecutor(broken))
    epochs = tuner.open_study(sqlite_url, "s").epochs
    assert list(epochs) == ["trial", "epoch", "late", "loss", "score"]
    assert epochs[["trial", "epoch"]].values.tolist() == [[0, 1], [0, 2], [0, 3], [1, 1], [1, 2], [1, 3]]
    np.testing.assert_array_equal(epochs["score"][:3], [0.5, 0.5, -math.inf])
    np.testing.assert_array_equal(epochs["loss"][:3], [math.inf, math.inf, math.nan])
    np.testing.assert_array_equal(epochs["late"][:3], [math.nan, math.nan, 1.0])


def test_a_metric_may_be_called_epoch(sqlite_url: str) -> None:
    space = make_space(settings={"epochs": 2}, budget={"trials": 1})
    simulate(space, sqlite_url, SimulatedExecutor(lambda configuration, epoch: {"score": 1.0, "epoch": epoch - 1.0}))
    epochs = tuner.open_study(sqlite_url, "s").epochs
    assert epochs.values.tolist() == [[0, 1, 0.0, 1.0], [0, 2, 1.0, 1.0]]
    assert list(epochs) == ["trial", "epoch", "metric_epoch", "score"]


def test_decisions_tell_every_verdict_in_order(study: StudyFrames) -> None:
    decisions = study.decisions
    assert list(decisions) == ["trial", "epoch", "rule", "verdict", "reason", "value", "cutoff", "bracket", "rung"]
    stopped = decisions[decisions["verdict"] == "stop"]
    assert sorted(stopped["trial"]) == study.trials.index[study.trials["state"] == "pruned"].tolist()
    assert (decisions["rung"] == decisions["epoch"]).all()
    assert math.isnan(decisions["cutoff"][0])  # the first at its rung has nobody to be compared with
    assert (stopped["value"] < stopped["cutoff"]).all()


def test_gradient_flow_has_a_row_for_each_layer_of_each_epoch(study: StudyFrames) -> None:
    flow = study.gradient_flow
    assert list(flow) == ["trial", "epoch", "layer", "layer_index", "mean_abs_gradient"]
    assert len(flow) == 2 * len(study.epochs)
    assert flow["layer"][:2].tolist() == ["first", "last"]
    assert flow["layer_index"][:2].tolist() == [0, 1]
    first = flow[flow["layer"] == "first"]
    assert (first["mean_abs_gradient"] == first["epoch"]).all()
    assert flow[flow["layer"] == "last"]["mean_abs_gradient"].eq(math.inf).all()


def test_attempts_have_times_with_their_zone(study: StudyFrames) -> None:
    attempts = study.attempts
    assert list(attempts) == ["trial", *ATTEMPT_COLUMNS]
    first = attempts.iloc[0]
    assert (first["node"], first["worker"], first["outcome"]) == ("simulated", 0, "finished")
    assert first["started_at"] == pd.Timestamp(1000, unit="s", tz="UTC")
    assert first["ended_at"] - first["started_at"] == pd.Timedelta(minutes=9)


def test_a_study_that_has_only_begun_has_empty_frames(sqlite_url: str) -> None:
    class Nobody(SimulatedExecutor):
        def run(self, study: Any) -> None:
            """Nothing is run."""

    simulate(make_space(), sqlite_url, Nobody(curve))
    study = tuner.open_study(sqlite_url, "s")
    assert study.best is None
    assert "study s: 0 of 12 trials" in repr(study)
    for frame in (study.trials, study.epochs, study.decisions, study.gradient_flow, study.attempts):
        assert frame.empty
    assert list(study.epochs) == ["trial", "epoch"]


def test_frames_are_read_anew_and_only_of_their_own_study(sqlite_url: str) -> None:
    simulate(make_space(budget={"trials": 2}), sqlite_url)
    simulate(make_space(study="other"), sqlite_url)
    study = tuner.open_study(sqlite_url, "s")
    assert len(study.trials) == 2
    simulate(make_space(budget={"trials": 4}), sqlite_url)
    assert study.trials.index.tolist() == [0, 1, 2, 3]
    assert study.space["budget"]["trials"] == 4
    for frame in (study.epochs, study.decisions, study.attempts):
        assert set(frame["trial"]) == {0, 1, 2, 3}


def test_both_databases_give_the_same_frames(database_url: str) -> None:
    simulate(make_space(), database_url, SimulatedExecutor(curve, start=1000.0, gradient_flow=flow))
    study = tuner.open_study(database_url, "s")
    assert len(study.gradient_flow) == 2 * len(study.epochs)
    assert str(study.attempts["started_at"].dtype).endswith("UTC]")
    assert study.decisions["cutoff"].dtype == "float64"
    assert len(study.trials) == 12


def test_a_notebook_shows_a_study_in_words_and_its_best_trials(sqlite_url: str) -> None:
    simulate(make_space(study="a<b"), sqlite_url)
    study = tuner.open_study(sqlite_url, "a<b")
    shown = study._repr_html_()
    assert "study a&lt;b: 12 of 12 trials" in shown
    assert "<table" in shown
    assert "params_kind" in shown
    assert repr(study).splitlines()[-1].startswith("frames: trials, epochs")


def test_a_name_that_is_not_there_is_said_at_once(study: StudyFrames, sqlite_url: str) -> None:
    with pytest.raises(StudyNotFoundError, match="study 't' is not in this database; it has: s"):
        tuner.open_study(sqlite_url, "t")


def test_a_search_space_may_be_written_in_python(sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    space = {
        **BASE,
        "settings": {"epochs": np.int64(2)},
        "space": {"x": {"low": np.float64(0.0), "high": np.float32(1)}, "kind": ("a", np.str_("b"), None), "on": [np.bool_(True), False]},
        "budget": {"trials": 2},
    }  # fmt: skip
    study = tuner.launch(space, storage=sqlite_url, overrides=["budget.trials=3", "concurrency=1"])
    assert set(study.trials["state"]) <= {"complete", "pruned"}
    assert len(study.trials) == 3
    assert study.space["space"] == {"x": {"low": 0.0, "high": 1.0}, "kind": ["a", "b", None], "on": [True, False]}
    assert "trial   2 begins" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": {"epochs": 0}}, "search space: settings.epochs: 0 is not allowed"),
        ({"space": {"x": {"low": 2, "high": 1}}}, "search space: space.x: low=2 is above high=1; swap them"),
        ({"space": {3: [1, 2]}}, "search space: space.3: the key 3 is not text; write '3'"),
        ({"space": {"x": np.array([1, 2])}}, "search space: space.x: array([1, 2]) is a ndarray; write a number, text, True"),
        ({"settings": {"epochs": 2, "data_dir": Path("data")}}, "search space: settings.data_dir: PosixPath('data') is a PosixPath"),
        ({"bugdet": {}}, "search space: bugdet: unknown key; did you mean 'budget'?"),
    ],
)  # fmt: skip
def test_errors_in_a_search_space_written_in_python_name_its_keys(
    sqlite_url: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        tuner.launch({**BASE, **changes}, storage=sqlite_url)
    assert str(caught.value).startswith(message)


def test_importing_the_product_does_not_import_pandas() -> None:
    script = "import sys, tuner, tuner.api, tuner.cli; assert not {'pandas', 'torch', 'ray', 'sqlalchemy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_figures_take_the_frames_as_they_are(study: StudyFrames) -> None:
    figure = figures.optimization_history(study.trials, study.objective)
    assert sorted(number for trace in figure.data if trace.mode == "markers" for number in trace.customdata) == list(
        range(12)
    )
