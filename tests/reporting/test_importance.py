"""Importance of parameters on data frames: what decides has the larger share, and noise does not pass chance."""

import math

import numpy as np
import pandas as pd
import pytest

from tests.reporting.small_frames import HIGHER, LOWER, trials_frame
from tuner.reporting.importance import parameter_importance

SPACE = {
    "space": {
        "noise": {"low": 0.0, "high": 1.0},
        "lr": {"low": 1e-5, "high": 1e-1, "scale": "log"},
        "kind": ["a", None, True],
        "depth": {"low": 1, "high": 4, "when": {"kind": ["a"]}},
        "fixed": 3,
    }
}


def study(num_trials: int) -> pd.DataFrame:
    """The nearer lr is to 0.001, the better; nothing else matters."""
    rng = np.random.default_rng(1)
    exponents = rng.uniform(-5, -1, num_trials)
    kinds = [("a", None, True)[n % 3] for n in range(num_trials)]
    return trials_frame(
        ["complete", "pruned"] * (num_trials // 2),
        list(-((exponents + 3) ** 2)),
        noise=rng.uniform(0, 1, num_trials),
        lr=10**exponents,
        kind=kinds,
        depth=pd.array([n % 4 + 1 if kind == "a" else None for n, kind in enumerate(kinds)], "Int64"),
    )


def test_the_parameter_that_decides_has_most_of_the_importance_and_more_than_chance_gives() -> None:
    found = parameter_importance(study(100), HIGHER, SPACE)
    assert found is not None
    assert found.shares.index[0] == "lr"
    assert set(found.shares.index) == {"lr", "noise", "kind", "depth"}
    assert found.shares["lr"] > 0.7
    assert found.shares.sum() == pytest.approx(1)
    assert found.chance["lr"] < found.shares["lr"]
    assert (found.num_trials, found.num_best) == (100, 20)


def test_the_goal_decides_which_trials_are_the_best() -> None:
    frame = study(100)
    negated = parameter_importance(frame.assign(value=-frame["value"]), LOWER, SPACE)
    found = parameter_importance(frame, HIGHER, SPACE)
    assert found is not None and negated is not None
    pd.testing.assert_series_equal(found.shares, negated.shares)
    other = parameter_importance(frame, LOWER, SPACE)  # the ends of the range are the best now
    assert other is not None and not np.allclose(other.shares["lr"], found.shares["lr"])


def test_where_nothing_decides_nothing_passes_chance_by_much() -> None:
    rng = np.random.default_rng(3)
    passed = 0
    for _ in range(5):
        frame = study(60).assign(value=rng.uniform(0, 1, 60))
        found = parameter_importance(frame, HIGHER, SPACE)
        assert found is not None
        passed += int((found.shares > found.chance).sum())
    assert passed <= 4  # of 20, each with a chance of 1 in 20


def test_less_than_twenty_trials_tell_nothing() -> None:
    assert parameter_importance(study(18), HIGHER, SPACE) is None
    assert parameter_importance(trials_frame([], []), HIGHER, SPACE) is None
    few = study(40).assign(state=["complete"] * 19 + ["failed"] * 11 + ["running"] * 10)
    assert parameter_importance(few, HIGHER, SPACE) is None


@pytest.mark.parametrize(("num_trials", "num_best"), [(20, 7), (48, 16), (90, 20), (300, 30)])
def test_the_best_are_a_tenth_and_more_in_small_studies(num_trials: int, num_best: int) -> None:
    found = parameter_importance(study(num_trials), HIGHER, SPACE)
    assert found is not None
    assert (found.num_trials, found.num_best) == (num_trials, num_best)


def test_a_trial_that_broke_off_without_a_finite_value_is_the_worst() -> None:
    frame = study(100)
    worst = frame["value"].nsmallest(20).index
    broken = frame.assign(value=frame["value"].mask(frame.index.isin(worst), math.nan))
    found, same = parameter_importance(frame, HIGHER, SPACE), parameter_importance(broken, HIGHER, SPACE)
    assert found is not None and same is not None
    pd.testing.assert_series_equal(found.shares, same.shares)


def test_a_repeat_is_not_counted_twice() -> None:
    frame = study(100)
    frame.loc[frame.index[50:], "attempts"] = 0
    found = parameter_importance(frame, HIGHER, SPACE)
    assert found is not None and found.num_trials == 50


def test_a_space_without_a_choice_has_no_importance() -> None:
    frame = trials_frame(["complete"] * 30, list(range(30)))
    assert parameter_importance(frame, HIGHER, {"space": {"fixed": 3}}) is None


def test_a_trial_that_another_program_queued_outside_of_the_space_does_not_count() -> None:
    trials = study(100)
    trials.loc[0, "params_lr"] = 0.5
    found, without = parameter_importance(trials, HIGHER, SPACE), parameter_importance(trials.drop(0), HIGHER, SPACE)
    assert found is not None and without is not None
    pd.testing.assert_series_equal(found.shares, without.shares)
    assert found.num_trials == 99
