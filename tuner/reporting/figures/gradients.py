"""Gradient flow: the mean |dL/dW| of every layer, where it vanishes and where it explodes."""

from typing import Any, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from tuner.reporting.figures.style import (
    CATEGORY_COLORS,
    SCALE,
    STATE_COLORS,
    escape,
    hover_texts,
    is_in_force,
    new_figure,
    parameter_columns,
    shortened,
    trace_id,
)

When = Literal["early", "late"]

MOST_COLUMNS = 120  # epochs of a heat map

_VALUE = "mean |∂L/∂W|"
_MOST_NAMES = 13  # of layers along an axis
_LONGEST_NAME = 13
_MOST_TICKS = 6
_MOST_COLORED = 8.0  # decades that colours tell apart: gradients below are as good as none
_SYMBOLS = ("circle", "square", "diamond", "cross")
_ZERO = "#dcdcdc"  # no colour of the scale
_NOT_FINITE = STATE_COLORS["failed"]


def gradient_flow(flow: pd.DataFrame, trials: pd.DataFrame, when: When) -> go.Figure:
    """Every layer's gradient flow in the first or the last epoch of some trials. Both figures have the same range.

    Args:
        flow: as `StudyFrames.gradient_flow`, of a few trials.
        trials: as `StudyFrames.trials`.
        when: early is the first epoch that recorded any, late the last.
    """
    at_ends = {"early": _of_epoch(flow, "min"), "late": _of_epoch(flow, "max")}
    decades = _decades(pd.concat(at_ends.values())["mean_abs_gradient"].to_numpy())
    shown = at_ends[when]
    figure = new_figure(
        f"Gradient flow in the {'first' if when == 'early' else 'last'} epoch", _flow_explanation(shown["mean_abs_gradient"]),
        x="layer, from input to output", y=_VALUE,
    )  # fmt: skip
    figure.update_layout(legend={"font": {"size": 12}, "tracegroupgap": 0})
    figure.update_xaxes(**_layer_ticks(flow), range=[-0.5, flow["layer_index"].max() + 0.5] if len(flow) else None)
    figure.update_yaxes(type="log", range=decades, **_decade_ticks(decades))
    texts = hover_texts(trials.loc[flow["trial"].unique()])
    choices = _choices(trials.loc[list(texts)])
    for place, (number, of_trial) in enumerate(shown.groupby("trial", sort=False)):
        line = {"color": CATEGORY_COLORS[place % len(CATEGORY_COLORS)], "width": 2}
        label = _label(int(number), choices)
        name, symbol = label if choices else f"trial {label}", _SYMBOLS[place % len(_SYMBOLS)]
        figure.add_trace(_flow_line(of_trial, name, texts[number], line, symbol))
        figure.add_traces(_edge_marks(of_trial, name, texts[number], line, decades))
    return figure


