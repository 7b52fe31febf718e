"""The few trials whose gradient flow is shown."""

import math

from tests.reporting.frames_by_hand import make_trials
from tuner.reporting.figures import Objective
from tuner.reporting.study_data import telling_trials

SCORE = Objective("score", "maximize")
STATES = ["complete"] * 6


def test_best_costliest_choice_worst_and_broken() -> None:
    trials = make_trials(
        [*STATES, "failed"], [0.8, 0.3, 0.2, 0.9, 0.1, 0.7, math.nan],
        epochs=[9, 3, 5, 9, 3, 9, 1], params_norm=["before", "none", "none", "after", "before", "after", "none"],
    )  # fmt: skip
    # without normalization 0.3 is the best there is, and of its two trials number 2 was trained longest
    assert telling_trials(trials, trials.index, SCORE) == [3, 2, 4, 6]


def test_a_choice_that_is_not_in_force_costs_nothing() -> None:
    trials = make_trials(
        STATES, [6, 5, 4, 3, 2, 1], epochs=[9] * 6, params_kind=["a", "b", math.nan, math.nan, "a", "b"]
    )
    assert telling_trials(trials, trials.index, SCORE) == [0, 1, 5]
    assert telling_trials(trials.assign(params_kind=["a"] * 6), trials.index, SCORE) == [0, 3, 5]


def test_without_choices_it_is_best_middle_and_worst() -> None:
    trials = make_trials(STATES, [6, 5, 4, 3, 2, 1], epochs=[9] * 6, params_x=[0.1] * 6)
    assert telling_trials(trials, trials.index, SCORE) == [0, 3, 5]
    assert telling_trials(trials, trials.index, Objective("loss", "minimize")) == [5, 2, 0]


def test_only_those_that_recorded_any_are_told() -> None:
    trials = make_trials(STATES, [6, 5, 4, 3, 2, 1], epochs=[9] * 6)
    assert telling_trials(trials, [4], SCORE) == [4]
    assert telling_trials(trials, [], SCORE) == []
