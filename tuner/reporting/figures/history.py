"""How the search got on: the value of every trial in the order they were asked for, and the best so far."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tuner.reporting.figures.ranking import by_value, edge_words, value_range
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
    shown = trials[np.isfinite(trials["value"])].sort_index()
    ranked = by_value(shown, objective)
    ends = value_range(ranked) if len(ranked) else (0.0, 1.0)
    figure = new_figure(
        f"Best {escape(objective.name)} of every trial",
        f"One mark a trial, at the best of its epochs; the line is the best finished trial so far.{edge_words(ranked, ends)}",
        x="trial, in the order they were begun",
        y=shortened(objective.name, LONGEST_AXIS_TITLE),
    )
    texts, name = hover_texts(shown), escape(objective.name)
    for state in states_in_order(shown["state"]):
        of_state = shown[shown["state"] == state]
        figure.add_scatter(
            x=of_state.index, y=of_state["value"].clip(*ends), mode="markers", name=state, ids=of_state.index,
            text=[f"{texts[number]}<br>{name} {value:.4g}" for number, value in of_state["value"].items()],
            customdata=of_state.index, hovertemplate="%{text}<extra></extra>",
            marker={"color": STATE_COLORS[state], "symbol": STATE_SYMBOLS[state], "size": 8, "line": {"width": 1.5, "color": STATE_COLORS[state]}},
        )  # fmt: skip
    complete = shown[shown["state"] == "complete"]
    if len(complete):
        figure.add_scatter(
            x=complete.index, y=objective.best(complete["value"]).clip(*ends), mode="lines", name="best finished so far",
            line={"color": INCUMBENT, "width": 1.5, "shape": "hv"}, hoverinfo="skip",
        )  # fmt: skip
    return figure
