"""One trial in full: configuration, curves, gradient flow, decisions in words, attempts, checkpoints, what it printed."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from dash import html
from dash.development.base_component import Component

from storage.checkpoints import Checkpoint
from storage.trial_log import AttemptLog, TrialLog
from tuner.reporting.dashboard.cards import Card, make_cards
from tuner.reporting.dashboard.reading import Look, section
from tuner.reporting.figures.style import STATE_COLORS
from tuner.reporting.status_lines import duration
from tuner.reporting.summary import value_words

_FIGURES = ("learning-curves", "gradient-flow")  # sections that say something of a single trial


def trial_figures(look: Look, number: int) -> list[Card]:
    """What the study's sections draw of this trial alone."""
    alone = look.trial(number)
    found = [part for key in _FIGURES if (part := section(key)) is not None]
    return make_cards([figure for part in found for figure in part.draw(alone)], f"{look.standing.name}/{number}")


def trial_words(log: TrialLog, checkpoints: Sequence[Checkpoint]) -> list[Component]:
    """What is said of a trial below its figures."""
    return [
        *_part("Decisions", _decisions(log), "None was taken: nothing compared it with others yet."),
        *_part("Attempts", _attempts(log.attempts), "It has not been tried yet."),
        *_part("Checkpoints", _checkpoints(checkpoints), "None is kept."),
        *(part for attempt in reversed(log.attempts) for part in _words_of(attempt)),
    ]


def heading(log: TrialLog) -> list[Component]:
    """Number, state, why it ended, and its configuration."""
    trial = log.trial
    state = html.Span(trial.state, style={"color": STATE_COLORS[trial.state]})
    why = [html.P(trial.reason, className="reason")] if trial.reason else []
    return [html.H2([f"Trial {trial.number}: ", state], id="trial-title"), *why, _configuration(log)]


def _configuration(log: TrialLog) -> Component:
    pairs = [
        html.Div([html.Dt(name), html.Dd("null" if value is None else value_words(value))])
        for name, value in log.trial.parameters.items()
    ]
    return html.Dl(pairs or "All values are fixed.", className="configuration")


def _part(title: str, content: Component | None, otherwise: str) -> Iterable[Component]:
    yield html.H3(title)
    yield html.P(otherwise, className="explanation") if content is None else content


def _decisions(log: TrialLog) -> Component | None:
    rows = [(str(d.epoch), d.rule, d.verdict, d.reason) for d in log.decisions]
    return _table(("epoch", "rule", "verdict", "why"), rows)


def _attempts(attempts: Sequence[AttemptLog]) -> Component | None:
    rows = [
        (
            str(a.attempt),
            (a.outcome or "running").replace("_", " "),
            datetime.fromtimestamp(a.started_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
            duration(a.seconds / 3600),
            f"{a.node}, process {a.worker}, {a.device}" if a.node else "–",
        )
        for a in attempts
    ]
    return _table(("attempt", "outcome", "began", "took", "where"), rows)


def _checkpoints(checkpoints: Sequence[Checkpoint]) -> Component | None:
    rows = [(str(c.epoch), str(c.attempt), f"{c.num_bytes / 1e6:.1f} MB", c.location) for c in checkpoints]
    return _table(("after epoch", "attempt", "size", "where"), rows)


def _words_of(attempt: AttemptLog) -> Iterable[Component]:
    """What broke is read first."""
    if attempt.traceback:
        yield html.H3(f"Traceback of attempt {attempt.attempt}")
        yield html.Pre(attempt.traceback, className="broken", tabIndex="0")
    if attempt.output:
        yield html.H3(f"Output of attempt {attempt.attempt}")
        yield html.Pre(attempt.output, tabIndex="0")


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Component | None:
    if not rows:
        return None
    head = html.Thead(html.Tr([html.Th(heading) for heading in headings]))
    body = html.Tbody([html.Tr([html.Td(cell) for cell in row]) for row in rows])
    return html.Div(html.Table([head, body]), className="scrolled", tabIndex="0")
