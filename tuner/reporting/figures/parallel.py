"""Parallel coordinates: every trial a line through its values. The axes lie, so that their labels fit a narrow page."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sample_colorscale

from tuner.reporting.figures.parameter_axes import ParameterAxis, cut, parameter_axes
from tuner.reporting.figures.ranking import by_value, edge_words, thinned, thinning_words, value_range
from tuner.reporting.figures.style import (
    FAINT_TEXT,
    HEIGHT,
    SCALE,
    TEXT,
    Objective,
    escape,
    hover_texts,
    new_figure,
    states_in_order,
    value_words,
)

_MOST_LINES = 200
_AXIS_HEIGHT = 56  # pixels from axis to axis
_NOT_IN_FORCE = -0.06  # left of every value
_SPREAD = 0.6  # of a choice's part of the axis, over which its lines are spread
_LETTERS = 36  # of one axis' labels, at 360 pixels
_DASHES = {"complete": "solid", "pruned": "dot"}


def parallel_coordinates(trials: pd.DataFrame, objective: Objective, space: Mapping[str, Any]) -> go.Figure:
    """Every trial as a line through the values of its parameters down to the metric.

    Args:
        trials: as `StudyFrames.trials`.
        objective: the study's metric.
        space: as `StudyFrames.space`.
    Returns: a figure; trials without a finite value are not in it.
    """
    axes = parameter_axes(trials, space)
    ranked = by_value(trials, objective)
    shown = thinned(ranked, _MOST_LINES)
    places = [_places(axis, shown) for axis in axes]
    has_gaps = any(np.any(row == _NOT_IN_FORCE) for row in places)
    ends = value_range(ranked) if len(ranked) else (0.0, 1.0)
    values = _clipped(shown["value"].to_numpy(), ends)
    best = "best →" if objective.sign < 0 else "← best"
    figure = new_figure(
        f"Configurations and their {escape(objective.name)}",
        "A line is a trial: dark ones are the best, dotted ones were stopped early. Equal choices are spread by value."
        + (" Far left: not in force." if has_gaps else "")
        + thinning_words(len(shown), len(ranked))
        + edge_words(ranked, ends),
        height=max(HEIGHT, _AXIS_HEIGHT * (len(axes) + 1) + 70),
    )
    _add_lines(figure, shown, np.array([*places, values]), values if objective.sign < 0 else 1 - values, objective.name)
    for row, axis in enumerate(axes):
        _add_axis(figure, row, cut(axis.name, 40), *axis.ticks(_LETTERS))
    low, high = ends
    ticks = [low + share * (high - low) for share in (0, 0.5, 1)]
    _add_axis(figure, len(axes), f"{cut(objective.name, 30)} ({best})", [0, 0.5, 1], [value_words(t) for t in ticks])
    figure.update_xaxes(visible=False, range=[_NOT_IN_FORCE - 0.03 if has_gaps else -0.02, 1.02])
    figure.update_yaxes(visible=False, range=[len(axes) + 0.45, -0.4])
    return figure


def _places(axis: ParameterAxis, shown: pd.DataFrame) -> NDArray[np.float64]:
    """Where the trials cross the axis, 0 to 1. Lines of one choice are spread, the best to the right."""
    shares = axis.shares(list(shown[axis.column]))
    if axis.choices is not None:
        by_rank = (np.arange(len(shown), 0, -1) - 0.5) / max(len(shown), 1) - 0.5
        shares = shares + by_rank * _SPREAD / len(axis.choices)
    return np.where(np.isnan(shares), _NOT_IN_FORCE, shares)


def _clipped(values: NDArray[np.float64], ends: tuple[float, float]) -> NDArray[np.float64]:
    low, high = ends
    return np.clip((values - low) / ((high - low) or 1.0), 0, 1)


def _add_lines(
    figure: go.Figure, shown: pd.DataFrame, places: NDArray[np.float64], goodness: NDArray[np.float64], metric: str
) -> None:
    """One line a trial, the best last: on top."""
    texts = hover_texts(shown)
    colors = sample_colorscale(SCALE, list(0.9 * (1 - goodness)))
    rows = list(range(len(places)))
    for place in reversed(range(len(shown))):
        number, state = int(shown.index[place]), shown["state"].iloc[place]
        figure.add_scatter(
            x=places[:, place], y=rows, mode="lines+markers", ids=[f"{number}-{row}" for row in rows],
            customdata=[number] * len(rows), showlegend=False, marker={"size": 4, "color": colors[place]},
            line={"color": colors[place], "width": 3 if place == 0 else 1, "dash": _DASHES.get(state, "dash")},
            hovertext=f"{texts[number]}<br>{escape(metric)} {value_words(float(shown['value'].iloc[place]))}", hoverinfo="text",
        )  # fmt: skip
    states = states_in_order(shown["state"])
    others = ", ".join(state for state in states if state not in _DASHES)
    for name, dash in [*((s, _DASHES[s]) for s in states if s in _DASHES), *([(others, "dash")] if others else [])]:
        figure.add_scatter(x=[None], y=[None], mode="lines", name=name, line={"color": TEXT, "dash": dash})


def _add_axis(figure: go.Figure, row: int, name: str, shares: Sequence[float], labels: Sequence[str]) -> None:
    """A lying axis: its line, its name above the left end, its labels below."""
    figure.add_shape(type="line", x0=0, x1=1, y0=row, y1=row, line={"color": FAINT_TEXT, "width": 1})
    figure.add_annotation(
        x=0, y=row, text=name, xanchor="left", yanchor="bottom", showarrow=False, bgcolor="rgba(255,255,255,0.85)",
        font={"size": 12, "color": TEXT}, borderpad=1, yshift=3,
    )  # fmt: skip
    for share, label in zip(shares, labels, strict=True):
        figure.add_annotation(
            x=share, y=row, text=label, xanchor="left" if share < 0.05 else "right" if share > 0.95 else "center",
            yanchor="top", showarrow=False, bgcolor="rgba(255,255,255,0.85)", borderpad=1, yshift=-4,
            font={"size": 11, "color": FAINT_TEXT},
        )  # fmt: skip
