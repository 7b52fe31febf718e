"""Trials by value: which are drawn of very many, and the range in which most of their values lie."""

import numpy as np
import pandas as pd

from tuner.reporting.figures.style import Objective


def by_value(trials: pd.DataFrame, objective: Objective) -> pd.DataFrame:
    """The trials with a finite value, best first, equal ones by number."""
    finite = trials[np.isfinite(trials["value"])].sort_index()
    return finite.sort_values("value", ascending=objective.sign > 0, kind="stable")


def thinned(ranked: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most so many of the ranked trials: the first and the last quarter of them whole, and between them every so
    many-th, so that neither the best nor the worst are lost."""
    if len(ranked) <= most:
        return ranked
    ends = most // 4
    between = np.linspace(ends, len(ranked) - ends - 1, most - 2 * ends).round().astype(int)
    return ranked.iloc[[*range(ends), *between, *range(len(ranked) - ends, len(ranked))]]


def thinning_words(shown: int, there: int) -> str:
    """A sentence about trials that are left out; empty where none is."""
    if shown == there:
        return ""
    return f" Of {there} trials {shown} are drawn: the best, the worst, and every so many-th by value between."


def value_range(ranked: pd.DataFrame) -> tuple[float, float]:
    """Lowest and highest value but outliers on the bad side: those further from the middle half of the values than one and
    a half times its width. Without it, one diverged loss would leave all others one colour.

    Source: Tukey 1977, Exploratory Data Analysis, section 2D (fences).
    """
    values = ranked["value"].to_numpy()
    low, high = float(values.min()), float(values.max())
    lower, upper = np.quantile(values, [0.25, 0.75])
    fence = 1.5 * (upper - lower)
    if values[0] <= values[-1]:  # lower is better
        return low, float(values[values <= upper + fence].max())
    return float(values[values >= lower - fence].min()), high


def edge_words(ranked: pd.DataFrame, ends: tuple[float, float]) -> str:
    """A sentence about values outside of the range that is drawn; empty where there is none."""
    beyond = int((~ranked["value"].between(*ends)).sum())
    if beyond == 0:
        return ""
    return f" {beyond} {'value' if beyond == 1 else 'values'} far outside of the others: drawn at the edge."
