"""One plain line for each event of a running study."""

import math
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from storage.standing import error_line
from tuner.events import Assignment, AttemptEnd, Decider, Decision, EpochReport, Idle, Outcome
from tuner.reporting.status_lines import WHAT_ENDED
from tuner.reporting.summary import value_words
from tuner.search_space import Metric

_AFTER_AN_END = {
    Outcome.SUSPENDED: "it will be tried again",
    Outcome.FAILED: "the trial failed",
    Outcome.PRUNED: "such a configuration cannot be trained here",
    Outcome.REFUSED: "another attempt has the trial",
}


class ProgressLines:
    """A study that says what happens.

    Args:
        study: who decides.
        metric: the figure to show.
        settings: what all trials share; only what differs from it is shown of a configuration.
        say: takes a line.
        best: value and trial number of the best epoch before this launch, if any.
    """

    def __init__(
        self,
        study: Decider,
        metric: Metric,
        settings: Mapping[str, Any],
        say: Callable[[str], None],
        best: tuple[float, int] | None = None,
    ) -> None:
        self._study = study
        self._metric = metric
        self._settings = settings
        self._say = say
        self._best = best

    def next_trial(self) -> Assignment | Idle:
        """Says which configuration begins."""
        assignment = self._study.next_trial()
        if isinstance(assignment, Assignment):
            again = f" (attempt {assignment.attempt})" if assignment.attempt > 1 else ""
            self._say(
                f"trial {assignment.trial:3d} begins{again}: {words_of(assignment.configuration, self._settings)}"
            )
        return assignment

    def on_epoch(self, assignment: Assignment, report: EpochReport) -> Decision:
        """Says the epoch's value, the best so far, and why a trial ends."""
        decision = self._study.on_epoch(assignment, report)
        for note in report.notes:
            self._say(f"trial {assignment.trial:3d}: {note}")
        value = report.metrics.get(self._metric.name, math.nan)
        if decision.outcome is not Outcome.REFUSED:
            self._note(value, assignment.trial)
        best = f"best {self._best[0]:.4f} (trial {self._best[1]})" if self._best else "no best yet"
        line = f"trial {assignment.trial:3d} epoch {report.epoch:3d}/{assignment.epochs}  {self._metric.name} {value:.4f}  {best}"
        self._say(f"{line}  {decision.outcome.value}: {decision.reason}" if decision.stops else line)
        return decision

    def on_end(self, assignment: Assignment, end: AttemptEnd, traceback: str, output: str = "") -> Outcome:
        """Says what broke."""
        outcome = self._study.on_end(assignment, end, traceback, output)
        last_line = textwrap.shorten(error_line(traceback), 120, placeholder=" …")
        self._say(f"trial {assignment.trial:3d} {WHAT_ENDED[end.value]}; {_AFTER_AN_END[outcome]}: {last_line}")
        return outcome

    def _note(self, value: float, trial: int) -> None:
        sign = 1 if self._metric.goal == "maximize" else -1
        if math.isfinite(value) and (self._best is None or sign * value > sign * self._best[0]):
            self._best = (value, trial)


def words_of(configuration: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """The searched values of a configuration in one line."""
    searched = {name: value for name, value in configuration.items() if name not in settings}
    return ", ".join(f"{name} {value_words(value)}" for name, value in searched.items()) or "all values fixed"
