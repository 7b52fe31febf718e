"""Fewer curves and points where a study has more than can be drawn or read, so that no outlier is hidden.

Of more than `MOST_CURVES` curves are drawn: the best and the worst trial, those with the highest and lowest figures, broken and
running ones (each evenly thinned beyond a quarter), and of all others an even spread over their ranks. Behind them stands the
envelope of all curves. A long curve keeps its first and last point, and of every stretch the lowest, the highest and the first
that is not finite. Nothing is drawn by lot: the same frames give the same figure.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MOST_CURVES = 200
MOST_POINTS = 300  # of a curve: about one for every pixel of a phone
ENVELOPE = {"lowest": 0.0, "10 %": 0.1, "median": 0.5, "90 %": 0.9, "highest": 1.0}

_EXTREMES = 10  # curves, at either end

Item = TypeVar("Item")


def telling_curves(
    table: pd.DataFrame, ranking: Sequence[int], notable: Iterable[Sequence[int]], most: int = MOST_CURVES
) -> list[int]:
    """The trials whose curves are drawn; all of them while there are no more than `most`.

    Args:
        table: a metric's values, trial × epoch.
        ranking: trials, the best first; it need not hold all.
        notable: groups of trials that are to be seen whatever their rank, such as broken ones; each gets at most a quarter.
        most: curves, at least 4 * 10.
    Returns: numbers of trials in the order of the table.
    """
    if len(table) <= most:
        return list(table.index)
    finite = table.where(np.isfinite(table))
    highest, lowest = finite.max(axis=1).dropna(), finite.min(axis=1).dropna()
    ranked = [number for number in ranking if number in table.index]
    chosen = {*ranked[:1], *ranked[-1:], *highest.nlargest(_EXTREMES).index, *lowest.nsmallest(_EXTREMES).index}
    for group in notable:
        chosen.update(even_spread([number for number in group if number in table.index], most // 4))
    rest = [number for number in ranked if number not in chosen]
    chosen.update(even_spread(rest, max(0, most - len(chosen))))
    return [number for number in table.index.tolist() if number in chosen]


def even_spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many of the items, at even distances, with the first and the last."""
    if len(items) <= most:
        return list(items)
    return [items[place] for place in np.linspace(0, len(items) - 1, most).round().astype(int)]


def envelope(table: pd.DataFrame) -> pd.DataFrame:
    """What the curves span at each epoch: index epoch, columns as `ENVELOPE`; of finite values alone.

    Args:
        table: a metric's values, trial × epoch.
    """
    finite = table.where(np.isfinite(table)).dropna(axis=1, how="all")
    spans: pd.DataFrame = finite.quantile(list(ENVELOPE.values())).T.set_axis(list(ENVELOPE), axis=1)
    return spans


def telling_points(values: NDArray[Any], most: int = MOST_POINTS) -> NDArray[np.intp]:
    """Positions of the points of a curve that are drawn, ascending; all of them while there are no more than `most`.

    Args:
        values: the curve, shape (n,).
        most: points, at least 5.
    Source: min-max decimation, as compared in Jugel et al. 2014 (M4), doi:10.14778/2732951.2732953.
    """
    if len(values) <= most:
        return np.arange(len(values))
    kept = {0, len(values) - 1}
    for stretch in np.array_split(np.arange(len(values)), (most - 2) // 3):
        is_finite = np.isfinite(values[stretch])
        finite = stretch[is_finite]
        kept.update(stretch[~is_finite][:1].tolist())  # the gap stays a gap
        if len(finite):
            kept.update((int(finite[values[finite].argmin()]), int(finite[values[finite].argmax()])))
    return np.array(sorted(kept))
