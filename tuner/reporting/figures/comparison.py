"""Several studies in one figure: who got how far with how many trials and how many hours, and how their trials ended."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tuner.reporting.figures.ranking import by_value, thinned, thinning_words
from tuner.reporting.figures.spending import time_unit
from tuner.reporting.figures.style import (
    CATEGORY_COLORS,
    LONGEST_AXIS_TITLE,
    Objective,
    escape,
    hover_texts,
    new_figure,
    shortened,
)

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_NAME_LETTERS = 18
_MOST_MARKS = 300  # a study


def best_over_trials(studies: Mapping[str, pd.DataFrame], objective: Objective) -> go.Figure:
    """The best finished trial so far, over the number of trials begun: a line a study.

    Args:
        studies: name -> its trials, as `StudyFrames.trials`.
        objective: the metric of all of them.
    """
    figure = new_figure(
        f"Best {escape(objective.name)} by number of trials",
        "The best finished trial so far, after so many trials; a line a study.",
        x="trials begun",
        y=shortened(objective.name, LONGEST_AXIS_TITLE),
    )
    for place, (name, trials) in enumerate(studies.items()):
        complete = trials[trials["state"].eq("complete") & np.isfinite(trials["value"])].sort_index()
        _add_line(figure, place, name, complete.index + 1, complete, objective, end=_last(trials.index) + 1)
    return figure


def best_over_hours(
    studies: Mapping[str, pd.DataFrame], attempts: Mapping[str, pd.DataFrame], objective: Objective
) -> go.Figure:
    """The best finished trial so far, over the hours that all attempts had taken by then: a line a study.

    Args:
        studies: name -> its trials, as `StudyFrames.trials`.
        attempts: name -> its attempts, as `StudyFrames.attempts`; only those that have ended count.
        objective: the metric of all of them.
    """
    spent = {name: _hours_until_done(frame) for name, frame in attempts.items()}
    unit, size = time_unit(max((_last(hours) for hours in spent.values()), default=0.0))
    figure = new_figure(
        f"Best {escape(objective.name)} by time of training",
        "The best finished trial so far, after so much time of all attempts added up (two trials at once for an hour are two "
        "hours); a line a study.",
        x=f"{unit} of training",
        y=shortened(objective.name, LONGEST_AXIS_TITLE),
    )
    for place, (name, trials) in enumerate(studies.items()):
        until_done = spent[name] * size
        complete = trials.reindex(until_done.index)
        complete = complete[complete["state"].eq("complete") & np.isfinite(complete["value"])]
        _add_line(figure, place, name, until_done[complete.index], complete, objective, end=_last(until_done))
    return figure


def final_values(studies: Mapping[str, pd.DataFrame], objective: Objective) -> go.Figure:
    """How the complete trials of each study ended: every value, with the box of the middle half.

    Args:
        studies: name -> its trials, as `StudyFrames.trials`.
        objective: the metric of all of them.
    """
    ranked = {name: by_value(trials[trials["state"] == "complete"], objective) for name, trials in studies.items()}
    shown = {name: thinned(trials, _MOST_MARKS) for name, trials in ranked.items()}
    figure = new_figure(
        f"{escape(objective.name)} of all complete trials",
        "One mark a trial, at the best of its epochs; boxes are the middle half of a study's complete trials, with the median."
        + thinning_words(sum(map(len, shown.values())), sum(map(len, ranked.values()))),
        x=shortened(objective.name, LONGEST_AXIS_TITLE),
    )
    for place, (name, trials) in enumerate(shown.items()):
        color = CATEGORY_COLORS[place % len(CATEGORY_COLORS)]
        quartiles = np.quantile(ranked[name]["value"], [0.25, 0.25, 0.5, 0.75, 0.75]) if len(trials) else []
        figure.add_box(
            x=quartiles, y0=place, orientation="h", boxpoints=False, hoverinfo="skip", showlegend=False, width=0.6, whiskerwidth=0,
            line={"color": color, "width": 1.5}, fillcolor="rgba(0,0,0,0)",
        )  # fmt: skip
        spread = (trials.index.to_numpy().argsort().argsort() + 0.5) / max(len(trials), 1) - 0.5
        figure.add_scatter(
            x=trials["value"], y=place + 0.5 * spread, mode="markers", showlegend=False, customdata=trials.index,
            marker={"color": color, "size": 6, "opacity": 0.7},
            text=_texts(name, trials, objective), hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
    labels = [f"{shortened(name, 14)} ({len(trials)})" for name, trials in ranked.items()]
    figure.update_yaxes(tickvals=list(range(len(labels))), ticktext=labels, autorange="reversed", showgrid=False)
    return figure


def _hours_until_done(attempts: pd.DataFrame) -> pd.Series:
    """Trial -> hours that all attempts had taken when its last one ended, in that order."""
    ended = attempts.dropna(subset=["ended_at"]).sort_values("ended_at", kind="stable")
    hours = (ended["ended_at"] - ended["started_at"]).dt.total_seconds().clip(lower=0).cumsum() / 3600
    return hours.groupby(ended["trial"]).last().sort_values(kind="stable")


def _add_line(
    figure: go.Figure,
    place: int,
    name: str,
    x: pd.Index | pd.Series,
    complete: pd.DataFrame,
    objective: Objective,
    end: float,
) -> None:
    """A step wherever the best changes; the line goes on to `end`, where the study is."""
    best = objective.best(complete["value"])
    improves = best.ne(best.shift()).to_numpy()
    steps, values, trials = np.asarray(x)[improves], best[improves].to_numpy(), complete.index[improves]
    if len(steps) and end > steps[-1]:
        steps, values, trials = np.append(steps, end), np.append(values, values[-1]), trials.append(trials[-1:])
    figure.add_scatter(
        x=steps, y=values, mode="lines+markers", name=shortened(name, _NAME_LETTERS), showlegend=True, customdata=trials,
        line={"shape": "hv", "width": 2, "color": CATEGORY_COLORS[place % len(CATEGORY_COLORS)], "dash": _DASHES[place % len(_DASHES)]},
        marker={"size": 5},
        text=_texts(name, complete.loc[trials], objective), hovertemplate="%{text}<br>after %{x:.4g}<extra></extra>",
    )  # fmt: skip


def _texts(study: str, trials: pd.DataFrame, objective: Objective) -> list[str]:
    """What each trial's mark tells: study, trial, configuration, value."""
    texts = hover_texts(trials)
    name = escape(objective.name)
    return [f"{escape(study)}<br>{texts[n]}<br>{name} {value:.4g}" for n, value in trials["value"].items()]


def _last(values: pd.Index | pd.Series) -> float:
    """The last of them, 0 where there is none."""
    return float(values.max()) if len(values) else 0.0
