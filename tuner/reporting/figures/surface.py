"""Two parameters at once: every trial where they put it, and the mean of its neighbours behind."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy.spatial import Delaunay, QhullError
from scipy.spatial.distance import cdist

from tuner.reporting.figures.parameter_axes import ParameterAxis, cut, parameter_axes
from tuner.reporting.figures.parameters import show_parameter
from tuner.reporting.figures.ranking import by_value, edge_words, thinned, thinning_words, value_range
from tuner.reporting.figures.style import (
    PAPER,
    SCALE,
    STATE_SYMBOLS,
    TEXT,
    Objective,
    escape,
    hover_texts,
    new_figure,
    states_in_order,
)

FEWEST_TRIALS = 10
_MOST_MARKS = 400
_GRID = 60  # points a side
_BANDWIDTH = 0.08  # of an axis' length
_FAINTEST = float(np.exp(-0.5 * 2.0**2))  # the weight of one trial at two bandwidths
_SYMBOLS = {**STATE_SYMBOLS, "pruned": "x"}


def number_parameters(trials: pd.DataFrame, space: Mapping[str, Any], order: Sequence[str] = ()) -> list[str]:
    """The parameters that are searched as ranges of numbers; those in `order` first, as there, then as in the space."""
    names = [axis.name for axis in parameter_axes(trials, space) if axis.is_number]
    return sorted(names, key=lambda name: list(order).index(name) if name in order else len(order))


def contour(trials: pd.DataFrame, objective: Objective, space: Mapping[str, Any], x: str, y: str) -> go.Figure:
    """The values of all trials over two of their parameters.

    The surface behind is a weighted mean of the trials around each point (Nadaraya-Watson, Gaussian weights), drawn only inside
    the trials' convex hull and where a trial is near; it is left out with less than 10 trials, or when they are on a line.

    Args:
        trials: as `StudyFrames.trials`.
        objective: the study's metric.
        space: as `StudyFrames.space`.
        x, y: names of two parameters that are ranges of numbers.
    """
    axes = {axis.name: axis for axis in parameter_axes(trials, space)}
    ranked = by_value(trials, objective)
    in_force = ranked[ranked[[axes[x].column, axes[y].column]].notna().all(axis=1)]
    shown = thinned(in_force, _MOST_MARKS)
    ends = value_range(in_force) if len(in_force) else (0.0, 1.0)
    surface = _surface(in_force, axes[x], axes[y], ends)
    figure = new_figure(
        f"{escape(objective.name)} over {escape(x)} and {escape(y)}",
        _explanation(surface is not None, len(ranked) - len(in_force))
        + thinning_words(len(shown), len(in_force))
        + (" Colours end at the ends of the bar." if edge_words(in_force, ends) else ""),
        x=cut(x, 32),
        y=cut(y, 32),
        coloraxis=_color_axis(objective, ends),
    )
    if surface is not None:
        figure.add_contour(
            x=_grid_values(axes[x]), y=_grid_values(axes[y]), z=surface, coloraxis="coloraxis", hoverinfo="skip", opacity=0.75,
            contours={"coloring": "heatmap"}, line={"width": 0.5}, ncontours=12, connectgaps=False,
        )  # fmt: skip
    _add_trials(figure, shown, axes[x], axes[y], objective)
    show_parameter(figure.layout.xaxis, axes[x])
    show_parameter(figure.layout.yaxis, axes[y])
    return figure


def _explanation(has_surface: bool, without: int) -> str:
    words = "One mark a trial, dark ones the best; stopped trials count with what they had reached."
    if has_surface:
        words += (
            " The surface is the mean of the trials around (Gaussian weights, 8 % of an axis wide), over all values of the "
            "other parameters; drawn only between trials and near them."
        )
    return words + (f" {without} trials lack one of both parameters." if without else "")


def _color_axis(objective: Objective, ends: tuple[float, float]) -> dict[str, Any]:
    return {
        "colorscale": SCALE, "reversescale": objective.sign < 0, "cmin": ends[0], "cmax": ends[1],
        "colorbar": {"thickness": 10, "xpad": 4, "nticks": 6, "outlinewidth": 0},
    }  # fmt: skip


def _surface(
    in_force: pd.DataFrame, x: ParameterAxis, y: ParameterAxis, ends: tuple[float, float]
) -> NDArray[np.float64] | None:
    """Shape (_GRID, _GRID), rows along y; NaN where no trial is near."""
    points = np.column_stack([axis.shares(list(in_force[axis.column])) for axis in (x, y)])
    if len(points) < FEWEST_TRIALS:
        return None
    try:
        hull = Delaunay(points)
    except QhullError:  # on a line, or all in one place
        return None
    side = np.linspace(0, 1, _GRID)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    weights = np.exp(-0.5 * cdist(grid, points, "sqeuclidean") / _BANDWIDTH**2)
    near = (weights.sum(axis=1) >= _FAINTEST) & (hull.find_simplex(grid) >= 0)
    means = (weights @ np.clip(in_force["value"].to_numpy(), *ends)) / np.maximum(weights.sum(axis=1), _FAINTEST)
    return np.where(near, means, np.nan).reshape(_GRID, _GRID)


def _grid_values(axis: ParameterAxis) -> NDArray[np.float64]:
    return np.geomspace(axis.low, axis.high, _GRID) if axis.is_log else np.linspace(axis.low, axis.high, _GRID)


def _add_trials(
    figure: go.Figure, shown: pd.DataFrame, x: ParameterAxis, y: ParameterAxis, objective: Objective
) -> None:
    texts, name = hover_texts(shown), escape(objective.name)
    for state in states_in_order(shown["state"]):
        of_state = shown[shown["state"] == state].iloc[::-1]  # the best on top
        figure.add_scatter(
            x=x.places(list(of_state[x.column])), y=y.places(list(of_state[y.column])), mode="markers", name=state,
            ids=of_state.index, customdata=of_state.index, 
            text=[f"{texts[number]}<br>{name} {value:.4g}" for number, value in of_state["value"].items()],
            marker={"color": of_state["value"], "coloraxis": "coloraxis", "symbol": _SYMBOLS[state], "size": 9,
                    "line": {"width": 1, "color": PAPER if state == "complete" else TEXT}},
            hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
