"""Samplers by name, and the one place where our distributions become Optuna's.

A sampler keeps nothing between calls: it is made anew for each trial from the database and a seed derived from the study's
seed and the trial's number, so a study that was interrupted goes on exactly as it would have.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from tuner.distributions import Categorical, Fixed, Number, Parameter

_SAMPLERS: Mapping[str, Callable[[int], BaseSampler]] = {
    "random": lambda seed: RandomSampler(seed=seed),
    "tpe": lambda seed: TPESampler(seed=seed),
}


def derive_seed(study_seed: int, purpose: str, number: int) -> int:
    """A 32-bit seed for one purpose of one trial."""
    digest = hashlib.sha256(f"{study_seed}:{purpose}:{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def make_sampler(name: str, study_seed: int, trial_number: int) -> BaseSampler:
    """The sampler that proposes this one trial."""
    return _SAMPLERS[name](derive_seed(study_seed, "sampler", trial_number))


def propose(study: optuna.Study, sampler: BaseSampler, parameters: Iterable[Parameter]) -> tuple[int, dict[str, Any]]:
    """Ask Optuna for a new trial.

    Returns: Optuna's trial id, and a value for each parameter in force, fixed ones included.
    """
    study.sampler = sampler
    trial = study.ask()
    chosen: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.applies(chosen):
            chosen[parameter.name] = _suggest(trial, parameter)
    return trial._trial_id, chosen


def _suggest(trial: optuna.Trial, parameter: Parameter) -> Any:
    name, distribution = parameter.name, parameter.distribution
    match distribution:
        case Fixed(value):
            return value
        case Categorical(choices):
            return trial.suggest_categorical(name, choices)
        case Number(integer=True):
            return trial.suggest_int(
                name,
                int(distribution.low),
                int(distribution.high),
                log=distribution.log,
                step=int(distribution.step or 1),
            )
        case Number():
            return trial.suggest_float(
                name, distribution.low, distribution.high, log=distribution.log, step=distribution.step
            )
