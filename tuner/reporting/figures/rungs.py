"""Early stopping: who was compared when, who went on, and how well the comparison told what came of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy import stats

from tuner.reporting.figures.curve_values import ValueRange, curve_table, metric_column, value_range
from tuner.reporting.figures.style import (
    CATEGORY_COLORS,
    GRID,
    INCUMBENT,
    LONGEST_AXIS_TITLE,
    STATE_COLORS,
    STATE_SYMBOLS,
    Objective,
    escape,
    hover_texts,
    new_figure,
    shortened,
    trace_id,
    wrapped,
)
from tuner.reporting.figures.thinning import even_spread, telling_points

MOST_COLUMNS = 8  # rungs that have a column of their own, wide enough to show an order in time

_MOST_MARKS = 250  # of a rung
_EXTREMES = 5
_COLUMN = 0.84  # of the distance between two columns
_CUTOFF = CATEGORY_COLORS[1]
_LEAST_TRIALS = 4  # a correlation of three says nothing


def brackets(decisions: pd.DataFrame) -> list[int]:
    """The brackets in which trials were compared."""
    return sorted(int(bracket) for bracket in decisions.loc[decisions["rung"].notna(), "bracket"].dropna().unique())


def rungs(decisions: pd.DataFrame, trials: pd.DataFrame, objective: Objective, bracket: int = 0) -> go.Figure:
    """Every comparison at the rungs of a bracket: in which order, with which value, against which cut-off, with what end.

    Up to eight rungs have a column each, in which trials stand in the order in which they came. More of them (the median
    rule compares after every epoch) stand at their epochs, with the range over which the cut-off moved.

    Args:
        decisions, trials: as `StudyFrames.decisions` and `.trials`.
        objective: the study's metric.
        bracket: the ladder of rungs.
    Returns: a figure; of many comparisons at a rung it draws some, the extreme ones and an even spread over time.
    """
    compared = _comparisons(decisions, bracket)
    levels = sorted(compared["rung"].unique())
    in_columns = len(levels) <= MOST_COLUMNS
    axis = value_range(compared[["value", "cutoff"]].to_numpy(), may_be_log=objective.goal == "minimize")
    marks = _thinned(compared)
    figure = new_figure(
        _title(decisions, bracket), _explanation(objective, in_columns, len(compared), len(marks)),
        x="rung (epoch), how many went on" if in_columns else "rung (epoch)", y=shortened(objective.name, LONGEST_AXIS_TITLE),
    )  # fmt: skip
    figure.update_yaxes(**axis.axis())
    if in_columns:
        places = dict(zip(levels, range(len(levels)), strict=True))
        compared["x"] = compared["rung"].map(places) + _COLUMN * ((compared["order"] - 0.5) / compared["of"] - 0.5)
        figure.update_xaxes(range=[-0.5, len(levels) - 0.5], tickvals=list(places.values()), ticktext=_counts(compared), tickangle=0, tickfont={"size": 11}, showgrid=False)  # fmt: skip
        for boundary in range(1, len(levels)):
            figure.add_vline(boundary - 0.5, line={"color": GRID, "width": 1})
    else:
        compared["x"] = compared["rung"].astype("float64")
    figure.add_traces(_marks(compared.loc[marks], trials, axis, objective))
    figure.add_traces([_cutoff_steps(compared)] if in_columns else _cutoff_band(compared))
    figure.add_traces(_way_of_the_best(compared, trials, objective, "lines+markers" if in_columns else "lines"))
    return figure


def rung_prediction(
    epochs: pd.DataFrame, trials: pd.DataFrame, objective: Objective, rungs: Sequence[int]
) -> go.Figure:
    """How well the ranks of trials after each epoch predicted their ranks at the end: Spearman's correlation.

    Args:
        epochs, trials: as `StudyFrames.epochs` and `.trials`.
        objective: the study's metric.
        rungs: epochs at which trials were compared; marked, unless they are so many that these are about all epochs.
    Returns: a figure over the finished trials; without traces where these are fewer than four, or all alike.
    Source: interval (95 %) by Bonett and Wright 2000, doi:10.1007/BF02294183: variance (1 + r²/2) / (n - 3) of artanh r.
    """
    ended = trials[(trials["state"] == "complete") & np.isfinite(trials["value"])]
    num_stopped = int((trials["state"] == "pruned").sum())
    missing = (
        f"The stopped trials ({num_stopped:,}) are missing, mostly the worse ones"
        if num_stopped
        else "None was stopped"
    )
    figure = new_figure(
        "How well ranks after each epoch predicted the end",
        f"Spearman's rank correlation between {escape(objective.name)} after an epoch and at the trial's best epoch in the"
        f" end, over the {len(ended):,} finished trials; the band is its 95 % interval. 1: the order was final, 0: it said nothing. {missing}.",
        x="epoch", y="rank correlation with the end",
    )  # fmt: skip
    last = max(epochs["epoch"], default=1)
    figure.update_xaxes(range=[0, last * 1.02])
    found = _correlations(curve_table(epochs, metric_column(objective.name)).reindex(ended.index), ended["value"])
    figure.update_yaxes(range=[min([0.0, *found["low"]]) - 0.05, 1.05])
    if len(found):
        figure.add_traces(_correlation_traces(found, set(rungs) if len(rungs) <= MOST_COLUMNS else set()))
    return figure


def _comparisons(decisions: pd.DataFrame, bracket: int) -> pd.DataFrame:
    """Decisions at rungs of the bracket, in the order they were taken; `order` of `of` at each rung."""
    compared = decisions[decisions["rung"].notna() & decisions["bracket"].eq(bracket)].astype({"rung": "int64"})
    at_rung = compared.groupby("rung")["trial"]
    return compared.assign(order=at_rung.cumcount() + 1, of=at_rung.transform("size"))


def _title(decisions: pd.DataFrame, bracket: int) -> str:
    which = f", bracket {bracket}" if brackets(decisions) not in ([], [0]) else ""
    return f"Who was compared at the rungs, and who went on{which}"


def _explanation(objective: Objective, in_columns: bool, num_compared: int, num_drawn: int) -> str:
    worse = "below" if objective.goal == "maximize" else "above"
    order = (
        "A column is a rung, with trials from left to right as they came; the line is the cut-off that each met"
        if in_columns
        else "Trials stand above the epoch at which they were compared; the line is the newest cut-off there, the band shows how it moved"
    )
    drawn = (
        f" Drawn are {num_drawn:,} of {num_compared:,} comparisons: extreme ones, and an even spread in time."
        if num_drawn < num_compared
        else ""
    )
    return f"{order}. Who was {worse} it was stopped.{drawn}"


def _counts(compared: pd.DataFrame) -> list[str]:
    """What stands below each column: its epoch, and how many went on."""
    by_rung = compared.assign(on=compared["verdict"] != "stop").groupby("rung")["on"].agg(["sum", "size"])
    return [f"{rung}<br>{row['sum']}<br>of {row['size']}" for rung, row in by_rung.iterrows()]


def _thinned(compared: pd.DataFrame) -> list[Any]:
    """Which comparisons are drawn: at each rung the extreme ones and an even spread in time."""
    kept: list[Any] = []
    of_a_rung = max(_MOST_MARKS // max(1, compared["rung"].nunique() // MOST_COLUMNS), 4 * _EXTREMES)
    for _, at_rung in compared.groupby("rung"):
        if len(at_rung) <= of_a_rung:
            kept += at_rung.index.tolist()
            continue
        extreme = {*at_rung["value"].nlargest(_EXTREMES).index, *at_rung["value"].nsmallest(_EXTREMES).index}
        rest = [place for place in at_rung.index if place not in extreme]
        kept += [*extreme, *even_spread(rest, of_a_rung - len(extreme))]
    return sorted(kept)


def _cutoff_steps(compared: pd.DataFrame) -> go.Scatter:
    """The cut-off that each trial met, as a line of steps in every column."""
    xs: list[float] = []
    ys: list[float] = []
    for _, at_rung in compared.groupby("rung"):
        cutoffs = at_rung["cutoff"].to_numpy()
        kept = telling_points(cutoffs)
        xs += [*at_rung["x"].to_numpy()[kept], np.nan]
        ys += [*np.where(np.isfinite(cutoffs), cutoffs, np.nan)[kept], np.nan]
    line = {"color": _CUTOFF, "width": 2, "shape": "hvh"}
    return go.Scatter(x=xs, y=ys, mode="lines", name="cut-off", line=line, hoverinfo="skip", uid="cutoff")


def _cutoff_band(compared: pd.DataFrame) -> list[go.Scatter]:
    """The newest cut-off of every rung, and the range over which it moved."""
    finite = compared[np.isfinite(compared["cutoff"])]
    spans = finite.groupby("rung")["cutoff"].agg(["min", "max", "last"])
    shared = {"x": spans.index.to_numpy(), "mode": "lines", "hoverinfo": "skip", "legendgroup": "cut-off"}
    return [
        go.Scatter(y=spans["min"], line={"width": 0}, showlegend=False, **shared),
        go.Scatter(y=spans["max"], line={"width": 0}, fill="tonexty", fillcolor="rgba(179, 71, 0, 0.2)", showlegend=False, **shared),
        go.Scatter(y=spans["last"], line={"color": _CUTOFF, "width": 2}, name="cut-off", **shared),
    ]  # fmt: skip


def _marks(compared: pd.DataFrame, trials: pd.DataFrame, axis: ValueRange, objective: Objective) -> list[go.Scatter]:
    """One mark a comparison. Values beyond the axis, and those that are not finite, stand at its edge."""
    texts = hover_texts(trials.loc[compared["trial"].unique()])
    worse = axis.near_edge(0.02 if objective.goal == "maximize" else 0.98)
    heights = compared["value"].where(np.isfinite(compared["value"]), worse)
    heights = heights.clip(axis.near_edge(0.02), axis.near_edge(0.98))
    stopped = compared["verdict"] == "stop"
    size = 6 if len(compared) < _MOST_MARKS else 4
    traces = []
    for name, of_verdict, state in (("went on", ~stopped, "complete"), ("stopped", stopped, "pruned")):
        shown = compared[of_verdict]
        if not len(shown):
            continue
        traces.append(go.Scatter(
            x=shown["x"], y=heights[of_verdict], mode="markers", name=name, uid=trace_id(name), customdata=shown["trial"],
            text=[_comparison_text(row, texts[row.trial]) for row in shown.itertuples()],
            marker={"color": STATE_COLORS[state], "symbol": STATE_SYMBOLS[state], "size": size, "opacity": 0.8,
                    "line": {"width": 1.5 if state == "pruned" else 0}},
            hovertemplate="%{text}<extra></extra>",
        ))  # fmt: skip
    return traces


def _comparison_text(row: Any, trial: str) -> str:
    late = f" after epoch {row.epoch}" if row.epoch != row.rung else ""
    return f"{trial}<br>number {row.order} of {row.of} at rung {row.rung}{late}<br>{wrapped(row.reason)}"


def _way_of_the_best(compared: pd.DataFrame, trials: pd.DataFrame, objective: Objective, mode: str) -> list[go.Scatter]:
    ranked = trials["value"][np.isfinite(trials["value"])].sort_values(ascending=objective.sign > 0, kind="stable")
    if not len(ranked):
        return []
    way = compared[compared["trial"] == ranked.index[0]]
    line = {"color": INCUMBENT, "width": 1.5, "dash": "dot"}
    name = f"best: trial {ranked.index[0]}"
    return [go.Scatter(x=way["x"], y=way["value"], mode=mode, name=name, line=line, hoverinfo="skip", uid="best",
                       marker={"symbol": "circle-open", "size": 10, "line": {"width": 1.5}})] if len(way) else []  # fmt: skip


def _correlations(table: pd.DataFrame, ends: pd.Series) -> pd.DataFrame:
    """Index epoch; columns n, correlation and the ends of its interval. Epochs at which all are equal have no ranks."""
    rows = {}
    for epoch, values in table.items():
        both = np.isfinite(values)
        if both.sum() >= _LEAST_TRIALS and values[both].nunique() > 1 and ends[both].nunique() > 1:
            correlation = float(stats.spearmanr(values[both], ends[both]).statistic)
            rows[epoch] = (int(both.sum()), correlation, *_interval(correlation, int(both.sum())))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["n", "correlation", "low", "high"])


def _interval(correlation: float, num_trials: int) -> tuple[float, float]:
    deviation = np.sqrt((1 + correlation**2 / 2) / (num_trials - 3))
    with np.errstate(divide="ignore"):  # of a perfect correlation: the interval is that point
        ends = np.tanh(np.arctanh(correlation) + np.array([-1, 1]) * stats.norm.ppf(0.975) * deviation)
    return float(ends[0]), float(ends[1])


def _correlation_traces(found: pd.DataFrame, rungs: set[int]) -> list[go.Scatter]:
    kept = found.iloc[telling_points(found["correlation"].to_numpy())]
    shared = {"x": kept.index.to_numpy(), "mode": "lines", "showlegend": False}
    at_rung = found[found.index.isin(list(rungs))]

    def texts(rows: pd.DataFrame) -> NDArray[Any]:
        return np.array([f"{r.correlation:.2f} ({r.low:.2f} to {r.high:.2f}), {r.n} trials" for r in rows.itertuples()])

    hover = "%{text}<extra>epoch %{x}</extra>"
    return [
        go.Scatter(y=kept["low"], line={"width": 0}, hoverinfo="skip", **shared),
        go.Scatter(y=kept["high"], line={"width": 0}, fill="tonexty", fillcolor="rgba(0, 96, 168, 0.15)", hoverinfo="skip", **shared),
        go.Scatter(y=kept["correlation"], line={"color": STATE_COLORS["complete"], "width": 2}, text=texts(kept), hovertemplate=hover, **shared),
        go.Scatter(x=at_rung.index.to_numpy(), y=at_rung["correlation"], mode="markers", name="rung", text=texts(at_rung),
                   marker={"color": _CUTOFF, "size": 9, "symbol": "diamond"}, hovertemplate=hover, showlegend=len(at_rung) > 0),
    ]  # fmt: skip
