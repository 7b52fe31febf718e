"""The history of a search: every trial where it came to, and the best finished one so far."""

import math

from tests.reporting.frames_by_hand import make_trials
from tests.reporting.small_frames import HIGHER, LOWER
from tuner.reporting.figures import optimization_history


def test_every_trial_with_a_value_is_a_mark_and_the_line_follows_the_best_that_finished() -> None:
    states = ["complete", "pruned", "failed", "complete", "complete"]
    figure = optimization_history(make_trials(states, [0.5, 0.9, math.nan, 0.4, 0.7]), HIGHER)
    complete, pruned, line = figure.data
    assert (list(complete.customdata), list(complete.y)) == ([0, 3, 4], [0.5, 0.4, 0.7])
    assert (list(pruned.customdata), list(pruned.y)) == ([1], [0.9])
    assert (list(line.x), list(line.y)) == ([0, 3, 4], [0.5, 0.5, 0.7])
    *_, line = optimization_history(make_trials(states, [0.5, 0.9, math.nan, 0.4, 0.7]), LOWER).data
    assert list(line.y) == [0.5, 0.4, 0.4]


def test_a_diverged_trial_stands_at_the_edge_and_says_what_it_came_to() -> None:
    figure = optimization_history(make_trials(["complete"] * 6, [1.0, 2.0, 3.0, 4.0, 5.0, 1e9]), LOWER)
    marks, _ = figure.data
    assert list(marks.y) == [1.0, 2.0, 3.0, 4.0, 5.0, 5.0]
    assert marks.text[5].endswith("1e+09")
    assert "1 value far outside of the others: drawn at the edge." in figure.layout.title.subtitle.text
