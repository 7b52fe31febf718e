"""Rules that stop trials early, as pure decisions: ASHA (asynchronous successive halving, the stopping variant) and median.

At each rung a trial's value is compared with those that earlier trials had there. Inside this module lower values are
better; nobody is stopped at the last epoch, since there is nothing left to save.
Sources: ASHA: Li et al. 2020, arXiv:1810.05934, Algorithm 2; cut-off and brackets as in Ray Tune's AsyncHyperBandScheduler, so
that the two decide alike. Median: Golovin et al. 2017 (Google Vizier), section 3.2.2.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tuner.errors import SettingError


@dataclass(frozen=True, slots=True)
class Verdict:
    """Go on or stop, why, and what was compared. `cutoff` is None where nobody came before."""

    stop: bool
    reason: str
    cutoff: float | None = None


class Ranked(Protocol):
    """Values that earlier trials had at a rung, best (lowest) first, NaN left out: a sorted list, or what answers as one.

    There may be very many, and each look may cost: rules take few.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, place: int, /) -> float: ...


class EarlyStoppingRule(Protocol):
    """When trials are compared, and what follows.

    `compares_best`: a trial is compared by the best of its epochs so far, not by the rung's own.
    """

    name: str
    compares_best: bool

    def bracket(self, rng: np.random.Generator) -> int:
        """The ladder of rungs that a new trial climbs."""
        ...

    def rungs(self, bracket: int) -> tuple[int, ...]:
        """Epochs at which trials of a bracket are compared, ascending; all below the last epoch."""
        ...

    def decide(self, value: float, earlier: Ranked) -> Verdict:
        """What becomes of a trial with this value at a rung where earlier trials had those; lower is better."""
        ...

    def words(self) -> str:
        """What it does, for people."""
        ...

    def survivors(self, trials: float) -> float:
        """About how many of the trials that are compared at a rung go on."""
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
    compares_best = False

    def __init__(self, min_epochs: int, max_epochs: int, reduction_factor: int = 3, brackets: int = 1) -> None:
        levels = rung_levels(min_epochs, max_epochs, reduction_factor)
        if not 1 <= brackets <= len(levels):
            raise SettingError(
                "brackets", f"{brackets} is not allowed; there are {len(levels)} rungs, so use 1 to {len(levels)}"
            )
        self._ladders = tuple(levels[s:] for s in range(brackets))
        self._max_epochs = max_epochs
        self._reduction_factor = reduction_factor

    def words(self) -> str:
        """The share that goes on."""
        ladders = "" if len(self._ladders) == 1 else f"; {len(self._ladders)} brackets, the first shown"
        return f"about one in {self._reduction_factor} goes on at each rung{ladders}"

    def survivors(self, trials: float) -> float:
        """Of that many compared at a rung, how many go on, about."""
        return trials / self._reduction_factor

    def bracket(self, rng: np.random.Generator) -> int:
        """Drawn with Ray's weights: exp(number of rungs), so that longer ladders are climbed more often."""
        sizes = np.array([len(ladder) for ladder in self._ladders])
        weights = np.exp(sizes - sizes.max())
        return int(rng.choice(len(sizes), p=weights / weights.sum()))

    def rungs(self, bracket: int) -> tuple[int, ...]:
        """The levels of the bracket's ladder below the last epoch."""
        return tuple(level for level in self._ladders[bracket] if level < self._max_epochs)

    def decide(self, value: float, earlier: Ranked) -> Verdict:
        """Stop where the value is worse than the best 1/reduction_factor of the earlier ones."""
        if math.isnan(value):
            return Verdict(True, "its value is not a number, which is worse than any")
        count = len(earlier)
        if count == 0:
            return Verdict(False, "the first to reach this rung")
        cutoff = _upper_percentile(earlier, count, (1 - 1 / self._reduction_factor) * 100)
        share = f"the best 1/{self._reduction_factor} of the {count} earlier there"
        if value > cutoff:
            return Verdict(True, f"not among {share}", cutoff)
        return Verdict(False, f"among {share}", cutoff)