def gradient_heat_map(flow: pd.DataFrame, trials: pd.DataFrame, trial: int) -> go.Figure:
    """One trial's gradient flow, layer × epoch, in colours that mean the same in the heat maps of all trials in `flow`.

    Args:
        flow, trials: as `StudyFrames.gradient_flow` and `.trials`.
        trial: its number.
    Returns: a figure; of very many epochs it draws those in which the flow is furthest from what is usual in its layers.
    """
    of_trial = flow[flow["trial"] == trial]
    table = of_trial.pivot(index="layer_index", columns="epoch", values="mean_abs_gradient").astype("float64")
    drawn = table.iloc[:, _telling_epochs(table)]
    low, high = _ends(flow["mean_abs_gradient"].to_numpy())
    low = max(low, high - _MOST_COLORED)
    figure = new_figure(
        f"Gradient flow by epoch, trial {_label(trial, _choices(trials.loc[flow['trial'].unique()]))}", _heat_map_explanation(drawn, len(table.columns)),
        x="epoch", y="layer, input at the bottom",
    )  # fmt: skip
    ticks = _layer_ticks(of_trial)
    figure.update_yaxes(**{**ticks, "tickangle": 0}, showgrid=False)
    figure.update_xaxes(showgrid=False, dtick=1 if len(drawn.columns) < 5 else None)
    values = drawn.to_numpy()
    names = [escape(name) for name in of_trial.groupby("layer_index")["layer"].first()]
    texts = [[f"{name}: {value:.3g}" for value in row] for name, row in zip(names, values, strict=True)]
    whose = hover_texts(trials.loc[[trial]])[trial]
    shared = {"x": drawn.columns.to_numpy(), "y": drawn.index.to_numpy(), "text": texts, "name": whose, "hovertemplate": "%{fullData.name}<br>epoch %{x}<br>%{text}<extra></extra>"}  # fmt: skip
    positive = np.isfinite(values) & (values > 0)
    logarithms = np.log10(values, where=positive, out=np.full(values.shape, np.nan))
    figure.add_heatmap(z=logarithms, zmin=low, zmax=high, colorscale=SCALE, colorbar=_colorbar(low, high), **shared)
    for mask, color in ((values == 0, _ZERO), (~np.isfinite(values), _NOT_FINITE)):
        if mask.any():
            figure.add_heatmap(
                z=np.where(mask, 1.0, np.nan), colorscale=[[0, color], [1, color]], showscale=False, **shared
            )
    return figure


def _of_epoch(flow: pd.DataFrame, which: Literal["min", "max"]) -> pd.DataFrame:
    """The first or last recorded epoch of every trial."""
    return flow[flow["epoch"] == flow.groupby("trial")["epoch"].transform(which)]


def _flow_line(of_trial: pd.DataFrame, name: str, text: str, line: dict[str, Any], symbol: str) -> go.Scatter:
    values = of_trial["mean_abs_gradient"]
    return go.Scatter(
        x=of_trial["layer_index"], y=values.where(np.isfinite(values) & (values > 0)), mode="lines+markers", name=name,
        line=line, marker={"symbol": symbol, "size": 5, "color": line["color"]}, customdata=of_trial["trial"],
        text=_point_texts(of_trial), meta=text, hovertemplate="%{meta}<br>%{text}<extra></extra>", legendgroup=name,
        uid=trace_id(name),
    )  # fmt: skip


def _edge_marks(
    of_trial: pd.DataFrame, name: str, text: str, line: dict[str, Any], decades: tuple[float, float]
) -> list[go.Scatter]:
    """Values that a logarithmic axis has no place for: zeros at its bottom, those that are not finite at its top."""
    values = of_trial["mean_abs_gradient"]
    inset = 0.02 * (decades[1] - decades[0])
    edges = ((values == 0, "triangle-down", decades[0] + inset), (~np.isfinite(values), "x", decades[1] - inset))
    return [
        go.Scatter(
            x=of_trial["layer_index"][mask], y=np.full(mask.sum(), 10**height), mode="markers", legendgroup=name,
            showlegend=False, marker={"symbol": symbol, "size": 7, "color": line["color"]}, text=_point_texts(of_trial[mask]),
            customdata=of_trial["trial"][mask], meta=text, hovertemplate="%{meta}<br>%{text}<extra></extra>",
            uid=trace_id(f"{name} {symbol}"),
        )
        for mask, symbol, height in edges if mask.any()
    ]  # fmt: skip


def _point_texts(rows: pd.DataFrame) -> list[str]:
    return [f"{escape(row.layer)} {row.mean_abs_gradient:.3g} in epoch {row.epoch}" for row in rows.itertuples()]


def _flow_explanation(values: pd.Series) -> str:
    words = "A line is a trial, named by its number; a fall towards the input is a vanishing gradient, a rise an exploding one."
    if (values == 0).any():
        words += " Triangles at the bottom are exactly 0."
    if (~np.isfinite(values)).any():
        words += " Crosses at the top are not finite."
    return words


