"""A study as tables for a terminal, and as plain values for `--json`."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.table import Table

from storage.reading import StudyView, TrialView
from storage.standing import Standing

STATES = ("complete", "pruned", "failed", "running", "interrupted", "waiting")


@dataclass(frozen=True, slots=True)
class Ranked:
    """A trial and its best epoch."""

    trial: TrialView
    value: float
    epoch: int


def rank(study: StudyView) -> list[Ranked]:
    """Trials with a finite value, best first; equal ones by number. A stopped or running trial counts with its best epoch,
    one that has the result of another not at all."""
    sign = -1 if study.space["metric"]["goal"] == "maximize" else 1
    ranked = []
    for trial in (trial for trial in study.trials if trial.repeat_of is None):
        finite = [(sign * value, epoch) for epoch, value in trial.values.items() if math.isfinite(value)]
        if finite:
            signed, epoch = min(finite)
            ranked.append(Ranked(trial, sign * signed, epoch))
    return sorted(ranked, key=lambda r: (sign * r.value, r.trial.number))


def status_values(study: Standing) -> dict[str, Any]:
    """States, best so far, rate, time left, rungs, launches and running trials."""
    best = study.best
    return {
        "study": study.name,
        "trials": dict(study.trials),
        "budget": study.space["budget"],
        "best": None
        if best is None
        else {
            "trial": best.trial,
            "state": best.state,
            study.space["metric"]["name"]: best.value,
            "epoch": best.epoch,
            "parameters": dict(best.parameters),
        },
        "hours_spent": study.hours,
        "gpu_hours_spent": study.gpu_hours,
        "cpu_hours_spent": study.cpu_hours,
        "epochs_per_hour": study.epochs_per_hour,
        "hours_left_at_most": hours_left(study),
        "rungs": [asdict(rung) for rung in study.rungs],
        "launches": [
            {"pid": launch.pid, "hostname": launch.hostname, "alive": launch.alive} for launch in study.launches
        ],
        "running": [asdict(trial) for trial in study.running],
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


def best_table(study: StudyView, top: int) -> Table:
    """The top configurations, one a line."""
    names = list(dict.fromkeys(name for trial in study.trials for name in trial.parameters))
    metric = study.space["metric"]["name"]
    table = _table(f"best of study {study.name}", "trial", metric, "epoch", *names, "state")
    for ranked in rank(study)[:top]:
        values = (value_words(ranked.trial.parameters.get(name, "-")) for name in names)
        table.add_row(str(ranked.trial.number), f"{ranked.value:.4f}", str(ranked.epoch), *values, ranked.trial.state)
    return table


def studies_table(studies: Iterable[Standing]) -> Table:
    """All studies of a database, one a line."""
    table = _table(None, "study", "best", *STATES, "hours")
    for study in studies:
        best = "-" if study.best is None else f"{study.best.value:.4f}"
        table.add_row(study.name, best, *(str(study.trials[s]) for s in STATES), f"{study.hours:.2f}")
    return table


def _table(title: str | None, *headings: str) -> Table:
    """A table narrow enough for 80 columns: long names break after an underscore, no vertical lines."""
    wrapped = (heading.replace("_", "_\n") for heading in headings)
    return Table(*wrapped, title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))


def hours_left(study: Standing) -> float | None:
    """If no trial were stopped early any more, or until the hours are spent; None when neither can be told."""
    budget, epochs = study.space["budget"], study.space["settings"]["epochs"]
    left = []
    if budget.get("hours") is not None:
        left.append(budget["hours"] - study.hours)
    if budget.get("trials") is not None and study.epochs_per_hour:
        # at most: an interrupted trial whose checkpoints are lost begins anew
        begun = sum(epochs - trial.epoch for trial in study.running) + study.trials["interrupted"] * epochs
        new = budget["trials"] - sum(study.trials.values())
        left.append((max(new, 0) * epochs + begun) / study.epochs_per_hour)
    return max(0.0, min(left)) if left else None


def value_words(value: Any) -> str:
    """A value as short as it can be read."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
