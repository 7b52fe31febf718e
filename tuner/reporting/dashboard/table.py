"""The table of trials: columns and rows for AG Grid, which shows every text as text."""

import math
from typing import Any

import dash_ag_grid
import pandas as pd

from tuner.reporting.figures import Objective
from tuner.reporting.figures.style import is_in_force, parameter_columns

_SHORT = {"function": "params.value == null ? '' : d3.format('.4~g')(params.value)"}
_STATES = ("complete", "pruned", "failed", "running", "interrupted", "waiting")
_NUMBER, _TEXT = "agNumberColumnFilter", "agTextColumnFilter"


def empty_table() -> dash_ag_grid.AgGrid:
    """The grid before the first reading. Rows keep their identity when they are read again, so that sorting, filters, the
    chosen row and the place scrolled to stay."""
    return dash_ag_grid.AgGrid(
        id="table",
        rowData=[],
        columnDefs=[],
        getRowId="params.data.id",
        defaultColDef={"sortable": True, "resizable": True, "filter": True, "floatingFilter": True, "minWidth": 90},
        dashGridOptions={
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
            "suppressFieldDotNotation": True,
            "animateRows": False,
            "enableBrowserTooltips": True,
            "rowHeight": 32,
            "headerHeight": 36,
            "floatingFiltersHeight": 38,
        },
        style={"height": "440px", "width": "100%"},
    )


def columns(trials: pd.DataFrame, objective: Objective) -> list[dict[str, Any]]:
    """Definitions of the columns; parameters stand under p0, p1, … since their names may be anything."""
    states = {f"state-{state}": f"params.value === '{state}'" for state in _STATES}
    found = [
        _column("trial", "trial", _NUMBER, 100, pinned="left"),
        _column("state", "state", _TEXT, 115, cellClassRules=states),
        _column("value", objective.name, _NUMBER, 160, valueFormatter=_SHORT),
        _column("best_epoch", "best epoch", _NUMBER, 120),
        _column("epochs", "epochs", _NUMBER, 110),
        _column("attempts", "attempts", _NUMBER, 110),
    ]
    for place, (column, name) in enumerate(parameter_columns(trials).items()):
        kind = _NUMBER if pd.api.types.is_numeric_dtype(trials[column]) else _TEXT
        formatted = {"valueFormatter": _SHORT} if pd.api.types.is_float_dtype(trials[column]) else {}
        found.append(_column(f"p{place}", name, kind, 140, **formatted))
    return [*found, _column("reason", "why it ended", _TEXT, 420, tooltipField="reason")]


def _column(field: str, name: str, kind: str, width: int, **more: Any) -> dict[str, Any]:
    """A number's filter has a button with comparisons; a text is filtered by what it contains."""
    plain = {"suppressFloatingFilterButton": kind == _TEXT}
    return {"field": field, "headerName": name, "headerTooltip": name, "filter": kind, "width": width, **plain, **more}


def rows(trials: pd.DataFrame) -> list[dict[str, Any]]:
    """One row a trial."""
    names = ["trial", "state", "value", "best_epoch", "epochs", "attempts", "reason"]
    frame = trials.reset_index(names="trial")
    cells: dict[str, list[Any]] = {"id": list(map(str, frame["trial"]))}  # AG Grid wants text
    cells |= {name: [_plain(value) for value in frame[name].tolist()] for name in names}
    for place, column in enumerate(parameter_columns(trials)):
        numbers = pd.api.types.is_numeric_dtype(trials[column])
        cells[f"p{place}"] = [_plain(value) if numbers else _word(value) for value in frame[column].tolist()]
    return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]


def _plain(value: Any) -> Any:
    """A value that JSON has; what is not finite is missing."""
    return None if value is pd.NA or (isinstance(value, float) and not math.isfinite(value)) else value


def _word(value: Any) -> str:
    """A category as text; one that is not in force is empty, the choice `null` is null."""
    return ("null" if value is None else str(value)) if is_in_force(value) else ""
