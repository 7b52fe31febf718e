"""How the search got on: the value of every trial in the order they were asked for, and the best so far."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tuner.reporting.figures.style import (
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


def optimization_history(trials: pd.DataFrame, objective: Objective) -> go.Figure:
    """Every trial's best value, and the incumbent's line: the best finished trial so far.

    Args:
        trials: as `StudyFrames.trials`.
        objective: the study's metric.
    Returns: a figure; trials without a finite value are not in it.
    """
    figure = new_figure(
        f"Best {escape(objective.name)} of every trial",
        "One mark a trial, at the best of its epochs; the line is the best finished trial so far.",
        x="trial, in the order they were begun",
        y=shortened(objective.name, LONGEST_AXIS_TITLE),
    )
    shown = trials[np.isfinite(trials["value"])].sort_index()
    texts = hover_texts(shown)
    for state in states_in_order(shown["state"]):
        of_state = shown[shown["state"] == state]
        figure.add_scatter(
            x=of_state.index, y=of_state["value"], mode="markers", name=state, ids=of_state.index,
            text=[texts[number] for number in of_state.index], customdata=of_state.index,
            marker={"color": STATE_COLORS[state], "symbol": STATE_SYMBOLS[state], "size": 8, "line": {"width": 1.5, "color": STATE_COLORS[state]}},
            hovertemplate="%{text}<br>" + escape(objective.name) + " %{y:.4g}<extra></extra>",
        )  # fmt: skip
    complete = shown[shown["state"] == "complete"]
    if len(complete):
        figure.add_scatter(
            x=complete.index, y=objective.best(complete["value"]), mode="lines", name="best finished so far",
            line={"color": INCUMBENT, "width": 1.5, "shape": "hv"}, hoverinfo="skip",
        )  # fmt: skip
    return figure
