"""A trial that has been trained again beside its record: the same to the last digit, or what differs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from storage.recorded_trial import Figures
from storage.standing import error_line


@dataclass(frozen=True, slots=True)
class Record:
    """What must come out again: the figures, and what ended the trial where that was an exception of its training."""

    figures: Figures
    ending: str | None

    @property
    def last(self) -> int:
        """The newest recorded epoch, 0 when there is none."""
        return max(self.figures, default=0)


@dataclass(frozen=True, slots=True)
class Again:
    """What came out: the figures, the epoch that was begun last, and the traceback of what ended it, or a reason in words."""

    figures: Figures
    epoch: int
    traceback: str = ""

    @property
    def ending(self) -> str | None:
        """The line that names the exception; None when there was none."""
        return error_line(self.traceback) if self.traceback else None


@dataclass(frozen=True, slots=True)
class Difference:
    """A recorded figure that has come out otherwise; `now` is None when it has not come at all."""

    epoch: int
    name: str
    then: float
    now: float | None

    @property
    def words(self) -> str:
        """The figure with both values, to the last digit."""
        return f"{self.name} was {self.then!r}, is {'not given' if self.now is None else repr(self.now)}"

    @property
    def size(self) -> str:
        """How large it is, in words."""
        if math.isfinite(self.share):
            return f"by {self.share:.2g} of its value"
        return f"from {self.then:.4g} to {'none' if self.now is None else format(self.now, '.4g')}"

    @property
    def share(self) -> float:
        """How large it is beside the larger value; infinite where one of them is not finite or not there."""
        if self.now is None or not (math.isfinite(self.then) and math.isfinite(self.now)):
            return math.inf
        return abs(self.then - self.now) / max(abs(self.then), abs(self.now))


def differing(then: Figures, now: Figures) -> list[Difference]:
    """Every figure of `then` that `now` has not to the last digit, by epoch and in the order of their names there.

    NaN equals NaN, and 0.0 equals -0.0, which SQLite does not tell apart.
    """
    found = []
    for epoch, figures in sorted(then.items()):
        for name, value in figures.items():
            again = now.get(epoch, {}).get(name)
            if again != value and not (again is not None and math.isnan(again) and math.isnan(value)):
                found.append(Difference(epoch, name, value, again))
    return found


def verdict(record: Record, again: Again) -> tuple[bool, str]:
    """Whether all is the same, and in words what is, or what is not."""
    early = again.ending is not None and again.epoch <= record.last
    then = {epoch: figures for epoch, figures in record.figures.items() if not early or epoch < again.epoch}
    differences = differing(then, again.figures)
    num_figures = sum(map(len, then.values()))
    all_of_them = f"all {counted(num_figures, 'figure')} of {counted(len(then), 'epoch')}"
    problems = [_difference_words(differences, num_figures)] if differences else []
    if again.ending != record.ending:
        problems.append(_other_ending(record, again))
        problems += [f"{all_of_them} before it are the same"] if then and not differences else []
    if problems:
        return False, "; ".join(problems)
    if again.ending is None:
        return True, f"{all_of_them}, to the last digit"
    before = f"; {all_of_them} before it, to the last digit" if then else ""
    return True, f"{again.ending}, {_when(again.epoch)} again{before}"


def counted(number: float, what: str) -> str:
    """A number of things."""
    return f"{number:g} {what}{'' if number == 1 else 's'}"


def _difference_words(differences: Sequence[Difference], num_figures: int) -> str:
    first, largest = differences[0], max(differences, key=lambda d: d.share)
    many = "figures differ, the largest" if len(differences) > 1 else "figures differs,"
    return (
        f"first at epoch {first.epoch}: {first.words}; {len(differences)} of {num_figures} {many} {largest.size} "
        f"({largest.name} at epoch {largest.epoch})"
    )


def _other_ending(record: Record, again: Again) -> str:
    if again.ending is None:
        return f"{record.ending} did not come again {_when(again.epoch)}"
    then = "which did not end it then" if record.ending is None else f"then with {record.ending}"
    return f"{_when(again.epoch)} it ended with {again.ending}, {then}"


def _when(epoch: int) -> str:
    return f"in epoch {epoch}" if epoch else "before its first epoch"
