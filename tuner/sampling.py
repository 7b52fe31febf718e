"""Samplers by name, and the one place where our distributions become Optuna's.

A sampler keeps nothing between calls: it is made anew for each trial from the database and a seed derived from the study's
seed and the trial's number, so a study that was interrupted goes on exactly as it would have. What each of them makes of
trials that were stopped early is told in docs/samplers.md.
"""

import hashlib
import importlib.util
import json
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import optuna
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, QMCSampler, RandomSampler, TPESampler

from tuner.distributions import Categorical, Fixed, Number, Parameter
from tuner.errors import InputError, SettingError
from tuner.grid import grid_points
from tuner.import_path import import_object, look_in_working_folder
from tuner.search_space import SAMPLERS, SearchSpace
from tuner.yaml_source import locate

warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)  # told in docs/samplers.md, once


@dataclass(frozen=True, slots=True)
class Proposal:
    """Optuna's id of a new trial, and a value for each parameter in force, fixed ones included."""

    trial_id: int
    chosen: Mapping[str, Any]


def _make_qmc(study_seed: int, trial_seed: int) -> BaseSampler:
    """One sequence for the whole study, so it keeps the study's seed; only what falls outside of it is drawn by trial."""
    return QMCSampler(
        scramble=True,
        seed=study_seed,
        independent_sampler=RandomSampler(seed=trial_seed),
        warn_independent_sampling=False,
    )


_SAMPLERS: Mapping[str, Callable[[int, int], BaseSampler]] = {
    "tpe": lambda study_seed, trial_seed: TPESampler(seed=trial_seed),
    "random": lambda study_seed, trial_seed: RandomSampler(seed=trial_seed),
    "cmaes": lambda study_seed, trial_seed: CmaEsSampler(
        seed=trial_seed, independent_sampler=RandomSampler(seed=trial_seed), warn_independent_sampling=False
    ),
    "gp": lambda study_seed, trial_seed: GPSampler(
        seed=trial_seed, independent_sampler=RandomSampler(seed=trial_seed), warn_independent_sampling=False
    ),
    "qmc": _make_qmc,
}
assert set(SAMPLERS) == {*_SAMPLERS, "grid"}, "every name that a search space may write"


def derive_seed(study_seed: int, purpose: str, number: int) -> int:
    """A 32-bit seed for one purpose of one trial."""
    digest = hashlib.sha256(f"{study_seed}:{purpose}:{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def configuration_hash(chosen: Mapping[str, Any]) -> str:
    """Equal for equal values of the parameters in force, whatever the order of their names. Floats are equal when their first
    twelve digits are: Optuna and we reach a step of a range by different roundings."""
    canonical = {name: float(f"{value:.12g}") if isinstance(value, float) else value for name, value in chosen.items()}
    return hashlib.sha256(json.dumps(canonical, sort_keys=True).encode()).hexdigest()


def check_sampler(space: SearchSpace) -> None:
    """Refuse a sampler that could not propose a single trial.

    Raises: InputError: no such class, a package that is missing, or a space that has no grid.
    """
    Proposer(space)
    if space.sampler.name not in SAMPLERS:
        try:
            sampler = make_sampler(space.sampler.name, 0, 0)
        except SettingError as error:
            raise locate(space.source, error, ("sampler",)) from error
        except InputError as error:
            raise space.source.error(["sampler", "name"], str(error).removeprefix("sampler: ")) from error
        if not isinstance(sampler, BaseSampler):
            raise space.source.error(
                ["sampler", "name"],
                f"{space.sampler.name!r} makes a {type(sampler).__name__}, not an optuna.samplers.BaseSampler",
            )


def make_sampler(name: str, study_seed: int, number: int) -> BaseSampler:
    """The sampler that proposes this one trial; one's own is made with `seed=…`.

    Raises: InputError: no such class, or it cannot be made so.
    """
    trial_seed = derive_seed(study_seed, "sampler", number)
    if name in _SAMPLERS:
        return _SAMPLERS[name](study_seed, trial_seed)
    look_in_working_folder()
    make = import_object("sampler", name, SAMPLERS)
    try:
        sampler: BaseSampler = make(seed=trial_seed)
    except Exception as error:
        raise SettingError("name", f"{name}(seed=…) raised {type(error).__name__}: {error}") from error
    return sampler


class Proposer:
    """Proposes the trials of one study; holds the search space and what follows from it, nothing of the trials.

    Raises: InputError: the space has no grid, or the package cmaes is missing.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._is_grid = space.sampler.name == "grid"
        self._points: list[dict[str, Any]] | None = None
        try:
            self._points = grid_points(space.parameters, space.sampler.seed)
        except SettingError as error:  # no end of configurations, or too many to count
            if self._is_grid:
                raise locate(space.source, error, ("space",)) from error
        if space.sampler.name == "cmaes" and importlib.util.find_spec("cmaes") is None:
            raise space.source.error(["sampler", "name"], "'cmaes' needs a package of that name: pip install cmaes")

    def propose(self, study: optuna.Study, number: int, begun: int, given: Mapping[str, Any] | None) -> Proposal:
        """Ask Optuna for a new trial.

        Args:
            study: holds all earlier trials.
            number: the number that the trial will have.
            begun: how many trials the study has begun so far: the first ones are those of `enqueue`.
            given: the configuration to try after those; None where the sampler chooses.
        """
        space = self._space
        if begun < len(space.enqueue):
            given = space.enqueue[begun]
        name = "random" if self._is_grid else space.sampler.name  # for what a part of a configuration leaves open
        return propose(study, make_sampler(name, space.sampler.seed, number), space.parameters, given)

    def needs_untried(self, begun: int, repeated: int) -> bool:
        """Whether the next configuration is to be one that nobody has tried: on a grid each is; elsewhere where it is known
        that nothing is left, or where the sampler has just proposed what has been tried.

        Args:
            begun: how many trials the study has begun so far.
            repeated: how many proposals in a row have come up before.
        """
        if begun < len(self._space.enqueue) or self._points is None:
            return False
        reuses = self._space.repeats == "reuse"
        return self._is_grid or repeated > 0 or (reuses and begun >= len(self._points))

    def untried(self, tried: Collection[str]) -> Mapping[str, Any] | None:
        """The next configuration, in an order made by the sampler's seed, that is not among the hashes `tried`; None when
        there is none."""
        return next((point for hashed, point in self._hashed_points if hashed not in tried), None)

    @cached_property
    def _hashed_points(self) -> list[tuple[str, dict[str, Any]]]:
        return [(configuration_hash(point), point) for point in self._points or ()]


def propose(
    study: optuna.Study, sampler: BaseSampler, parameters: Sequence[Parameter], given: Mapping[str, Any] | None = None
) -> Proposal:
    """Ask Optuna for a new trial, with the values of some parameters given."""
    study.sampler = sampler
    searched = {p.name for p in parameters if not isinstance(p.distribution, Fixed)}
    if given and searched & set(given):
        study.enqueue_trial({name: value for name, value in given.items() if name in searched})
    trial = study.ask()
    chosen: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.applies(chosen):
            chosen[parameter.name] = suggest(trial, parameter)
    return Proposal(trial._trial_id, chosen)


def suggest(trial: optuna.trial.BaseTrial, parameter: Parameter) -> Any:
    """The value of a parameter in an Optuna trial: a new one, or the given one of a `FixedTrial`."""
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
