"""Asynchronous successive halving (ASHA), the stopping variant, as pure decisions.

At each rung a trial's value is compared with those that earlier trials had there; about one in `reduction_factor` goes on.
Source: Li et al. 2020, arXiv:1810.05934, Algorithm 2; cut-off and brackets as in Ray Tune's AsyncHyperBandScheduler, so
that the two decide alike. Inside this module lower values are better.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from tuner.errors import SettingError
from tuner.yaml_source import locate

if TYPE_CHECKING:
    from tuner.search_space import SearchSpace


@dataclass(frozen=True, slots=True)
class Verdict:
    """Go on or stop, why, and what was compared. `cutoff` is None where nobody came before."""

    stop: bool
    reason: str
    cutoff: float | None = None


class EarlyStoppingRule(Protocol):
    """When trials are compared, and what follows."""

    name: str

    def bracket(self, rng: np.random.Generator) -> int:
        """The ladder of rungs that a new trial climbs."""
        ...

    def rungs(self, bracket: int) -> tuple[int, ...]:
        """Epochs at which trials of a bracket are compared, ascending; all below the last epoch."""
        ...

    def decide(self, value: float, earlier: Sequence[float]) -> Verdict:
        """What becomes of a trial with this value at a rung where earlier trials had those; lower is better."""
        ...


def rung_levels(min_epochs: int, max_epochs: int, eta: int = 3) -> tuple[int, ...]:
    """Epochs at which a trial is compared with its peers.

    Args:
        min_epochs: first rung, in epochs, >= 1.
        max_epochs: largest fidelity a trial may reach, in epochs.
        eta: reduction factor, >= 2; about one trial in eta goes on.
    Returns: levels in epochs, strictly increasing, shape (n_rungs,), n_rungs >= 1.
    Raises: SettingError: the range is empty, or eta cannot reduce.
    Source: Li et al. 2020 (ASHA), arXiv:1810.05934, Algorithm 2.
    """
    if not 1 <= min_epochs <= max_epochs:
        raise SettingError(
            "min_epochs",
            f"{min_epochs} is not within the {max_epochs} epochs of a trial; write 1 to {max_epochs}, or auto",
        )
    if eta < 2:
        raise SettingError("reduction_factor", f"{eta} keeps every trial; use 2 or more (3 is usual)")
    levels = [min_epochs]  # multiplied, not int(log(...)): log(243)/log(3) is 4.999... and would lose a rung
    while levels[-1] * eta <= max_epochs:
        levels.append(levels[-1] * eta)
    return tuple(levels)


class Asha:
    """ASHA with one or more brackets; bracket s has its first rung at min_epochs * reduction_factor**s."""

    name = "asha"

    def __init__(self, min_epochs: int, max_epochs: int, reduction_factor: int = 3, brackets: int = 1) -> None:
        levels = rung_levels(min_epochs, max_epochs, reduction_factor)
        if not 1 <= brackets <= len(levels):
            raise SettingError(
                "brackets", f"{brackets} is not allowed; there are {len(levels)} rungs, so use 1 to {len(levels)}"
            )
        self._ladders = tuple(levels[s:] for s in range(brackets))
        self._max_epochs = max_epochs
        self._reduction_factor = reduction_factor

    def bracket(self, rng: np.random.Generator) -> int:
        """Drawn with Ray's weights: exp(number of rungs), so that longer ladders are climbed more often."""
        sizes = np.array([len(ladder) for ladder in self._ladders])
        weights = np.exp(sizes - sizes.max())
        return int(rng.choice(len(sizes), p=weights / weights.sum()))

    def rungs(self, bracket: int) -> tuple[int, ...]:
        """Nobody is stopped at the last epoch: there is nothing left to save."""
        return tuple(level for level in self._ladders[bracket] if level < self._max_epochs)

    def decide(self, value: float, earlier: Sequence[float]) -> Verdict:
        """Stop where the value is worse than the best 1/reduction_factor of the earlier ones."""
        if math.isnan(value):
            return Verdict(True, "its value is not a number, which is worse than any")
        numbers = [v for v in earlier if not math.isnan(v)]
        if not numbers:
            return Verdict(False, "the first to reach this rung")
        # in Ray's form (negated, upper percentile): rounding at ties must fall on the same side
        # (between infinities nothing can be interpolated: then the neighbour below is taken)
        method: Literal["linear", "lower"] = "linear" if all(map(math.isfinite, numbers)) else "lower"
        cutoff = -float(np.percentile([-v for v in numbers], (1 - 1 / self._reduction_factor) * 100, method=method))
        share = f"the best 1/{self._reduction_factor} of the {len(numbers)} earlier there"
        if value > cutoff:
            return Verdict(True, f"not among {share}", cutoff)
        return Verdict(False, f"among {share}", cutoff)


class NoEarlyStopping:
    """Every trial runs to its last epoch."""

    name = "none"

    def bracket(self, rng: np.random.Generator) -> int:
        """There is only one."""
        return 0

    def rungs(self, bracket: int) -> tuple[int, ...]:
        """None."""
        return ()

    def decide(self, value: float, earlier: Sequence[float]) -> Verdict:
        """Go on, always."""
        return Verdict(False, "trials are not compared")


def make_rule(
    name: str, min_epochs: int | str, reduction_factor: int, brackets: int, max_epochs: int
) -> EarlyStoppingRule:
    """The rule of this name. `min_epochs="auto"` is a tenth of the epochs, at least 1.

    Raises: SettingError: numbers that make no ladder.
    """
    if name == "none":
        return NoEarlyStopping()
    first = max(1, max_epochs // 10) if min_epochs == "auto" else int(min_epochs)
    return Asha(first, max_epochs, reduction_factor, brackets)


def rule_of(space: "SearchSpace") -> EarlyStoppingRule:
    """The early-stopping rule that a search space asks for.

    Raises: InputError: its numbers make no ladder of rungs; file, line and key.
    """
    stopping = space.early_stopping
    try:
        return make_rule(stopping.name, stopping.min_epochs, stopping.reduction_factor, stopping.brackets, space.epochs)
    except SettingError as error:
        raise locate(space.source, error, ("early_stopping",)) from error
