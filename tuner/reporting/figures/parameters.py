"""Single parameters: how much each matters, and the value over each."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from tuner.reporting.figures.parameter_axes import ParameterAxis, cut, parameter_axes
from tuner.reporting.figures.ranking import by_value, edge_words, thinned, thinning_words, value_range
from tuner.reporting.figures.style import (
    CATEGORY_COLORS,
    FAINT_TEXT,
    GRID,
    HEIGHT,
    INCUMBENT,
    LONGEST_AXIS_TITLE,
    STATE_COLORS,
    STATE_SYMBOLS,
    Objective,
    escape,
    hover_texts,
    new_figure,
    shortened,
    states_in_order,
)

_BAR_HEIGHT = 32  # pixels
_MOST_MARKS = 600
_FEWEST_IN_A_BOX = 5
_SPREAD = 0.5  # of a choice's part of the axis, over which its marks are spread
_LETTERS = 36  # of an axis' labels, at 360 pixels


def parameter_importance(
    shares: pd.Series, chance: pd.Series, num_trials: int, num_best: int, objective: Objective
) -> go.Figure:
    """Bars: what share each parameter has in being among the best trials, and what chance alone gives.

    Args:
        shares: parameter -> its share, largest first, as `tuner.reporting.importance.parameter_importance` has them.
        chance: parameter -> the share that chance alone may give it.
        num_trials: how many trials they are from.
        num_best: how many of those counted as the best.
        objective: the study's metric.
    """
    figure = new_figure(
        f"Which parameters decide about {escape(objective.name)}",
        f"How much a parameter's values among the {num_best} best trials differ from those among all {num_trials} "
        "complete and stopped ones (PED-ANOVA, shares of the sum); a parameter with a condition is compared where it is in "
        "force. Lines: what chance alone gives; grey bars do not pass it. Which values are good it does not say.",
        x="share",
        height=max(HEIGHT, _BAR_HEIGHT * len(shares) + 90),
    )
    rows = list(range(len(shares)))
    passes = (shares > chance).to_numpy()
    figure.add_bar(
        x=shares.to_numpy(), y=rows, orientation="h", width=0.6, showlegend=False, cliponaxis=False,
        marker={"color": np.where(passes, CATEGORY_COLORS[0], CATEGORY_COLORS[-1])},
        hovertext=[escape(name) for name in shares.index], hovertemplate="%{hovertext}: %{x:.3f}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=chance.to_numpy(), y=rows, mode="markers", name="chance", hovertemplate="by chance up to %{x:.3f}<extra></extra>",
        marker={"symbol": "line-ns-open", "size": 18, "color": INCUMBENT, "line": {"width": 2}}, showlegend=True,
    )  # fmt: skip
    figure.update_xaxes(
        range=[0, 1.08 * float(max(shares.max(), chance.max()))], tickformat=".0%", nticks=5, tickangle=0
    )
    labels = [f"{cut(str(name), 18)} {_percent(share)}" for name, share in shares.items()]
    figure.update_yaxes(tickvals=rows, ticktext=labels, autorange="reversed", showgrid=False)
    return figure


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.005 else "&lt;1%"


def slice_plots(trials: pd.DataFrame, objective: Objective, space: Mapping[str, Any]) -> list[go.Figure]:
    """For each parameter, the value of every trial over it.

    Args:
        trials: as `StudyFrames.trials`.
        objective: the study's metric.
        space: as `StudyFrames.space`.
    Returns: one figure a parameter that a trial with a finite value has, in the order of the search space.
    """
    ranked = by_value(trials, objective)
    if ranked.empty:
        return []
    ends = value_range(ranked)
    texts = hover_texts(ranked)
    drawn = ranked.assign(drawn=ranked["value"].clip(*ends))
    beyond = edge_words(ranked, ends)
    return [_slice(drawn, axis, objective, texts, beyond) for axis in parameter_axes(ranked, space)]


def _slice(
    ranked: pd.DataFrame, axis: ParameterAxis, objective: Objective, texts: Mapping[int, str], beyond: str
) -> go.Figure:
    """One parameter's figure; `drawn` is the column of where values stand, `beyond` says whether that is elsewhere."""
    places = axis.places(list(ranked[axis.column]))
    in_force = ranked[~np.isnan(places)].assign(place=places[~np.isnan(places)])
    shown = thinned(in_force, _MOST_MARKS)
    without = len(ranked) - len(in_force)
    figure = new_figure(
        f"{escape(objective.name)} over {escape(axis.name)}",
        "One mark a trial, at the best of its epochs; stopped trials at what they had reached."
        + (" Boxes: middle half of a choice's trials, and median." if axis.choices is not None else "")
        + (f" Not in force in {without} trials." if without else "")
        + thinning_words(len(shown), len(in_force))
        + beyond,
        x=cut(axis.name, 32),
        y=shortened(objective.name, LONGEST_AXIS_TITLE),
    )
    if axis.choices is not None:
        _add_boxes(figure, in_force)
        shown = shown.assign(place=shown["place"] + _spread(shown))
    for state in states_in_order(shown["state"]):
        of_state = shown[shown["state"] == state].sort_index()
        words = [
            f"{texts[number]}<br>{escape(objective.name)} {value:.4g}" for number, value in of_state["value"].items()
        ]
        figure.add_scatter(
            x=of_state["place"], y=of_state["drawn"], mode="markers", name=state, ids=of_state.index, text=words,
            customdata=of_state.index, hovertemplate="%{text}<extra></extra>",
            marker={"color": STATE_COLORS[state], "symbol": STATE_SYMBOLS[state], "size": 7, "line": {"width": 1.2}},
        )  # fmt: skip
    show_parameter(figure.layout.xaxis, axis)
    return figure


