"""Several studies side by side."""

import math

import pytest

from tests.reporting.small_frames import HIGHER, LOWER, attempts_frame, trials_frame
from tuner.reporting.figures import best_over_hours, best_over_trials, final_values

HOUR = 3600
STUDIES = {
    "a<b>": trials_frame(["complete", "pruned", "complete", "complete", "failed"], [0.5, 0.9, 0.4, 0.7, math.nan]),
    "b": trials_frame(["complete", "complete"], [0.6, math.inf]),
    "empty": trials_frame([], []),
}


def test_the_best_so_far_steps_where_a_finished_trial_is_better_and_goes_on_to_the_last_trial() -> None:
    first, second, third = best_over_trials(STUDIES, HIGHER).data
    assert (list(first.x), list(first.y), list(first.customdata)) == ([1, 4, 5], [0.5, 0.7, 0.7], [0, 3, 3])
    assert (list(second.x), list(second.y)) == ([1, 2], [0.6, 0.6])
    assert len(third.x) == 0
    assert [trace.name for trace in (first, second, third)] == ["a&lt;b&gt;", "b", "empty"]
    assert first.line.color != second.line.color
    assert first.line.dash != second.line.dash


def test_lower_is_better_where_the_goal_says_so() -> None:
    first, *_ = best_over_trials(STUDIES, LOWER).data
    assert list(first.y) == [0.5, 0.4, 0.4]


def test_hours_are_those_of_all_attempts_by_the_time_a_trial_is_done() -> None:
    attempts = {
        "a<b>": attempts_frame(
            [
                (0, 1, 1, 0, 2 * HOUR, "finished", 0),
                (1, 1, 1, 0, 1 * HOUR, "stopped", 0),
                (2, 1, 1, 2 * HOUR, 4 * HOUR, "worker_lost", 0),
                (2, 2, 1, 6 * HOUR, 7 * HOUR, "finished", 4),
                (3, 1, 1, 2 * HOUR, 5 * HOUR, "finished", 0),
                (4, 1, 1, 8 * HOUR, None, None, 0),
            ]
        ),
        "b": attempts_frame([(0, 1, 1, 0, HOUR, "finished", 0)]),
        "empty": attempts_frame([]),
    }
    figure = best_over_hours(STUDIES, attempts, HIGHER)
    first, second, third = figure.data
    assert (list(first.x), list(first.y)) == ([3, 8, 9], [0.5, 0.7, 0.7])  # 1 + 2; with 2 + 3 more; and 1 more
    assert list(second.x) == [1]
    assert len(third.x) == 0
    assert figure.layout.xaxis.title.text == "hours of training"


def test_final_values_are_those_of_complete_trials_with_quartiles_of_all() -> None:
    figure = final_values(STUDIES, HIGHER)
    box, marks = figure.data[:2]
    assert list(marks.x) == [0.7, 0.5, 0.4]
    assert list(marks.customdata) == [3, 0, 2]
    assert list(box.x) == pytest.approx([0.45, 0.45, 0.5, 0.6, 0.6])
    assert list(figure.layout.yaxis.ticktext) == ["a&lt;b&gt; (3)", "b (1)", "empty (0)"]
    many = {"many": trials_frame(["complete"] * 1000, list(range(1000)))}
    assert len(final_values(many, HIGHER).data[1].x) == 300
