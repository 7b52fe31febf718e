"""Figures of epochs as one table: rows of a database, one a figure, turned into arrays block by block.

A study of 2,000 trials × 50 epochs has 600,000 of them: as Python objects they would take ten times the memory.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class EpochTable:
    """Epochs (E) by trial and epoch, with their figures (N) by name; NaN also where an epoch has no such figure."""

    trials_E: NDArray[np.int64]
    epochs_E: NDArray[np.int64]
    names: tuple[str, ...]
    values_EN: NDArray[np.float64]


def epoch_table(blocks: Iterable[Sequence[Sequence[Any]]]) -> EpochTable:
    """The table of figures in any order.

    Args:
        blocks: of rows (number of the trial, epoch, name, value; None for NaN), no two with equal trial, epoch and name.
    """
    numbers: defaultdict[str, int] = defaultdict(count().__next__)  # of the names, in the order they are met
    columns = [_columns(rows, numbers) for rows in blocks] or [_columns([], numbers)]
    trials_F, epochs_F, names_F, values_F = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    order_F = np.lexsort((epochs_F, trials_F))
    trials_F, epochs_F = trials_F[order_F], epochs_F[order_F]
    begins_F = np.ones(len(order_F), bool)  # whether a figure is the first of its epoch
    begins_F[1:] = (np.diff(trials_F) != 0) | (np.diff(epochs_F) != 0)
    names = sorted(numbers)
    places = np.fromiter(map(names.index, numbers), np.int64, len(numbers))  # of the numbers, by name
    values_EN = np.full((np.count_nonzero(begins_F), len(names)), np.nan)
    values_EN[np.cumsum(begins_F) - 1, places[names_F[order_F]]] = values_F[order_F]
    return EpochTable(trials_F[begins_F], epochs_F[begins_F], tuple(names), values_EN)


def _columns(rows: Sequence[Sequence[Any]], numbers: defaultdict[str, int]) -> tuple[NDArray[Any], ...]:
    def whole(values: Iterable[int]) -> NDArray[np.int64]:
        return np.fromiter(values, np.int64, len(rows))

    names = map(numbers.__getitem__, map(itemgetter(2), rows))
    values = np.array(list(map(itemgetter(3), rows)), np.float64)
    return whole(map(itemgetter(0), rows)), whole(map(itemgetter(1), rows)), whole(names), values
