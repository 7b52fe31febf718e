"""Where the values of a parameter stand on an axis: numbers by size or on a log scale, choices side by side."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuner.distributions import Categorical, Number, Parameter, parse_space
from tuner.reporting.figures.style import is_in_force, parameter_columns, value_words

_MOST_TICKS = 4


@dataclass(frozen=True, slots=True)
class ParameterAxis:
    """The values that one parameter may have.

    Attributes:
        name: of the parameter, as users wrote it.
        low, high: ends of the range; those of the places 0, 1, … of its choices where it has choices.
        is_log: whether it is searched on a log scale.
        is_whole: whether it has whole numbers only.
        choices: its choices in order, None where it is a number.
    """

    name: str
    low: float
    high: float
    is_log: bool = False
    is_whole: bool = False
    choices: tuple[Any, ...] | None = None

    @property
    def column(self) -> str:
        """Its column in `StudyFrames.trials`."""
        return f"params_{self.name}"

    @property
    def is_number(self) -> bool:
        """Whether it is searched as a range of numbers."""
        return self.choices is None

    def places(self, values: Sequence[Any]) -> NDArray[np.float64]:
        """Numbers as they are, choices by their place; NaN where the parameter is not in force."""
        if self.choices is None:
            return np.array([float(v) if is_in_force(v) else np.nan for v in values], np.float64)
        found = {_key(choice): place for place, choice in enumerate(self.choices)}
        return np.array([found[_key(v)] if is_in_force(v) else np.nan for v in values], np.float64)

    def shares(self, values: Sequence[Any]) -> NDArray[np.float64]:
        """Where values stand between both ends, 0 to 1; choices in the middle of equal parts."""
        places = self.places(values)
        if self.choices is not None:
            return (places + 0.5) / len(self.choices)
        low, high = (math.log(self.low), math.log(self.high)) if self.is_log else (self.low, self.high)
        return ((np.log(places) if self.is_log else places) - low) / ((high - low) or 1.0)

    def ticks(self, letters: int) -> tuple[list[float], list[str]]:
        """Shares with their labels, which together have about `letters` letters; longer choices end in an ellipsis."""
        if self.choices is not None:
            shares = self.shares(self.choices)
            room = max(3, letters // len(self.choices))
            every = math.ceil(len(self.choices) * 3 / letters)  # of very many choices not each can be named
            return list(shares[::every]), [cut(choice, room) for choice in self.choices[::every]]
        values = _log_ticks(self.low, self.high) if self.is_log else _ticks(self.low, self.high)
        return list(self.shares(values)), [f"{value:.3g}".replace("e-0", "e-") for value in values]


def parameter_axes(trials: pd.DataFrame, space: Mapping[str, Any]) -> list[ParameterAxis]:
    """The axes of all parameters that trials have values of, in the order of the search space.

    Args:
        trials: as `StudyFrames.trials`.
        space: as `StudyFrames.space`.
    """
    known = {parameter.name: parameter for parameter in parse_space(space["space"])}
    order = {name: place for place, name in enumerate(space["space"])}
    columns = {c: n for c, n in parameter_columns(trials).items() if any(map(is_in_force, trials[c]))}
    return [
        _axis(name, known.get(name), trials[column])
        for column, name in sorted(columns.items(), key=lambda item: order.get(item[1], len(order)))
    ]


def cut(value: Any, room: int) -> str:
    """A value in at most so many letters, safe inside a figure."""
    words = " ".join(value.split()) if isinstance(value, str) else value
    if isinstance(words, str) and len(words) > room:
        words = words[: room - 1] + "…"
    return value_words(words)


def _axis(name: str, parameter: Parameter | None, values: pd.Series) -> ParameterAxis:
    known: tuple[Any, ...] = ()
    match parameter:
        case Parameter(distribution=Number() as number):
            return ParameterAxis(name, number.low, number.high, number.log, number.integer)
        case Parameter(distribution=Categorical(choices)):
            known = choices
    # what other programs have written into the study stands behind the choices of its space
    choices = tuple({_key(value): value for value in (*known, *filter(is_in_force, values))}.values())
    numbers = [choice for choice in choices if isinstance(choice, int | float) and not isinstance(choice, bool)]
    if len(numbers) == len(choices):
        choices = tuple(sorted(numbers))
    return ParameterAxis(name, 0.0, float(len(choices) - 1), choices=choices)


def _key(value: Any) -> tuple[bool, Any]:
    """Tells true from 1, which Python holds equal."""
    return isinstance(value, bool | np.bool_), value


def _ticks(low: float, high: float) -> list[float]:
    """A few even numbers from low to high."""
    raw = (high - low) / (_MOST_TICKS - 1)
    if raw <= 0 or not math.isfinite(raw):
        return [low]
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten from low to high; both ends where there are less than two."""
    powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    if len(powers) < 2:
        return [low, high]
    every = math.ceil(len(powers) / _MOST_TICKS)
    return [float(f"1e{power}") for power in powers[::every]]
