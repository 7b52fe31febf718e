"""Column types that keep every float, and time as the database sees it."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Float, LargeBinary
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeDecorator


class AnyFloat(TypeDecorator[float]):
    """A float in which NaN and ±inf survive: SQLite turns NaN into NULL, so NULL is how NaN is written everywhere."""

    impl = Float(53)
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        return None if value is None or math.isnan(value) else value

    def process_result_value(self, value: Any, dialect: Dialect) -> float:
        return math.nan if value is None else float(value)


class FloatArray(TypeDecorator[NDArray[np.float64]]):
    """A row of float64 values as little-endian bytes, NaN and ±inf included."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: NDArray[np.float64] | None, dialect: Dialect) -> bytes | None:
        return None if value is None else np.asarray(value, "<f8").tobytes()

    def process_result_value(self, value: Any, dialect: Dialect) -> NDArray[np.float64] | None:
        return None if value is None else np.frombuffer(value, "<f8")


class database_now(GenericFunction[float]):  # noqa: N801 - SQLAlchemy names functions in lower case
    """Unix time in seconds by the database's clock, the one clock that launches on several hosts share."""

    type = Float(53)
    inherit_cache = True


@compiles(database_now, "sqlite")
def _sqlite_now(element: Any, compiler: Any, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(database_now, "postgresql")
def _postgresql_now(element: Any, compiler: Any, **options: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"