def _upper_percentile(ranked: Ranked, count: int, percent: float) -> float:
    """numpy.percentile of the negated values, negated: Ray's form, so that rounding at ties falls on the same side. Of all
    values only its neighbours are looked at, and the two ends: between infinities nothing can be interpolated."""
    last = count - 1
    place = last * (percent / 100)
    below = math.floor(place)
    low, high = -ranked[last - below], -ranked[max(last - below - 1, 0)]
    if math.isinf(ranked[0]) or math.isinf(ranked[last]):
        return -low
    weight = place - below  # numpy measures from the nearer neighbour
    return -(low + (high - low) * weight if weight < 0.5 else high - (high - low) * (1 - weight))


class Median:
    """After every epoch from `min_epochs` on: stop where a trial's best is worse than the median of earlier trials' bests."""

    name = "median"
    compares_best = True

    def __init__(self, min_epochs: int, max_epochs: int, min_trials: int = 5) -> None:
        self._rungs = tuple(range(min_epochs, max_epochs))
        self._min_trials = min_trials

    def words(self) -> str:
        """The comparison."""
        return f"stops a trial whose best so far is worse than the median of at least {self._min_trials} earlier ones'"

    def survivors(self, trials: float) -> float:
        """About half of those compared go on, once enough have been."""
        return max(trials / 2, min(trials, self._min_trials))

    def bracket(self, rng: np.random.Generator) -> int:
        """There is only one."""
        return 0

    def rungs(self, bracket: int) -> tuple[int, ...]:
        """Every epoch from `min_epochs` on, but the last."""
        return self._rungs

    def decide(self, value: float, earlier: Ranked) -> Verdict:
        """Stop where the value is strictly worse than the median of at least `min_trials` earlier ones."""
        if math.isnan(value):
            return Verdict(True, "its value is not a number, which is worse than any")
        count = len(earlier)
        if count < self._min_trials:
            return Verdict(False, f"one of the first {self._min_trials} to come this far")
        below, above = earlier[(count - 1) // 2], earlier[count // 2]
        cutoff = below if below == above else (below + above) / 2  # between equal infinities a mean is not a number
        if math.isnan(cutoff):
            cutoff = above
        share = f"than the median of the {count} earlier there"
        if value > cutoff:
            return Verdict(True, f"worse {share}", cutoff)
        return Verdict(False, f"not worse {share}", cutoff)


class NoEarlyStopping:
    """Every trial runs to its last epoch."""

    name = "none"
    compares_best = False

    def words(self) -> str:
        """Nothing."""
        return "every trial runs to its last epoch"

    def survivors(self, trials: float) -> float:
        """All."""
        return trials

    def bracket(self, rng: np.random.Generator) -> int:
        """There is only one."""
        return 0

    def rungs(self, bracket: int) -> tuple[int, ...]:
        """None."""
        return ()

    def decide(self, value: float, earlier: Ranked) -> Verdict:
        """Go on, always."""
        return Verdict(False, "trials are not compared")


def make_rule(
    name: str,
    min_epochs: int | str,
    max_epochs: int,
    *,
    reduction_factor: int = 3,
    brackets: int = 1,
    min_trials: int = 5,
) -> EarlyStoppingRule:
    """The rule of this name. `min_epochs="auto"` is a tenth of the epochs, at least 1.

    Raises: SettingError: numbers that make no ladder.
    """
    first = max(1, max_epochs // 10) if min_epochs == "auto" else int(min_epochs)
    match name:
        case "none":
            return NoEarlyStopping()
        case "median":
            return Median(first, max_epochs, min_trials)
        case _:
            return Asha(first, max_epochs, reduction_factor, brackets)


@dataclass(frozen=True, slots=True)
class ExpectedRung:
    """How many trials will be compared at a rung, about, and how many go on."""

    epoch: int
    compared: float
    go_on: float


def expected_rungs(rule: EarlyStoppingRule, num_trials: int) -> list[ExpectedRung]:
    """What a rule will do with so many trials of its first bracket if none breaks: before the first is run, a rough guess."""
    expected, arriving = [], float(num_trials)
    for epoch in rule.rungs(0):
        expected.append(ExpectedRung(epoch, arriving, rule.survivors(arriving)))
        arriving = expected[-1].go_on
    return expected
