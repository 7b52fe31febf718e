"""The page: what stands where. What makes it live is in callbacks.py."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import flask
from dash import Dash, dcc, html
from dash.development.base_component import Component

from tuner.reporting.dashboard.callbacks import REFRESH_SECONDS, register
from tuner.reporting.dashboard.reading import Readings
from tuner.reporting.dashboard.table import empty_table
from tuner.reporting.sections import SECTIONS


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the page says of the process behind it.

    Attributes:
        database: its URL without a password.
        optuna_port: where optuna-dashboard listens, None where it was not started.
    """

    database: str
    optuna_port: int | None


def make_app(readings: Readings, surroundings: Surroundings) -> Dash:
    """The dashboard of a database; `app.server` is its WSGI application."""
    app = Dash(
        __name__,
        title="tuner",
        update_title="",
        serve_locally=True,
        eager_loading=True,  # plotly and the table's code come with the page, not after the first figure
        assets_folder=str(Path(__file__).parent / "assets"),
        suppress_callback_exceptions=True,  # figures come and go
        enable_mcp=False,
    )
    app.layout = lambda: _layout(surroundings)
    register(app, readings)
    return app


def _layout(surroundings: Surroundings) -> Component:
    return html.Div([
        dcc.Location(id="url", refresh=False),
        dcc.Interval(id="tick", interval=REFRESH_SECONDS * 1000),
        dcc.Store(id="pulse"),
        dcc.Store(id="trial-seen"),
        _top(surroundings),
        html.Main([
            html.Div(id="facts", className="facts"),
            html.Div(id="history", className="cards wide"),
            html.Section([html.H2("Trials"), html.P(_HOW_TO_USE_TABLE, className="explanation"), empty_table()]),
            _trial_panel(),
            *(_folded(section.key, section.title) for section in SECTIONS if section.key != "history"),
        ]),
    ])  # fmt: skip


_HOW_TO_USE_TABLE = (
    "Click a row, or a mark in a figure, to see the trial. A click on a heading sorts; the field below it filters, and a "
    "number's button offers other comparisons, such as greater than."
)


def _top(surroundings: Surroundings) -> Component:
    return html.Header([
        html.Div([
            html.H1("tuner"),
            html.Div([
                html.Label("Study", htmlFor="study", className="label"),
                dcc.Dropdown(id="study", options=[], clearable=False, placeholder="no study yet"),
            ], className="choose"),
            html.Button("Stop study …", id="stop-study", disabled=True, className="stop"),
            dcc.ConfirmDialog(id="stop-study-sure", message=""),
        ], className="bar"),
        html.Div([html.Span("reading …", id="note", role="status"), html.Span(_optuna(surroundings))], className="notes"),
        html.Div(id="answer", role="status", className="answer"),
    ])  # fmt: skip


def _optuna(surroundings: Surroundings) -> list[Component | str]:
    """Where optuna-dashboard is, by the name under which this page was asked for."""
    if surroundings.optuna_port is None:
        return ["optuna-dashboard on the same database: start with ", html.Code("tuner dashboard --optuna")]
    name = urlsplit(f"//{flask.request.host}").hostname or "127.0.0.1"
    shown = f"[{name}]" if ":" in name else name
    link = f"{flask.request.scheme}://{shown}:{surroundings.optuna_port}/"
    return [html.A("optuna-dashboard", href=link, target="_blank", rel="noreferrer"), " shows the same database"]


def _trial_panel() -> Component:
    return html.Section([
        html.Div([
            html.Div(id="trial-heading"),
            html.Div([
                html.Button("Stop trial …", id="stop-trial", disabled=True, className="stop"),
                html.Button("Close", id="close-trial"),
            ], className="buttons"),
        ], className="bar"),
        dcc.ConfirmDialog(id="stop-trial-sure", message=""),
        html.Div(id="trial-answer", role="status", className="answer"),
        html.Div(id="trial-figures", className="cards"),
        html.Div(id="trial-words"),
    ], id="trial-panel", hidden=True, className="panel")  # fmt: skip


def _folded(key: str, title: str) -> Component:
    return html.Details(
        [
            html.Summary(html.H2(title), id={"section": key, "part": "summary"}),
            html.Div(
                html.P("reading …", className="explanation"), id={"section": key, "part": "cards"}, className="cards"
            ),
        ]
    )
