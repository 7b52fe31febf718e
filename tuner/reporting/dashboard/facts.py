"""The figures on top of the page, from how the study stands: states, best so far, rate, hours."""

from typing import Any

from dash import html

from storage.standing import Standing
from tuner.reporting.figures.style import STATE_COLORS
from tuner.reporting.status_lines import duration
from tuner.reporting.summary import hours_left, value_words


def facts(standing: Standing) -> list[html.Div]:
    """One block a fact."""
    found = [_trials(standing), _best(standing), _time(standing)]
    if standing.gpu_hours:
        found.append(_fact("GPU time", duration(standing.gpu_hours), "held by trials"))
    return found


def _trials(standing: Standing) -> html.Div:
    limit = standing.space["budget"].get("trials")
    states = [
        html.Span([html.Span("●", style={"color": STATE_COLORS[state]}), f" {count} {state}"], className="state")
        for state, count in standing.trials.items()
        if count
    ]
    total = str(sum(standing.trials.values()))
    return _fact("Trials", total if limit is None else f"{total} of {limit}", states or "none yet")


def _best(standing: Standing) -> html.Div:
    metric, best = standing.space["metric"], standing.best
    goal = "highest" if metric["goal"] == "maximize" else "lowest"
    label = f"Best {metric['name']} ({goal} wins)"
    if best is None:
        return _fact(label, "–", "no finite value yet")
    chosen = ", ".join(f"{name} {value_words(value)}" for name, value in best.parameters.items()) or "all values fixed"
    return _fact(
        label, f"{best.value:.4g}", [f"epoch {best.epoch} of trial {best.trial} ({best.state})", html.Br(), chosen]
    )


def _time(standing: Standing) -> html.Div:
    rate = standing.epochs_per_hour
    rate_words = f"{rate / 3600:.1f} epochs/s" if rate >= 3600 else f"{rate:.0f} epochs/h"
    left = hours_left(standing) if standing.is_running else None
    left_words = [] if left is None else [html.Br(), f"at most {duration(left)} left"]
    return _fact("Time", duration(standing.hours), [rate_words, *left_words])


def _fact(label: str, value: str, detail: str | list[Any]) -> html.Div:
    return html.Div(
        [
            html.Div(label, className="label"),
            html.Div(value, className="value"),
            html.Div(detail, className="detail"),
        ],
        className="fact",
    )
