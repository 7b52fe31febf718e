"""What most people want to know of a study, as plain facts: the best configuration, what it cost, and how sure we are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from tuner.events import EPOCH_SECONDS
from tuner.reporting.figures.curve_values import metric_column
from tuner.reporting.figures.style import is_in_force, parameter_columns, states_in_order
from tuner.reporting.status_lines import ENDED_LAUNCH
from tuner.reporting.study_data import StudyData
from tuner.reporting.summary import value_words

_NOT_TO_ITS_END = {
    "pruned": "was stopped",
    "running": "is still running",
    "interrupted": "was interrupted",
    "failed": "broke",
}
_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Winner:
    """The trial with the best value, as it was at its best epoch.

    `figures`: metric -> value there, without the study's own metric, which is `value`; `epochs`: how many it has.
    """

    trial: int
    state: str
    value: float
    epoch: int
    epochs: int
    figures: Mapping[str, float]
    configuration: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Headline:
    """A study in a few facts.

    Attributes:
        study: its name.
        metric, goal: what is searched for.
        running: whether a launch is alive.
        status: how far it is, in words.
        read_at: when the database was read, by its clock.
        winner: None before the first finite value.
        trials: state -> number of trials, only of states that occur.
        hours, cpu_hours, gpu_hours: what all launches cost, by the wall clock and by what their trials held.
        doubts: what to keep in mind before believing it, one sentence each.
    """

    study: str
    metric: str
    goal: str
    running: bool
    status: str
    read_at: datetime
    winner: Winner | None
    trials: Mapping[str, int]
    hours: float
    cpu_hours: float
    gpu_hours: float
    doubts: tuple[str, ...]


def headline(study: StudyData) -> Headline:
    """The facts about a study."""
    standing, winner = study.standing, _winner(study)
    counts = study.trials["state"].value_counts()
    return Headline(
        study=study.name,
        metric=study.objective.name,
        goal=study.objective.goal,
        running=standing.is_running,
        status=_status(study),
        read_at=datetime.fromtimestamp(standing.read_at, UTC),
        winner=winner,
        trials={state: int(counts[state]) for state in states_in_order(counts.index)},
        hours=standing.hours,
        cpu_hours=standing.cpu_hours,
        gpu_hours=standing.gpu_hours,
        doubts=() if winner is None else tuple(_doubts(study, winner)),
    )


def configuration_of(trials: pd.DataFrame, number: int) -> dict[str, Any]:
    """The parameters that are in force in a trial, in the order of the search space."""
    row = trials.loc[number]
    return {name: row[column] for column, name in parameter_columns(trials).items() if is_in_force(row[column])}


def words_of(value: Any) -> str:
    """A value of a configuration, as a search space file would have it, floats shortened."""
    if value is None:
        return "null"
    return str(bool(value)).lower() if isinstance(value, bool | np.bool_) else value_words(value)


def _status(study: StudyData) -> str:
    standing = study.standing
    if standing.is_running:
        of = standing.space["budget"].get("trials")
        begun = f"{len(study.trials)} of {of}" if of is not None else f"{len(study.trials)}"
        return f"running: {begun} trials begun"
    died = "its launch died; launch again to go on"
    return ENDED_LAUNCH.get(standing.last_outcome or "", died)


def _winner(study: StudyData) -> Winner | None:
    finite = study.trials[np.isfinite(study.trials["value"])]
    if finite.empty:
        return None
    ranked = finite.sort_values("value", ascending=study.objective.sign > 0, kind="stable")
    best, number = ranked.iloc[0], int(ranked.index[0])
    epochs = study.epochs
    at_best = epochs[(epochs["trial"] == number) & (epochs["epoch"] == best["best_epoch"])]
    beside = {"trial", "epoch", EPOCH_SECONDS, metric_column(study.objective.name)}
    figures = {} if at_best.empty else at_best.iloc[0].drop(labels=list(beside & set(epochs))).dropna().to_dict()
    return Winner(
        trial=number,
        state=str(best["state"]),
        value=float(best["value"]),
        epoch=int(best["best_epoch"]),
        epochs=int(best["epochs"]),
        figures=figures,
        configuration=configuration_of(study.trials, number),
    )


def _doubts(study: StudyData, winner: Winner) -> list[str]:
    told = [_unfinished(study, winner), _trained_how_often(study, winner), _close_ones(study, winner)]
    others = int(np.isfinite(study.trials["value"]).sum()) - 1
    if others:
        told.append(
            f"It is the best epoch of the best of {others + 1} trials, picked by the very figure shown here, and such a pick "
            "owes something to luck: expect a fresh training to come out a little worse."
        )
    if study.standing.is_running:
        told.append("The study is still running: another trial may win.")
    return [sentence for sentence in told if sentence]


def _unfinished(study: StudyData, winner: Winner) -> str:
    """What it would have come to is not known."""
    if winner.state == "complete":
        return ""
    reason = study.trials.loc[winner.trial, "reason"]
    why = f" ({reason})" if reason else ""
    return (
        f"Trial {winner.trial} {_NOT_TO_ITS_END.get(winner.state, winner.state)} after {winner.epochs} of "
        f"{study.max_epochs} epochs{why}: its value is that of a training that did not come to its end."
    )


def _trained_how_often(study: StudyData, winner: Winner) -> str:
    """Only the same configuration trained several times would show how far chance moves a figure."""
    valued = study.trials[np.isfinite(study.trials["value"])]
    alike = [
        number for number in valued.index if configuration_of(valued, int(number)) == dict(winner.configuration)
    ] if len(valued) > 1 else []  # fmt: skip
    if len(alike) < 2:
        return (
            "Its configuration was trained once, from one seed: how far another seed would move these figures "
            "was not measured."
        )
    values = ", ".join(f"{value:.4g}" for value in valued.loc[alike, "value"])
    return f"Its configuration was trained {len(alike)} times and came to {values}."


def _close_ones(study: StudyData, winner: Winner) -> str:
    """Other trials that cannot be told apart from the winner, by how unsteady its own figures are."""
    name, trials = study.objective.name, study.trials
    margin, measured = _unsteadiness(study, winner)
    gaps = (trials["value"] - winner.value).abs().drop(winner.trial)
    close = gaps[gaps <= margin].sort_values(kind="stable").index.tolist()
    if measured:
        said = f"Over its last epochs the winner's {name} moved by {margin:.2g} from one epoch to the next"
    else:
        said = f"It has too few epochs to tell how unsteady its {name} is; take 1 % of its value ({margin:.2g})"
    if not close:
        return f"{said}: no other trial comes as close to it as that."
    named = ", ".join(str(number) for number in close[:_MOST_NAMED])
    more = f" and {len(close) - _MOST_NAMED} more" if len(close) > _MOST_NAMED else ""
    which = f"trial {named} is" if len(close) == 1 else f"{len(close)} other trials ({named}{more}) are"
    return f"{said}: {which} within that of it, and cannot be told from it by one training each."


def _unsteadiness(study: StudyData, winner: Winner) -> tuple[float, bool]:
    """Mean change from epoch to epoch in the last third of the winner's training, and whether there was enough to tell."""
    epochs = study.epochs[study.epochs["trial"] == winner.trial].sort_values("epoch")
    values = epochs[metric_column(study.objective.name)]
    changes = values[np.isfinite(values)].diff().abs().dropna().to_numpy()
    last = changes[-(len(changes) // 3) :] if len(changes) >= 6 else []
    return (float(np.mean(last)), True) if len(last) else (abs(winner.value) / 100, False)
