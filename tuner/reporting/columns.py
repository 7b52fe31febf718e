"""The columns of a data frame as plain Python values, with what is missing told apart from what is not a number."""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pandas as pd

PARAMETER = "params_"
_NESTED = ("versions", "argv")


class Kind(Enum):
    """What a column's values are; ANY: text, numbers, booleans, None, lists or dictionaries, in one column."""

    WHOLE = "whole numbers"
    NUMBER = "numbers, NaN and ±inf among them"
    TIME = "times in UTC"
    TEXT = "text"
    ANY = "any"


class Absent(Enum):
    """No value is there: nothing was recorded, or the parameter is not in force."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT


@dataclass(frozen=True, slots=True)
class Column:
    """A column; its values are of its kind, or ABSENT."""

    name: str
    kind: Kind
    values: list[Any]

    @property
    def is_parameter(self) -> bool:
        """Whether a value that is absent means that the parameter is not in force."""
        return self.name.startswith(PARAMETER)


def columns_of(frame: pd.DataFrame) -> list[Column]:
    """The frame's columns in their order.

    By their dtypes: in float64, NaN is what was recorded; in Float64 and Int64, <NA> is absent. A parameter that has not only
    numbers holds None for the choice null, and NaN where it is not in force.
    """
    return [_column(str(name), frame.iloc[:, place]) for place, name in enumerate(frame)]


def _column(name: str, column: pd.Series) -> Column:
    types = pd.api.types
    if types.is_integer_dtype(column.dtype):
        return Column(name, Kind.WHOLE, _plain(column))
    if types.is_float_dtype(column.dtype):
        return Column(name, Kind.NUMBER, column.tolist() if column.dtype == "float64" else _plain(column))
    if types.is_datetime64_any_dtype(column.dtype):
        return Column(name, Kind.TIME, _plain(column))
    if name.startswith(PARAMETER) or name in _NESTED:
        return Column(name, Kind.ANY, [ABSENT if isinstance(v, float) and math.isnan(v) else v for v in column])
    return Column(name, Kind.TEXT, _plain(column))


def _plain(column: pd.Series) -> list[Any]:
    values: list[Any] = column.tolist()
    return [ABSENT if gone else v for v, gone in zip(values, column.isna(), strict=True)] if column.hasnans else values