def _heat_map_explanation(drawn: pd.DataFrame, num_epochs: int) -> str:
    words = f"Colour is {_VALUE}, the same in all heat maps here."
    if (drawn == 0).any(axis=None):
        words += " Light grey is exactly 0."
    if (~np.isfinite(drawn)).any(axis=None):
        words += " Red is not finite."
    if len(drawn.columns) < num_epochs:
        words += f" Drawn are {len(drawn.columns)} of {num_epochs:,} epochs: of neighbours the most unusual."
    return words


def _telling_epochs(table: pd.DataFrame) -> NDArray[np.intp]:
    """Positions of the epochs drawn: of neighbours the one furthest from the layers' medians; a flow that is not finite or
    zero is furthest."""
    if table.shape[1] <= MOST_COLUMNS:
        return np.arange(table.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms = np.log10(table.to_numpy())
    known = np.where(np.isfinite(logarithms), logarithms, np.nan)
    usual = pd.DataFrame(known).median(axis=1).to_numpy()
    distances = np.nan_to_num(np.abs(known - usual[:, None]), nan=np.inf).max(axis=0)
    stretches = np.array_split(np.arange(table.shape[1]), MOST_COLUMNS)
    return np.array([stretch[distances[stretch].argmax()] for stretch in stretches])


def _decades(values: NDArray[Any]) -> tuple[float, float]:
    """The powers of ten between which an axis holds all gradients that have a logarithm, with a little room."""
    low, high = _ends(values)
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room


def _ends(values: NDArray[Any]) -> tuple[float, float]:
    positive = values[np.isfinite(values) & (values > 0)]
    return (float(np.log10(positive.min())), float(np.log10(positive.max()))) if len(positive) else (-6.0, 0.0)


def _powers(low: float, high: float) -> NDArray[Any]:
    """Whole powers of ten between two, at most a few."""
    return np.arange(np.ceil(low), np.floor(high) + 1, max(1, np.ceil((high - low) / _MOST_TICKS)))


def _power_words(power: float) -> str:
    return f"10<sup>{power:.0f}</sup>"


def _decade_ticks(decades: tuple[float, float]) -> dict[str, Any]:
    powers = _powers(*decades)
    if len(powers) < 2:  # within a decade: plotly's own, finer ones
        return {}
    return {"tickvals": 10**powers, "ticktext": [_power_words(power) for power in powers]}


def _colorbar(low: float, high: float) -> dict[str, Any]:
    powers = _powers(low, high)
    ticks = {"tickvals": powers, "ticktext": [_power_words(power) for power in powers]}
    return {"thickness": 12, "outlinewidth": 0, "ticks": "outside", **ticks}


def _layer_ticks(flow: pd.DataFrame) -> dict[str, Any]:
    """Names of some layers, at even distances. Where trials differ in what stands at a place, its number stands there."""
    places = flow[["layer_index", "layer"]].drop_duplicates().groupby("layer_index")["layer"].agg(["first", "size"])
    step = -(-len(places) // _MOST_NAMES)
    shown = places.iloc[: -step or None : step].index.union(places.index[-1:])  # the last, and none too near to it
    names = [
        shortened(row["first"], _LONGEST_NAME) if row["size"] == 1 else str(place)
        for place, row in places.loc[shown].iterrows()
    ]
    return {"tickvals": shown.to_numpy(), "ticktext": names, "tickangle": -90}


def _choices(trials: pd.DataFrame) -> dict[int, str]:
    """Trial -> its choice of the first categorical parameter in which these trials differ; empty when there is none."""
    for column in parameter_columns(trials):
        if not pd.api.types.is_numeric_dtype(trials[column]):
            choices = {
                n: shortened(_choice(v), _LONGEST_NAME) if is_in_force(v) else "" for n, v in trials[column].items()
            }
            if len(set(choices.values())) > 1:
                return choices
    return {}


def _label(trial: int, choices: dict[int, str]) -> str:
    """A trial's number, and what sets it apart."""
    return f"{trial}: {choices[trial]}" if choices.get(trial) else str(trial)


def _choice(value: object) -> str:
    return "null" if value is None else str(value)