def show_parameter(layout: Any, axis: ParameterAxis) -> None:
    """Make one of a figure's axes that of a parameter."""
    if axis.choices is not None:
        places = list(range(len(axis.choices)))
        every = -(-len(places) * 3 // _LETTERS)  # of very many choices not each can be named
        labels = [cut(choice, max(3, _LETTERS // len(places))) for choice in axis.choices]
        layout.update(
            tickvals=places[::every],
            ticktext=labels[::every],
            range=[-0.5, len(places) - 0.5],
            showgrid=False,
            tickangle=0,
            tickfont={"size": 12},
        )
    elif axis.is_log:
        low, high = np.log10(axis.low), np.log10(axis.high)
        margin = 0.03 * (high - low)
        layout.update(type="log", range=[low - margin, high + margin], exponentformat="e", nticks=6, tickangle=0)
        if high - low > 1:
            layout.update(dtick=math.ceil((high - low) / 5))
    else:
        margin = 0.03 * (axis.high - axis.low)
        layout.update(range=[axis.low - margin, axis.high + margin], nticks=6, tickangle=0)
        if axis.is_whole and axis.high - axis.low <= 10:
            layout.update(dtick=1)


def _spread(shown: pd.DataFrame) -> NDArray[np.float64]:
    """Offsets that keep the marks of a choice apart: by trial number, so that later trials stand further right."""
    order = shown.index.to_numpy().argsort().argsort()
    return np.asarray(((order + 0.5) / max(len(shown), 1) - 0.5) * _SPREAD, np.float64)


def _add_boxes(figure: go.Figure, in_force: pd.DataFrame) -> None:
    for place, values in in_force.groupby("place")["drawn"]:
        if len(values) >= _FEWEST_IN_A_BOX:
            figure.add_box(
                x0=place, y=np.quantile(values, [0.25, 0.25, 0.5, 0.75, 0.75]), boxpoints=False, width=0.75, showlegend=False,
                hoverinfo="skip", line={"color": FAINT_TEXT, "width": 1}, fillcolor=GRID, whiskerwidth=0,
            )  # fmt: skip
