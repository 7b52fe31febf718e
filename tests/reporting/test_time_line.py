"""Attempts over the workers of each node, and the launches above them."""

import math

import pandas as pd
import plotly.graph_objects as go

from tests.reporting.small_frames import at, attempts_frame, launches_frame, trials_frame
from tuner.reporting.figures import attempt_time_line
from tuner.reporting.figures.lanes import attempts_until, lanes, launches_until
from tuner.reporting.figures.time_line import duration_words


def seconds(drawn: object) -> float:
    """Of the story, at a time as figures have it: UTC without a zone."""
    return (pd.Timestamp(drawn) - at(0).tz_localize(None)).total_seconds()


def bars(figure: go.Figure, name: str) -> list[tuple[int, float, float, int]]:
    """(trial, start, seconds, lane) of the bars of one kind."""
    (trace,) = [trace for trace in figure.data if trace.type == "bar" and trace.name == name]
    starts = [seconds(base) for base in trace.base]
    return list(zip(trace.customdata, starts, [x / 1000 for x in trace.x], trace.y, strict=True))


def test_spans_that_do_not_overlap_share_a_lane() -> None:
    assert lanes([0, 1, 4, 5, 6, 9], [4, 9, 5, 7, 8, 10]) == [0, 1, 0, 0, 2, 0]
    assert lanes([], []) == []


def test_attempts_are_bars_in_lanes_coloured_by_how_they_ended() -> None:
    attempts = attempts_frame(
        [(0, 1, 1, 0, 40, "finished", 0), (1, 1, 1, 10, 30, "stopped", 0), (2, 1, 1, 30, 50, "failed", 0)]
    )
    launches = launches_frame([(1, 0, 50, 50, "finished")])
    trials = trials_frame(["complete", "pruned", "failed"], [0.9, 0.1, 0.1])
    figure = attempt_time_line(attempts, launches, trials, at(50))
    assert bars(figure, "done") == [(0, 0, 40, 0)]
    assert bars(figure, "stopped") == [(1, 10, 20, 1)]
    assert bars(figure, "failed") == [(2, 30, 20, 1)]
    assert "trial 1</b>, pruned<br>attempt 1: stopped, 20.0 s<br>on node, cpu, launch 1" in figure.data[3].text[0]


def test_each_node_has_lanes_of_its_own() -> None:
    attempts = attempts_frame([(n, 1, 1, 10 * n, 10 * n + 5, "finished", 0) for n in range(3)])
    attempts["node"] = ["a", "b<i>", "a"]
    launches = launches_frame([(1, 0, 50, 50, "finished")])
    figure = attempt_time_line(attempts, launches, trials_frame(["complete"] * 3, [0.9] * 3), at(50))
    assert [lane for *_, lane in bars(figure, "done")] == [0, 1, 0]
    assert list(figure.layout.yaxis.ticktext) == ["launches", "a", "b&lt;i&gt;"]


def test_what_died_is_marked_where_it_was_last_heard_of() -> None:
    attempts = attempts_frame(
        [(0, 1, 1, 0, 25, "launch_died", 0), (0, 2, 2, 60, None, None, 2), (1, 1, 2, 60, 70, "worker_lost", 0)]
    )
    launches = launches_frame([(1, 0, 20, 20, "died"), (2, 55, 95, None, None)])
    trials = trials_frame(["running", "interrupted"], [0.5, math.nan])
    figure = attempt_time_line(attempts, launches, trials, at(100))
    assert bars(figure, "died") == [(0, 0, 25, 0), (1, 60, 10, 1)]
    assert bars(figure, "running") == [(0, 60, 40, 0)]
    marks = figure.data[-1]
    assert list(zip(map(seconds, marks.x), marks.y, strict=True)) == [(25, 0), (70, 1), (25, -1)]


def test_a_launch_without_an_end_has_died_when_it_holds_trials_that_nobody_runs() -> None:
    attempts = attempts_frame([(0, 1, 1, 5, None, None, 0), (1, 1, 3, 65, None, None, 0)])
    launches = launches_frame(
        [(1, 0, 90, None, None), (2, 10, 11, None, None), (3, 60, 95, None, None), (4, 98, 99, None, None)]
    )
    found = launches_until(launches, attempts, trials_frame(["interrupted", "running"], [0.1, 0.1]), at(105))
    assert found["outcome"].tolist() == ["died", "died", "running", "running"]
    assert found["until"].tolist() == [at(90), at(11), at(105), at(105)]
    ended = attempts_until(attempts, found)
    assert ended["outcome"].tolist() == ["launch_died", "running"]
    assert ended["seconds"].tolist() == [85, 40]


def test_an_attempt_without_an_epoch_stands_with_the_only_node_of_its_launch() -> None:
    attempts = attempts_frame([(n, 1, 1 + n // 3, n, n + 1, "finished", 0) for n in range(7)])
    attempts["node"] = ["a", None, "a", "b", "c", None, None]
    attempts.loc[6, "launch_id"] = 3
    launches = launches_frame([(n, 0, 50, 50, "finished") for n in (1, 2, 3)])
    found = attempts_until(attempts, launches_until(launches, attempts, trials_frame([], []), at(50)))
    assert found["node"].tolist() == ["a", "a", "a", "b", "c", "node not known", "host"]


def test_two_thousand_attempts_have_no_borders_that_would_hide_them() -> None:
    attempts = attempts_frame((n, 1, 1, 10 * n, 10 * n + 10, "finished", 0) for n in range(2000))
    launches = launches_frame([(1, 0, 20_000, 20_000, "finished")])
    figure = attempt_time_line(attempts, launches, trials_frame(["complete"] * 2000, [0.9] * 2000), at(20_000))
    assert len(bars(figure, "done")) == 2000
    assert {lane for *_, lane in bars(figure, "done")} == {0}
    assert figure.data[2].marker.line.width == 0


def test_durations_are_told_in_two_units() -> None:
    assert [duration_words(s) for s in (0.04, 59.94, 61, 3599.9, 7260)] == [
        *("0.0 s", "59.9 s", "1 min 1 s", "1 h 0 min", "2 h 1 min")
    ]
