"""Which parameters decide whether a trial is among the best: PED-ANOVA of Optuna, on data frames."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.importance import PedAnovaImportanceEvaluator

from tuner.distributions import Fixed, parse_space
from tuner.reporting.figures.style import Objective, is_in_force
from tuner.sampling import suggest

FEWEST_TRIALS = 20
_FEWEST_BEST, _BEST_SHARE = 5, 0.1  # "preferable to include at least 5 trials", says Optuna's documentation


@dataclass(frozen=True, slots=True)
class Importance:
    """What decides between the best trials and all.

    Attributes:
        shares: parameter -> its share, largest first; all add up to 1.
        num_trials: how many trials were compared.
        num_best: how many of them count as the best.
    """

    shares: pd.Series
    num_trials: int
    num_best: int


def parameter_importance(trials: pd.DataFrame, objective: Objective, space: Mapping[str, Any]) -> Importance | None:
    """How much the values of each parameter among the best trials differ from its values among all.

    Complete and stopped trials count: the method asks only who is among the best, so it does no harm that a stopped trial
    might have come further, and without those that were stopped the trials left would all be good ones. A trial that was
    stopped without a finite value is the worst. Failed and running trials and repeats do not count.

    Args:
        trials: as `StudyFrames.trials`.
        objective: the study's metric.
        space: as `StudyFrames.space`.
    Returns: None with less than 20 trials, or where no parameter had a choice.
    Source: Watanabe et al. 2023 (PED-ANOVA), arXiv:2304.10255; conditional parameters: arXiv:2601.20800, Algorithm 1.
    """
    counted = trials[trials["state"].isin(("complete", "pruned")) & (trials["attempts"] > 0)]
    if len(counted) < FEWEST_TRIALS:
        return None
    num_best = max(_FEWEST_BEST, math.ceil(_BEST_SHARE * len(counted)))
    evaluator = PedAnovaImportanceEvaluator(target_quantile=num_best / len(counted))
    with warnings.catch_warnings(action="ignore"):  # that a condition holds in one trial only
        found = pd.Series(evaluator.evaluate(_study(counted, objective, space)), dtype="float64")
    found = found.sort_values(ascending=False, kind="stable")
    total = found.sum()
    return Importance(found / total, len(counted), num_best) if total > 0 else None


def _study(trials: pd.DataFrame, objective: Objective, space: Mapping[str, Any]) -> optuna.Study:
    """The trials as a study of Optuna, in memory; lower is better."""
    searched = [p for p in parse_space(space["space"]) if not isinstance(p.distribution, Fixed)]
    columns = {p: list(trials[f"params_{p.name}"]) for p in searched if f"params_{p.name}" in trials}
    ranks = (objective.sign * trials["value"].where(np.isfinite(trials["value"]))).rank(na_option="bottom")
    study = optuna.create_study()
    for place, rank in enumerate(ranks):
        chosen = {p: values[place] for p, values in columns.items() if is_in_force(values[place])}
        fixed = optuna.trial.FixedTrial({parameter.name: value for parameter, value in chosen.items()})
        for parameter in chosen:
            suggest(fixed, parameter)
        study.add_trial(
            optuna.trial.create_trial(params=fixed.params, distributions=fixed.distributions, value=float(rank))
        )
    return study
