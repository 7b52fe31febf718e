"""How all figures look, and how text gets into them.

Colours are told apart by people with any colour vision and stand out from white by at least 4.5 : 1 (WCAG 2.2, 1.4.3). Plotly
reads <b>, <a> and the like in any text as markup, so whatever users have named goes through `escape`.
"""

import html
import math
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

TEXT, FAINT_TEXT, GRID, PAPER = "#1b1b1b", "#5f5f5f", "#e4e4e4", "#ffffff"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
STATE_COLORS = {
    "complete": "#0060a8",
    "pruned": "#6e6e6e",
    "failed": "#e00000",
    "running": "#00453a",
    "interrupted": "#5c2c0a",
    "waiting": "#7a1fd0",
}
STATE_SYMBOLS = {
    "complete": "circle",
    "pruned": "x-thin-open",
    "failed": "triangle-down",
    "running": "diamond",
    "interrupted": "square",
    "waiting": "star",
}
INCUMBENT = "#0a0a0a"
CATEGORY_COLORS = ("#0060a8", "#c94a00", "#00453a", "#7700cc", "#5a3a00", "#6e6e6e")
SCALE = "Cividis"  # even in lightness, for every colour vision
HEIGHT = 400  # pixels; the width is the reader's
LONGEST_AXIS_TITLE = 28  # characters; longer ones would be cut at the ends of an upright axis


@dataclass(frozen=True, slots=True)
class Objective:
    """The metric by which a study searches. `goal`: maximize or minimize."""

    name: str
    goal: str

    @property
    def sign(self) -> int:
        """1 where lower is better, -1 where higher is."""
        return -1 if self.goal == "maximize" else 1

    def best(self, values: pd.Series) -> pd.Series:
        """The best value so far at each place."""
        return values.cummax() if self.goal == "maximize" else values.cummin()


def escape(text: object) -> str:
    """Text that a figure shows as it is, whatever it holds. Line ends become spaces."""
    return html.escape(" ".join(str(text).split()), quote=False)


def shortened(text: object, longest: int) -> str:
    """A name with its middle left out where it is longer: ends tell more, as conv_12 of a long path does."""
    words = " ".join(str(text).split())
    kept = (longest - 1) // 2
    return escape(words if len(words) <= longest else f"{words[:kept]}…{words[-kept:]}")


def wrapped(text: str, width: int = 44) -> str:
    """A long text as lines that a figure's hover shows as they are; a hover breaks none by itself, and is cut at a narrow page."""
    return "<br>".join(escape(line) for line in textwrap.wrap(text, width))


def value_words(value: Any) -> str:
    """A value as short as it can be read, safe inside a figure."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else str(value)
    return escape(value)


def parameter_columns(trials: pd.DataFrame) -> dict[str, str]:
    """Column -> name of the parameter, in the order of the search space."""
    return {column: column.removeprefix("params_") for column in trials.columns if column.startswith("params_")}


def hover_texts(trials: pd.DataFrame) -> dict[int, str]:
    """Trial -> its number, state and configuration, as one text for a figure's hover."""
    columns = parameter_columns(trials)
    texts = {}
    for number, row in trials.iterrows():
        chosen = [f"{escape(name)} {value_words(row[c])}" for c, name in columns.items() if is_in_force(row[c])]
        texts[int(number)] = "<br>".join([f"<b>trial {number}</b>, {row['state']}", *chosen])
    return texts


def is_in_force(value: Any) -> bool:
    """Whether a parameter has a value in a trial: missing ones are NaN or NA, and None is the choice `null`."""
    return value is None or not (value is pd.NA or (isinstance(value, float) and math.isnan(value)))


def new_figure(title: str, explanation: str, x: str = "", y: str = "", **layout: Any) -> go.Figure:
    """An empty figure in our style.

    Args:
        title: what is seen, in a few words; shown above, also by pages, which take it out of the figure.
        explanation: how to read it, one or two sentences.
        x, y: titles of the axes, with units.
        layout: any other keys of plotly's layout.
    """
    axis: Mapping[str, Any] = {
        "gridcolor": GRID, "zeroline": False, "linecolor": FAINT_TEXT, "ticks": "outside", "tickcolor": FAINT_TEXT,
        "automargin": True,
    }  # fmt: skip
    figure = go.Figure()
    figure.update_layout(
        title={"text": title, "subtitle": {"text": explanation}, "x": 0, "xref": "paper"},
        font={"family": FONT, "size": 13, "color": TEXT},
        paper_bgcolor=PAPER, plot_bgcolor=PAPER, height=HEIGHT, autosize=True,
        margin={"l": 10, "r": 10, "t": 70, "b": 10},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "left", "x": 0},
        hoverlabel={"bgcolor": PAPER, "font": {"family": FONT, "size": 12, "color": TEXT}, "align": "left"},
        hovermode="closest", uirevision="kept", colorway=CATEGORY_COLORS,
        xaxis={"title": {"text": x}, **axis}, yaxis={"title": {"text": y}, **axis},
    )  # fmt: skip
    figure.update_layout(**layout)
    return figure


def take_title(figure: go.Figure) -> tuple[str, str]:
    """Title and explanation of a figure as plain text, taken out of it: pages show them as text that breaks into lines."""
    title, explanation = figure.layout.title.text or "", figure.layout.title.subtitle.text or ""
    figure.update_layout(title=None, margin={"t": 30})
    return _as_meant(title), _as_meant(explanation)


def _as_meant(text: str) -> str:
    """What `escape` was given; markup is ours, and left out."""
    return html.unescape(re.sub(r"<[^>]*>", "", re.sub(r"<br\s*/?>", " ", text)))


def trace_id(name: str) -> str:
    """A trace's `uid`, by which it keeps what its reader did to it. Plotly builds a CSS selector of it: letters and digits only."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name)


def states_in_order(states: Iterable[str]) -> list[str]:
    """Those of the known states that occur, as legends list them."""
    present = set(states)
    return [state for state in STATE_COLORS if state in present]
