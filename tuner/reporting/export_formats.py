"""Data frames as files that other programs read, block by block, so that a table need not fit into memory.

docs/export.md tells users how to read them back without a loss.
"""

import csv
import functools
import json
import math
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from tuner.reporting.columns import ABSENT, Column, Kind, columns_of

Write = Callable[[Path, Iterable[pd.DataFrame]], None]

_FORMULA = tuple("=+-@＝＋－＠\t\r\n'")  # what a spreadsheet takes for a formula, and the mark against it
_NO_JSON = {math.inf: "Infinity", -math.inf: "-Infinity"}
_ENCODED = {b"encoding": b"json"}
_TYPES = {
    Kind.WHOLE: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.TIME: pa.timestamp("ns", "UTC"),
    Kind.TEXT: pa.string(),
}
_TYPES_OF_ONE = {str: pa.string(), bool: pa.bool_(), list: pa.list_(pa.string())}


def write_csv(path: Path, frames: Iterable[pd.DataFrame]) -> None:
    """A comma-separated file in UTF-8, with the byte order mark by which Excel knows that.

    A cell is empty where no value is, text as it stands, or JSON: as which text is written too that would be read as JSON or
    as nothing. Text that a spreadsheet would take for a formula has ' before it, and so has text that begins with '.

    Args:
        path: of the file.
        frames: blocks of rows, at least one, all with the same columns.
    """
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        for number, columns in enumerate(map(columns_of, frames)):
            if number == 0:
                writer.writerow([_no_formula(column.name) for column in columns])
            writer.writerows(zip(*map(_csv_cells, columns), strict=True))


def write_json(path: Path, frames: Iterable[pd.DataFrame]) -> None:
    """A list of records, one a line. A number that JSON does not know is one of the words NaN, Infinity, -Infinity; a value
    that is absent is null, and a parameter that is not in force is left out, as null may be a choice.

    Args: as of `write_csv`.
    """
    with open(path, "w", encoding="utf-8") as file:
        before = "[\n"
        for record in chain.from_iterable(map(_records, frames)):
            file.write(before + json.dumps(record, ensure_ascii=False, allow_nan=False))
            before = ",\n"
        file.write("[]\n" if before == "[\n" else "\n]\n")


def write_parquet(path: Path, frames: Iterable[pd.DataFrame]) -> None:
    """A Parquet file: NaN is NaN, and a value that is absent null. Where a parameter has values of several types, or null as a
    choice, its column holds JSON and says so in its field's metadata.

    Args: as of `write_csv`.
    """
    tables = map(_arrow_table, frames)
    first = next(tables)
    with parquet.ParquetWriter(path, first.schema) as writer:
        for table in chain([first], tables):
            writer.write_table(table)


def _csv_cells(column: Column) -> Iterator[Any]:
    if column.kind in (Kind.WHOLE, Kind.NUMBER):
        return ("" if value is ABSENT else _json_number(value) for value in column.values)
    return ("" if value is ABSENT else _csv_cell(value) for value in column.values)


def _csv_cell(value: Any) -> str:
    if isinstance(value, str | pd.Timestamp):
        return _csv_text(str(value))
    return json.dumps(value, ensure_ascii=False)


@functools.lru_cache(maxsize=10_000)  # names of layers come up a million times
def _csv_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if not text or _is_json(text) else _no_formula(text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _records(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    columns = columns_of(frame)
    names = [column.name for column in columns]
    for row in zip(*map(_json_values, columns), strict=True):
        yield {name: value for name, value in zip(names, row, strict=True) if value is not ABSENT}


def _json_values(column: Column) -> Iterator[Any]:
    absent = ABSENT if column.is_parameter else None
    return (absent if value is ABSENT else _json_value(value) for value in column.values)


def _json_value(value: Any) -> Any:
    if isinstance(value, float):
        return _json_number(value)
    return str(value) if isinstance(value, pd.Timestamp) else value


def _json_number(value: float) -> float | str:
    return value if math.isfinite(value) else _NO_JSON.get(value, "NaN")


def _arrow_table(frame: pd.DataFrame) -> pa.Table:
    columns = columns_of(frame)
    fields, arrays = zip(*map(_arrow_column, columns), strict=True)
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _arrow_column(column: Column) -> tuple[pa.Field, pa.Array]:
    kinds = {type(value) for value in column.values if value is not ABSENT}
    kind, encode, metadata = _TYPES.get(column.kind), _as_it_is, None
    if kind is None:
        kind = _TYPES_OF_ONE.get(kinds.pop()) if len(kinds) == 1 else None
    if kind is None:
        kind, encode, metadata = pa.string(), functools.partial(json.dumps, ensure_ascii=False), _ENCODED
    values = [None if value is ABSENT else encode(value) for value in column.values]
    return pa.field(column.name, kind, metadata=metadata), pa.array(values, kind)


def _as_it_is(value: Any) -> Any:
    return value
