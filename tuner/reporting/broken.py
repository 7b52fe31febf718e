"""Trials that broke, told once for each reason: what failed, what was stopped by figures that were no numbers, and attempts
that broke and were tried again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from storage.standing import error_line
from tuner.reporting.headline import configuration_of
from tuner.reporting.status_lines import WHAT_ENDED
from tuner.reporting.study_data import StudyData

NOT_FINITE = "not_finite"  # the rule that stops a trial whose figures are no numbers


@dataclass(frozen=True, slots=True)
class BrokenTrial:
    """A trial that broke, and how far it came."""

    trial: int
    state: str
    epochs: int
    configuration: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Breakage:
    """Trials that broke for the same reason. `traceback`: that of the first one; empty where there was none."""

    reason: str
    trials: tuple[BrokenTrial, ...]
    traceback: str


def breakages(study: StudyData) -> list[Breakage]:
    """Why trials broke, what most of them broke with first."""
    found = _ends(study)
    grouped = found.groupby("reason", sort=False) if len(found) else []
    told = [
        Breakage(str(reason), tuple(_broken(study.trials, n) for n in dict.fromkeys(rows["trial"])), rows["traceback"].iloc[0])
        for reason, rows in grouped
    ]  # fmt: skip
    return sorted(told, key=lambda breakage: -len(breakage.trials))


def _ends(study: StudyData) -> pd.DataFrame:
    """One row a breakage: trial, reason, traceback."""
    attempts, decisions = study.attempts, study.decisions
    rows = []
    for attempt in attempts[attempts["outcome"].isin(WHAT_ENDED)].itertuples():
        traceback = attempt.traceback if isinstance(attempt.traceback, str) else ""
        last = error_line(traceback) if traceback else ""
        rows.append((attempt.trial, last or f"the attempt {WHAT_ENDED[attempt.outcome]}", traceback))
    for decision in decisions[decisions["rule"] == NOT_FINITE].itertuples():
        rows.append((decision.trial, str(decision.reason).partition(" after epoch ")[0], ""))
    told = pd.DataFrame(rows, columns=["trial", "reason", "traceback"])
    trials = study.trials
    silent = trials[(trials["state"] == "failed") & ~trials.index.isin(told["trial"])]
    more = pd.DataFrame({"trial": silent.index, "reason": silent["reason"].replace("", "no word"), "traceback": ""})
    told = pd.concat([told, more], ignore_index=True)
    return told[told["trial"].isin(trials.index)].sort_values("trial", kind="stable")


def _broken(trials: pd.DataFrame, number: int) -> BrokenTrial:
    row = trials.loc[number]
    return BrokenTrial(int(number), str(row["state"]), int(row["epochs"]), configuration_of(trials, number))
