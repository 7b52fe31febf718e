"""The study on given curves and a virtual clock: hours of training in seconds, the same every time.

Used by tests and benchmarks; the study cannot tell it from the real thing.
"""

import heapq
from collections.abc import Callable, Mapping
from typing import Any

from storage.transaction import Place
from tuner.events import Assignment, Decider, EpochReport, Idle

Curve = Callable[[Mapping[str, Any], int], Mapping[str, float]]


class SimulatedExecutor:
    """Runs trials on `workers` virtual workers.

    Args:
        curve: (configuration, epoch) -> metrics of that epoch.
        workers: trials at once.
        seconds_per_epoch: (configuration) -> virtual seconds that each of its epochs takes.
        start: virtual unix time at which the run begins.
        gradient_flow: (configuration, epoch) -> layer -> mean |dL/dW|.
    """

    def __init__(
        self,
        curve: Curve,
        workers: int = 1,
        seconds_per_epoch: Callable[[Mapping[str, Any]], float] = lambda _: 60.0,
        start: float = 0.0,
        gradient_flow: Curve = lambda configuration, epoch: {},
    ) -> None:
        self._curve = curve
        self.concurrency = workers
        self.cpus, self.gpus = 1.0, 0.0
        self._seconds_per_epoch = seconds_per_epoch
        self._now = start
        self._gradient_flow = gradient_flow

    def clock(self) -> float:
        """Virtual unix time in seconds: the study's clock."""
        return self._now

    def start(self) -> None:
        """Nothing to take hold of."""

    def stop(self) -> None:
        """Nothing to let go of."""

    def run(self, study: Decider) -> None:
        """Run until the study says finished. Events happen in the order of their virtual times, ties by trial number."""
        events: list[tuple[float, int, int, Assignment]] = []
        while True:
            while len(events) < self.concurrency:
                assignment = study.next_trial()
                if assignment is Idle.SPENT:
                    return
                if isinstance(assignment, Idle):
                    break
                self._schedule(events, assignment, epoch=1)
            if not events:
                if assignment is Idle.FINISHED:
                    return
                raise RuntimeError("the study waits for trials that nobody runs")
            self._now, _, epoch, current = heapq.heappop(events)
            metrics = self._curve(current.configuration, epoch)
            report = EpochReport(
                epoch, metrics, self._gradient_flow(current.configuration, epoch), Place("simulated", 0, "none")
            )
            if not study.on_epoch(current, report).stops:
                self._schedule(events, current, epoch + 1)

    def _schedule(self, events: list[tuple[float, int, int, Assignment]], assignment: Assignment, epoch: int) -> None:
        due = self._now + self._seconds_per_epoch(assignment.configuration)
        heapq.heappush(events, (due, assignment.trial, epoch, assignment))
