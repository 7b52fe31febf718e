"""Hours by what became of them, worked out by hand."""

import pandas as pd
import pytest

from tests.reporting.small_frames import (
    HIGHER,
    LOWER,
    at,
    attempts_frame,
    decisions_frame,
    launches_frame,
    trials_frame,
)
from tuner.reporting.figures import Spending, spending, where_time_went

LAUNCHES = launches_frame([(1, 0, 90_000, 90_000, "finished")])
HOUR = 3600


def spent(trials: pd.DataFrame, attempts: pd.DataFrame, decisions: pd.DataFrame, **changes: object) -> Spending:
    given = {"launches": LAUNCHES, "objective": HIGHER, "max_epochs": 9, "now": at(90_000), **changes}
    return spending(trials, attempts, decisions=decisions, **given)  # type: ignore[arg-type]


def test_hours_are_told_by_what_became_of_the_trial() -> None:
    states = ["complete"] * 4 + ["pruned", "pruned", "failed", "pruned", "interrupted"]
    trials = trials_frame(states, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    attempts = attempts_frame((n, 1, 1, 0, (n + 1) * HOUR, "finished", 0) for n in range(9))
    decisions = decisions_frame(
        [(4, 3, "asha", "go on", 3), (4, 9, "asha", "stop", 9), (5, 9, "not_finite", "stop", None)]
        + [(7, 9, "request", "stop", None)]
    )
    found = spent(trials, attempts, decisions)
    assert found.hours == {
        "best three": 1 + 2 + 3,
        "other complete": 4,
        "stopped early": 5 + 8,
        "broken": 6 + 7,
        "run again": 0,
        "not done yet": 9,
    }
    assert found.total_hours == sum(range(1, 10))


def test_the_best_three_are_by_the_goal() -> None:
    trials = trials_frame(["complete"] * 4, [0.9, 0.8, 0.7, 0.6])
    attempts = attempts_frame((n, 1, 1, 0, (n + 1) * HOUR, "finished", 0) for n in range(4))
    assert spent(trials, attempts, decisions_frame([]), objective=LOWER).hours["other complete"] == 1


def test_early_stopping_saves_the_epochs_that_were_not_run_at_the_trials_own_speed() -> None:
    trials = trials_frame(["complete", "pruned", "pruned", "pruned"], [0.9, 0.1, 0.1, 0.1], epochs=[9, 3, 1, 3])
    attempts = attempts_frame(
        [(0, 1, 1, 0, 90, "finished", 0), (1, 1, 1, 0, 60, "stopped", 0), (2, 1, 1, 0, 5, "stopped", 0)]
        + [(3, 1, 1, 0, 60, "stopped", 0)]
    )
    decisions = decisions_frame(
        [(1, 3, "asha", "stop", 3), (2, 1, "asha", "stop", 1), (3, 3, "not_finite", "stop", None)]
    )
    found = spent(trials, attempts, decisions)
    assert found.num_stopped == 2
    assert found.saved_hours * HOUR == pytest.approx(6 * 20 + 8 * 5)


def test_what_an_attempt_lost_when_it_died_is_told_apart() -> None:
    trials = trials_frame(["complete"], [0.9], epochs=9)
    attempts = attempts_frame(
        [
            (0, 1, 1, 0, 65, "worker_lost", 0),  # six epochs of ten seconds, and half of one that is lost
            (0, 2, 1, 70, 74, "worker_lost", 6),  # nothing
            (0, 3, 1, 80, 120, "finished", 6),  # three epochs in forty seconds: one of them was run again
        ]
    )
    found = spent(trials, attempts, decisions_frame([]))
    speed = 65 / 6  # seconds an epoch, of the attempt with most epochs
    assert found.hours["best three"] * HOUR == pytest.approx(9 * speed)
    assert found.hours["run again"] * HOUR == pytest.approx(65 + 4 + 40 - 9 * speed)


def test_what_runs_counts_until_now_and_what_a_dead_launch_left_until_its_last_sign_of_life() -> None:
    trials = trials_frame(["running", "interrupted"], [0.1, 0.1], epochs=1)
    attempts = attempts_frame([(0, 1, 2, 1000, None, None, 0), (1, 1, 1, 100, None, None, 0)])
    launches = launches_frame([(1, 0, 400, None, None), (2, 900, 1990, None, None)])
    found = spent(trials, attempts, decisions_frame([]), launches=launches, now=at(2000))
    assert found.hours["not done yet"] * HOUR == pytest.approx((2000 - 1000) + (400 - 100))


def test_a_trial_without_an_attempt_costs_and_saves_nothing() -> None:
    trials = trials_frame(["pruned"], [float("nan")], epochs=3)
    found = spent(trials, attempts_frame([]), decisions_frame([(0, 3, "repeat", "stop", None)]))
    assert found.total_hours == 0
    assert found.saved_hours == 0


def test_bars_are_hours_and_minutes_where_there_is_less_than_an_hour() -> None:
    trials = trials_frame(["complete", "pruned"], [0.9, 0.1], epochs=[9, 3])
    decisions = decisions_frame([(1, 3, "asha", "stop", 3)])
    attempts = attempts_frame([(0, 1, 1, 0, 720, "finished", 0), (1, 1, 1, 0, 180, "stopped", 0)])
    figure = where_time_went(spent(trials, attempts, decisions))
    assert list(figure.data[0].x) == pytest.approx([12, 0, 3, 0, 0, 0, 6])
    assert figure.layout.xaxis.title.text == "minutes of training"
    assert figure.data[0].text[0] == "12 (80%)"
    long = attempts_frame([(0, 1, 1, 0, 7200, "finished", 0), (1, 1, 1, 0, 180, "stopped", 0)])
    figure = where_time_went(spent(trials, long, decisions))
    assert figure.data[0].x[0] == 2
    assert figure.layout.xaxis.title.text == "hours of training"
