"""Which parameters decide whether a trial is among the best: PED-ANOVA of Optuna, on data frames."""

import contextlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray
from optuna.importance import PedAnovaImportanceEvaluator

from tuner.distributions import Fixed, parse_space
from tuner.reporting.figures.style import Objective, is_in_force
from tuner.sampling import suggest

FEWEST_TRIALS = 20
_NUM_SHUFFLES = 19  # the largest of so many and a true one are in any order alike: 1 in 20
_BEST_SHARE, _LARGEST_SHARE, _ENOUGH_BEST = 0.1, 1 / 3, 20  # of five of 48 trials chance told as much as any parameter


@dataclass(frozen=True, slots=True)
class Importance:
    """What decides between the best trials and all.

    Attributes:
        shares: parameter -> its share, largest first; all add up to 1.
        chance: parameter -> the largest share that came out when the values were dealt out to the trials at random; a share
            above it comes about by chance in one of 20 studies.
        num_trials: how many trials were compared.
        num_best: how many of them count as the best.
    """

    shares: pd.Series
    chance: pd.Series
    num_trials: int
    num_best: int


def parameter_importance(trials: pd.DataFrame, objective: Objective, space: Mapping[str, Any]) -> Importance | None:
    """How much the values of each parameter among the best trials differ from its values among all.

    Complete and stopped trials count: the method asks only who is among the best, so it does no harm that a stopped trial
    might have come further, and without those that were stopped the trials left would all be good ones. A trial that was
    stopped without a finite value is the worst. Failed and running trials and repeats do not count. The best are a tenth of
    the trials, in small studies 20 or a third, whichever is less.

    Args:
        trials: as `StudyFrames.trials`.
        objective: the study's metric.
        space: as `StudyFrames.space`.
    Returns: None with less than 20 trials, or where no parameter had a choice.
    Source: Watanabe et al. 2023 (PED-ANOVA), arXiv:2304.10255; conditional parameters: arXiv:2601.20800, Algorithm 1.
    """
    trained = trials[trials["state"].isin(("complete", "pruned")) & (trials["attempts"] > 0)]
    configurations = _as_optunas(trained, space)
    counted = trained.loc[list(configurations)]
    if len(counted) < FEWEST_TRIALS:
        return None
    num_best = max(round(_BEST_SHARE * len(counted)), min(_ENOUGH_BEST, round(_LARGEST_SHARE * len(counted))))
    evaluator = PedAnovaImportanceEvaluator(target_quantile=num_best / len(counted))
    ranks = (objective.sign * counted["value"].where(np.isfinite(counted["value"]))).rank(na_option="bottom").to_numpy()
    study = optuna.create_study()
    study.add_trials(configurations.values())

    def evaluate(values: NDArray[np.float64]) -> pd.Series:
        with warnings.catch_warnings(action="ignore"):  # that a condition holds in one trial only; that lower is better
            return pd.Series(
                evaluator.evaluate(study, target=lambda trial: float(values[trial.number])), dtype="float64"
            )

    names = [name for name in space["space"] if f"params_{name}" in counted]  # equal shares in the order of the space
    found = evaluate(ranks).reindex(names).dropna().sort_values(ascending=False, kind="stable")
    total = found.sum()
    if not total > 0:
        return None
    rng = np.random.default_rng(0)  # the same study, the same figure
    chance = pd.concat([evaluate(rng.permutation(ranks)) for _ in range(_NUM_SHUFFLES)], axis=1).max(axis=1)
    return Importance(found / total, chance[found.index] / total, len(counted), num_best)


def _as_optunas(trials: pd.DataFrame, space: Mapping[str, Any]) -> dict[int, optuna.trial.FrozenTrial]:
    """Number -> configuration, as Optuna has it, in the order of the frame. Without those that another program queued with
    values that the space does not have: Optuna compares nothing with them."""
    searched = [p for p in parse_space(space["space"]) if not isinstance(p.distribution, Fixed)]
    columns = {p: list(trials[f"params_{p.name}"]) for p in searched if f"params_{p.name}" in trials}
    found = {}
    for place, number in enumerate(trials.index):
        chosen = {p: values[place] for p, values in columns.items() if is_in_force(values[place])}
        fixed = optuna.trial.FixedTrial({parameter.name: value for parameter, value in chosen.items()})
        with contextlib.suppress(ValueError), warnings.catch_warnings(action="ignore"):
            for parameter in chosen:
                suggest(fixed, parameter)
            found[int(number)] = optuna.trial.create_trial(
                params=fixed.params, distributions=fixed.distributions, value=0.0
            )
    return found
