"""What makes the page live. The address says what is shown; a pulse, which changes when the study does, draws it anew."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode

import plotly.graph_objects as go
from dash import ALL, MATCH, ClientsideFunction, Dash, Input, Output, State, ctx, html, no_update, set_props
from dash.exceptions import PreventUpdate

from storage.errors import StorageError, StudyNotFoundError
from storage.standing import Standing
from storage.stopping import request_stop
from tuner.errors import plain_line
from tuner.reporting.dashboard import table
from tuner.reporting.dashboard.cards import make_cards, show_cards
from tuner.reporting.dashboard.facts import facts
from tuner.reporting.dashboard.reading import Look, Readings, section
from tuner.reporting.dashboard.trial import heading, trial_figures, trial_words
from tuner.reporting.figures import optimization_history

REFRESH_SECONDS = 3
_SLOWEST_SECONDS = 60
_SHARE = 10  # reading and drawing may take one part in so many of the time
_FIGURES = {"section": ALL, "part": "figure", "place": ALL}
_ENDED = ("complete", "pruned", "failed")


def register(app: Dash, readings: Readings) -> None:
    """Give the page its callbacks."""
    _register_pulse(app, readings)
    _register_choice(app)
    _register_study(app, readings)
    _register_trial(app, readings)
    _register_zoom(app)
    _register_stopping(app, readings)


def _register_pulse(app: Dash, readings: Readings) -> None:
    @app.callback(
        Output("study", "options"), Output("study", "value"), Output("facts", "children"), Output("note", "children"),
        Output("note", "className"), Output("stop-study", "disabled"), Output("tick", "interval"), Output("pulse", "data"),
        Input("tick", "n_intervals"), Input("url", "search"), State("study", "options"), State("study", "value"), State("pulse", "data"),
    )  # fmt: skip
    def beat(
        _: int, search: str, options: list[str], chosen: str | None, pulse: dict[str, str] | None
    ) -> tuple[Any, ...]:
        study: str | None = None
        try:
            names = readings.names()
            study = _asked(search, "study") or (names[-1] if names else None)
            if study is None:
                return [], None, [], "This database holds no study yet.", "", True, no_update, None
            look = readings.look(study)
        except StudyNotFoundError as error:  # of what is chosen, while others are there
            return names, study, no_update, _gone(error), "trouble", True, no_update, no_update
        except StorageError as error:
            return (*(no_update,) * 3, _gone(error), "trouble", True, no_update, no_update)
        now = {"study": study, "token": look.token}
        seconds = min(max(REFRESH_SECONDS, _SHARE * look.seconds), _SLOWEST_SECONDS)
        return (
            no_update if names == options else names, no_update if study == chosen else study, facts(look.standing), _how_it_goes(look.standing), "",
            not look.standing.is_running, round(seconds * 1000), no_update if now == pulse else now,
        )  # fmt: skip


def _register_choice(app: Dash) -> None:
    @app.callback(
        Output("table", "selectedRows"), Output(_FIGURES, "clickData"),
        Input("study", "value"), Input("table", "selectedRows"), Input(_FIGURES, "clickData"),
        Input("close-trial", "n_clicks"), State("url", "search"),
        prevent_initial_call=True,
    )  # fmt: skip
    def choose(study: str | None, selected: Any, clicks: list[Any], _: int, search: str) -> tuple[Any, list[Any]]:
        shown, as_they_are = _trial_number(search), [no_update] * len(clicks)
        if study is None:
            raise PreventUpdate
        if ctx.triggered_id == "study":
            if study != _asked(search, "study"):
                _go(study, None if _asked(search, "study") else shown)
            return no_update, as_they_are
        if ctx.triggered_id == "close-trial":
            _go(study, None)
            return [], as_they_are
        in_table = ctx.triggered_id == "table"
        number = _selected_trial(selected) if in_table else next(filter(_is_known, map(_clicked_trial, clicks)), None)
        if number is not None and number != shown:
            _go(study, number)
        if in_table or not any(clicks):
            return no_update, as_they_are
        unclicked = [None if click else no_update for click in clicks]  # another click on the same mark shall be one
        return (no_update if number is None else {"ids": [str(number)]}), unclicked


def _go(study: str, trial: int | None) -> None:
    """Change the address, from which all else follows. As a declared output it would close a circle, which Dash refuses."""
    set_props("url", {"search": "?" + urlencode({"study": study} | ({} if trial is None else {"trial": trial}))})


def _register_study(app: Dash, readings: Readings) -> None:
    @app.callback(
        Output("table", "columnDefs"), Output("table", "rowData"),
        Input("pulse", "data"), State("table", "columnDefs"),
        prevent_initial_call=True,
    )  # fmt: skip
    def fill_table(pulse: dict[str, str] | None, before: list[dict[str, Any]]) -> tuple[Any, Any]:
        if pulse is None:
            return [], []
        with _kept_when_away():
            look = readings.look(pulse["study"])
            columns = table.columns(look.trials, look.objective)
            return no_update if columns == before else columns, look.once("rows", lambda: table.rows(look.trials))

    @app.callback(
        Output({"section": MATCH, "part": "cards"}, "children"),
        Input("pulse", "data"), Input({"section": MATCH, "part": "summary"}, "n_clicks"),
        State({"section": MATCH, "part": "cards"}, "id"), State({"section": MATCH, "part": "figure", "place": ALL}, "id"),
    )  # fmt: skip
    def draw_folded(pulse: dict[str, str] | None, clicks: int | None, this: dict[str, str], places: list[Any]) -> Any:
        if pulse is None or not (clicks or 0) % 2:  # folded
            raise PreventUpdate
        return _drawn(readings, pulse["study"], this["section"], places)

    @app.callback(
        Output("history", "children"),
        Input("pulse", "data"), State({"section": "history", "part": "figure", "place": ALL}, "id"),
        prevent_initial_call=True,
    )  # fmt: skip
    def draw_history(pulse: dict[str, str] | None, places: list[Any]) -> Any:
        return [] if pulse is None else _drawn(readings, pulse["study"], "history", places)


def _drawn(readings: Readings, study: str, key: str, places: list[Any]) -> Any:
    with _kept_when_away():
        look = readings.look(study)
        cards = look.once(("cards", key), lambda: make_cards(_figures(look, key), f"{study}/{key}"))
    found = section(key)
    if not cards and found is not None:
        return html.P(found.missing, className="explanation")
    return show_cards(cards, key, places)


def _figures(look: Look, key: str) -> list[go.Figure]:
    if key == "history":  # stands on the first view, which does not wait for every epoch to be read
        return [optimization_history(look.trials, look.objective)]
    found = section(key)
    return [] if found is None else found.draw(look.data)


def _register_trial(app: Dash, readings: Readings) -> None:
    @app.callback(
        Output("trial-panel", "hidden"), Output("trial-heading", "children"), Output("trial-figures", "children"),
        Output("trial-words", "children"), Output("stop-trial", "disabled"), Output("trial-seen", "data"),
        Input("pulse", "data"), Input("url", "search"), State("trial-seen", "data"),
        State({"section": "trial", "part": "figure", "place": ALL}, "id"),
    )  # fmt: skip
    def show_trial(pulse: dict[str, str] | None, search: str, seen: Any, places: list[Any]) -> tuple[Any, ...]:
        number = _trial_number(search)
        if pulse is None or number is None or pulse["study"] != _asked(search, "study"):
            return True, [], [], [], True, None
        with _kept_when_away():
            look = readings.look(pulse["study"])
            if number not in look.trials.index:
                none = f"Study {pulse['study']} has no trial {number}."
                return False, html.H2(none), [], [], True, None
            row = look.trials.loc[number]
            now = [pulse["study"], number, str(row["state"]), int(row["epochs"]), int(row["attempts"])]
            if now == seen:
                raise PreventUpdate
            log = readings.log(pulse["study"], number)
            words = trial_words(log, readings.checkpoints(pulse["study"], number))
            figures = show_cards(trial_figures(look, number), "trial", places)
            return False, heading(log), figures, words, log.trial.state in _ENDED, now

    app.clientside_callback(
        ClientsideFunction("tuner", "bringIntoView"),
        Output("trial-panel", "title"), Input("trial-seen", "data"), prevent_initial_call=True,
    )  # fmt: skip


def _register_zoom(app: Dash) -> None:
    """Only the page knows where its reader has zoomed to."""

    def part(name: str) -> dict[str, Any]:
        return {"section": MATCH, "part": name, "place": MATCH}

    app.clientside_callback(
        ClientsideFunction("tuner", "keepZoom"),
        Output(part("figure"), "figure"), Input(part("drawn"), "data"), State(part("figure"), "figure"),
        prevent_initial_call=True,
    )  # fmt: skip


def _register_stopping(app: Dash, readings: Readings) -> None:
    @app.callback(
        Output("stop-study-sure", "displayed"), Output("stop-study-sure", "message"),
        Input("stop-study", "n_clicks"), State("study", "value"), prevent_initial_call=True,
    )  # fmt: skip
    def ask_for_study(_: int, study: str) -> tuple[bool, str]:
        return True, f"Stop study {study}? Each running trial ends after its epoch; tuner resume goes on with them."

    @app.callback(
        Output("answer", "children"), Input("stop-study-sure", "submit_n_clicks"), Input("study", "value"),
        prevent_initial_call=True,
    )  # fmt: skip
    def stop_study(_: int, study: str) -> str:
        return _stop(readings.url, study, None) if ctx.triggered_id == "stop-study-sure" else ""

    @app.callback(
        Output("stop-trial-sure", "displayed"), Output("stop-trial-sure", "message"),
        Input("stop-trial", "n_clicks"), State("url", "search"), prevent_initial_call=True,
    )  # fmt: skip
    def ask_for_trial(_: int, search: str) -> tuple[bool, str]:
        return True, f"Stop trial {_trial_number(search)} for good? It ends after its epoch."

    @app.callback(
        Output("trial-answer", "children"), Input("stop-trial-sure", "submit_n_clicks"), Input("url", "search"),
        prevent_initial_call=True,
    )  # fmt: skip
    def stop_trial(_: int, search: str) -> str:
        study, number = _asked(search, "study"), _trial_number(search)
        if ctx.triggered_id != "stop-trial-sure" or study is None:
            return ""
        return _stop(readings.url, study, number)


def _stop(url: str, study: str, trial: int | None) -> str:
    try:
        return request_stop(url, study, trial)
    except (ValueError, StorageError) as error:
        return plain_line(str(error))


@contextmanager
def _kept_when_away() -> Iterator[None]:
    """What is shown stays while nothing can be read; the pulse says why."""
    try:
        yield
    except StorageError:
        raise PreventUpdate from None


def _how_it_goes(standing: Standing) -> str:
    state = "running" if standing.is_running else "not running"
    return f"{state}; read at {datetime.fromtimestamp(standing.read_at, UTC).strftime('%H:%M:%S')} UTC"


def _gone(error: StorageError) -> str:
    return f"{plain_line(str(error))} (asked again every few seconds)"


def _asked(search: str | None, name: str) -> str | None:
    return next(iter(parse_qs((search or "").removeprefix("?")).get(name, [])), None)


def _trial_number(search: str | None) -> int | None:
    asked = _asked(search, "trial")
    return int(asked) if asked is not None and asked.isascii() and asked.isdigit() and len(asked) < 10 else None


def _is_known(number: int | None) -> bool:
    return number is not None


def _selected_trial(selected: Any) -> int | None:
    """Of the table's chosen row; nothing where the page itself chose it, by its id."""
    return int(selected[0]["trial"]) if isinstance(selected, list) and selected else None


def _clicked_trial(click: Any) -> int | None:
    """The trial whose mark was clicked: `customdata` holds its number, alone or first."""
    points = click["points"] if click else []
    found = points[0].get("customdata") if points else None
    found = found[0] if isinstance(found, list) and found else found
    return found if isinstance(found, int) and not isinstance(found, bool) else None
