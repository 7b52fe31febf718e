"""One reading of a study: the data frames that all figures of a report are drawn from."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from storage.standing import Standing
from tuner.reporting.figures.spending import Spending, spending
from tuner.reporting.figures.style import Objective, is_in_force, parameter_columns
from tuner.reporting.frames import StudyFrames

_MOST_WITH_FLOW = 4


@dataclass(frozen=True, slots=True)
class StudyData:
    """A study at one moment. Frames are those of `StudyFrames`; `gradient_flow` is that of a few chosen trials.

    Every trial that a frame names has its row in `trials`, also when the study was running while it was read.
    """

    name: str
    space: Mapping[str, Any]
    standing: Standing
    trials: pd.DataFrame
    epochs: pd.DataFrame
    decisions: pd.DataFrame
    attempts: pd.DataFrame
    launches: pd.DataFrame
    gradient_flow: pd.DataFrame
    data_fingerprint: str | None = None

    @property
    def objective(self) -> Objective:
        """The metric by which the study searches."""
        return Objective(**self.space["metric"])

    @property
    def max_epochs(self) -> int:
        """Epochs of a trial that nobody stops."""
        return int(self.space["settings"]["epochs"])

    @property
    def read_at(self) -> pd.Timestamp:
        """When it was read, by the database's clock."""
        return pd.Timestamp(self.standing.read_at, unit="s", tz="UTC")

    @property
    def spending(self) -> Spending:
        """Hours by what became of them, and the hours that early stopping saved."""
        return spending(
            self.trials, self.attempts, self.launches, self.decisions, self.objective, self.max_epochs, self.read_at
        )


def read_study(frames: StudyFrames, with_flow: Collection[int] | None = None) -> StudyData:
    """Read all of a study.

    Args:
        frames: the study.
        with_flow: trials whose gradient flow is wanted; a few that tell most when None.
    Raises: StorageError: the study or its database is gone.
    """
    decisions, attempts, launches, epochs = frames.decisions, frames.attempts, frames.launches, frames.epochs
    trials, space = frames.trials, frames.space  # last: what the others name is in it
    objective = Objective(**space["metric"])
    chosen = telling_trials(trials, frames.trials_with_gradient_flow, objective) if with_flow is None else with_flow
    flow = frames.gradient_flow_of(chosen)
    return StudyData(
        frames.name,
        space,
        frames.standing,
        trials,
        epochs,
        decisions,
        attempts,
        launches,
        flow,
        frames.data_fingerprint,
    )


def telling_trials(trials: pd.DataFrame, among: Collection[int], objective: Objective) -> list[int]:
    """The trials whose gradient flow tells most, at most four: the best, one with the choice that cost most (say, without batch
    normalization; the middle one where there was nothing to choose), the worst by value, and the first that broke (failed, or
    stopped by figures that were not finite)."""
    known = trials[trials.index.isin(among)]
    ranked = known[np.isfinite(known["value"])].sort_values("value", ascending=objective.sign > 0, kind="stable")
    broken = known.index[(known["state"] == "failed") | ~np.isfinite(known["value"])]
    middle = ranked.index[len(ranked) // 2 : len(ranked) // 2 + 1]
    chosen = [*ranked.index[:1], *(_with_the_costliest_choice(ranked) or middle), *ranked.index[-1:], *broken[:1]]
    return list(dict.fromkeys(int(number) for number in chosen))[:_MOST_WITH_FLOW]


def _with_the_costliest_choice(ranked: pd.DataFrame) -> list[int]:
    """A trial with that choice of a categorical parameter whose best value is furthest from the best of all: of these the one
    trained longest, since its flow has most to tell."""
    choices = [
        of_choice
        for column in parameter_columns(ranked)
        if not pd.api.types.is_numeric_dtype(ranked[column])
        for _, of_choice in ranked[ranked[column].map(is_in_force)].groupby(ranked[column].map(str))
    ]
    costs = [abs(of_choice["value"].iloc[0] - ranked["value"].iloc[0]) for of_choice in choices]
    if not any(costs):
        return []
    return [int(choices[int(np.argmax(costs))]["epochs"].idxmax())]
