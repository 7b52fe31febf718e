"""Values of one metric: as a table trial × epoch, and the part of an axis in which most of them can be read."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_PADDING = 0.04  # of the axis, at either end
_DECADES = 2  # from here on the spread of values is read on a logarithmic axis


@dataclass(frozen=True, slots=True)
class ValueRange:
    """A part of an axis, in the metric's own unit; some values may lie beyond."""

    low: float
    high: float
    log: bool = False

    def axis(self) -> dict[str, Any]:
        """Keys of plotly's axis."""
        if self.log:
            decades = {"exponentformat": "power", "dtick": 1} if self.high / self.low > 1000 else {}
            return {"type": "log", "range": [float(np.log10(self.low)), float(np.log10(self.high))], **decades}
        return {"range": [self.low, self.high]}

    def near_edge(self, share: float) -> float:
        """The value at this share of the axis' height: 0 at the bottom, 1 at the top."""
        if self.log:
            return float(self.low * (self.high / self.low) ** share)
        return self.low + share * (self.high - self.low)


def metric_column(name: str) -> str:
    """The column of a metric in `StudyFrames.epochs`."""
    return f"metric_{name}" if name in ("trial", "epoch") else name


def curve_table(epochs: pd.DataFrame, column: str) -> pd.DataFrame:
    """A metric's values, trial × epoch; NaN also where a trial has no such epoch. Empty where nobody has the metric yet."""
    if column not in epochs:
        return pd.DataFrame()
    return epochs.pivot(index="trial", columns="epoch", values=column)


def value_range(values: NDArray[Any], may_be_log: bool) -> ValueRange:
    """Where values can be read: all of them, unless a few lie so far out that they would squash the rest.

    Far out is further from the middle nine tenths than these are wide. The axis is logarithmic where they span two
    decades.

    Args:
        values: any shape; those that are not finite do not count.
        may_be_log: whether ratios of the metric mean anything.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return ValueRange(0.0, 1.0)
    low, high = np.quantile(finite, (0.05, 0.95))
    if may_be_log and finite.min() > 0 and np.log10(high / low) >= _DECADES:
        low, high = _readable(np.log10(finite))
        return ValueRange(10**low, 10**high, log=True)
    return ValueRange(*_readable(finite))


def _readable(finite: NDArray[Any]) -> tuple[float, float]:
    low, high = np.quantile(finite, (0.05, 0.95))
    width = high - low
    lowest, highest = float(finite.min()), float(finite.max())
    if width > 0:
        lowest, highest = max(lowest, float(low - width)), min(highest, float(high + width))
    padding = _PADDING * (highest - lowest) or 0.1 * abs(highest) or 0.1
    return lowest - padding, highest + padding
