"""A study in figures and tables for a terminal, and the same as plain values for `--json`."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table

from storage.reading import StudyView, TrialView

STATES = ("complete", "pruned", "failed", "running", "interrupted")


@dataclass(frozen=True, slots=True)
class Ranked:
    """A trial and its best epoch."""

    trial: TrialView
    value: float
    epoch: int


def rank(study: StudyView) -> list[Ranked]:
    """Trials with a finite value, best first; equal ones by number. A stopped or running trial counts with its best epoch."""
    sign = -1 if study.space["metric"]["goal"] == "maximize" else 1
    ranked = []
    for trial in study.trials:
        finite = [(sign * value, epoch) for epoch, value in trial.values.items() if math.isfinite(value)]
        if finite:
            signed, epoch = min(finite)
            ranked.append(Ranked(trial, sign * signed, epoch))
    return sorted(ranked, key=lambda r: (sign * r.value, r.trial.number))


def status_values(study: StudyView) -> dict[str, Any]:
    """States, best so far, rate, time left, rungs and launches."""
    counts = Counter(trial.state for trial in study.trials)
    best = next(iter(rank(study)), None)
    return {
        "study": study.name,
        "trials": {state: counts[state] for state in STATES},
        "budget": study.space["budget"],
        "best": None if best is None else best_values(study, best),
        "hours_spent": study.hours,
        "epochs_per_hour": study.epochs_per_hour,
        "hours_left_at_most": _hours_left(study, counts),
        "rungs": [
            {"epoch": r.epoch, "compared": r.compared, "went_on": r.went_on, "cutoff": r.cutoff} for r in study.rungs
        ],
        "launches": [
            {"pid": launch.pid, "hostname": launch.hostname, "alive": launch.alive} for launch in study.launches
        ],
    }


def best_values(study: StudyView, ranked: Ranked) -> dict[str, Any]:
    """One top configuration as plain values."""
    return {
        "trial": ranked.trial.number,
        "state": ranked.trial.state,
        study.space["metric"]["name"]: ranked.value,
        "epoch": ranked.epoch,
        "parameters": dict(ranked.trial.parameters),
    }


def status_lines(study: StudyView) -> Iterable[str]:
    """The same as sentences."""
    values = status_values(study)
    counts = ", ".join(f"{count} {state}" for state, count in values["trials"].items() if count) or "none yet"
    limit = study.space["budget"].get("trials")
    yield f"study {study.name}: {len(study.trials)}{f' of {limit}' if limit else ''} trials: {counts}"
    best = values["best"]
    if best is not None:
        metric = study.space["metric"]["name"]
        yield f"best so far: {metric} {best[metric]:.4f} at epoch {best['epoch']} of trial {best['trial']} ({best['state']})"
    left = values["hours_left_at_most"]
    left_words = "" if left is None else f", at most {_duration(left)} left"
    yield f"time: {_duration(study.hours)} spent, {study.epochs_per_hour:.0f} epochs an hour{left_words}"
    for launch in study.launches:
        word = "alive" if launch.alive else "died; launch again to go on with its trials"
        yield f"launch: process {launch.pid} on {launch.hostname}, {word}"


def rung_table(study: StudyView) -> Table:
    """Who was compared where."""
    table = _table("early stopping", "rung (epoch)", "compared", "went on", "newest cut-off")
    for rung in study.rungs:
        cutoff = "-" if rung.cutoff is None else f"{rung.cutoff:.4f}"
        table.add_row(str(rung.epoch), str(rung.compared), str(rung.went_on), cutoff)
    return table


def best_table(study: StudyView, top: int) -> Table:
    """The top configurations, one a line."""
    names = list(dict.fromkeys(name for trial in study.trials for name in trial.parameters))
    metric = study.space["metric"]["name"]
    table = _table(f"best of study {study.name}", "trial", metric, "epoch", *names, "state")
    for ranked in rank(study)[:top]:
        values = (value_words(ranked.trial.parameters.get(name, "-")) for name in names)
        table.add_row(str(ranked.trial.number), f"{ranked.value:.4f}", str(ranked.epoch), *values, ranked.trial.state)
    return table


def studies_table(studies: Iterable[StudyView]) -> Table:
    """All studies of a database, one a line."""
    table = _table(None, "study", "best", *STATES, "hours")
    for study in studies:
        values = status_values(study)
        metric = study.space["metric"]["name"]
        best = "-" if values["best"] is None else f"{values['best'][metric]:.4f}"
        table.add_row(study.name, best, *(str(values["trials"][s]) for s in STATES), f"{study.hours:.2f}")
    return table


def _table(title: str | None, *headings: str) -> Table:
    """A table narrow enough for 80 columns: long names break after an underscore, no vertical lines."""
    wrapped = (heading.replace("_", "_\n") for heading in headings)
    return Table(*wrapped, title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))


def _hours_left(study: StudyView, counts: Counter[str]) -> float | None:
    """If no trial were stopped early any more; None without a limit on trials or before the first epoch."""
    limit: int | None = study.space["budget"].get("trials")
    epochs: int = study.space["settings"]["epochs"]
    if limit is None or not study.epochs_per_hour:
        return None
    # an interrupted trial is trained again from its first epoch
    rest = {"running": lambda t: epochs - max(t.values, default=0), "interrupted": lambda t: epochs}
    begun = sum(rest[t.state](t) for t in study.trials if t.state in rest)
    return max(0.0, (limit - len(study.trials)) * epochs + begun) / study.epochs_per_hour


def _duration(hours: float) -> str:
    minutes, seconds = divmod(round(hours * 3600), 60)
    whole_hours, minutes = divmod(minutes, 60)
    return f"{whole_hours} h {minutes:02d} min" if whole_hours else f"{minutes} min {seconds:02d} s"


def value_words(value: Any) -> str:
    """A value as short as it can be read."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
