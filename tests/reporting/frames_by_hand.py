"""Small frames as `StudyFrames` gives them, written by hand."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd


def make_trials(states: Sequence[str], values: Sequence[float], **columns: Sequence[Any]) -> pd.DataFrame:
    """Trials 0, 1, … with these states and best values; `columns`: reason, epochs, params_NAME."""
    numbers = pd.RangeIndex(len(states), name="number")
    frame = pd.DataFrame({"state": list(states), "value": [float(v) for v in values], "reason": ""}, index=numbers)
    numeric = {name: all(isinstance(value, float | int) for value in column) for name, column in columns.items()}
    given = {
        name: pd.Series(list(column), numbers, None if numeric[name] else object) for name, column in columns.items()
    }
    return frame.assign(**given)


def make_epochs(**curves: Mapping[int, Sequence[float]]) -> pd.DataFrame:
    """Metric -> trial -> its values at epochs 1, 2, …"""
    numbers = {trial: len(values) for metric in curves.values() for trial, values in metric.items()}
    rows = []
    for trial, length in numbers.items():
        for epoch in range(1, length + 1):
            values = {name: metric.get(trial, [math.nan] * length)[epoch - 1] for name, metric in curves.items()}
            rows.append({"trial": trial, "epoch": epoch, **values})
    return pd.DataFrame(rows, columns=["trial", "epoch", *curves])


def make_flow(trial: int, layers: Sequence[str], *epochs: Sequence[float]) -> pd.DataFrame:
    """The gradient flow of a trial: a list of its layers' values for each epoch from the first."""
    rows = [
        {"trial": trial, "epoch": epoch, "layer": layer, "layer_index": place, "mean_abs_gradient": flow}
        for epoch, values in enumerate(epochs, 1)
        for place, (layer, flow) in enumerate(zip(layers, values, strict=True))
    ]
    return pd.DataFrame(rows)
