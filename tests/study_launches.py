"""Launches of a study as their processes hold them, on databases that break when they are told to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from storage.engine import open_for_launch
from storage.errors import DatabaseAwayError
from storage.store import StudyStore
from tuner.events import Assignment, AttemptEnd, Decision, EpochReport, Idle, Outcome
from tuner.patience import Patient
from tuner.search_space import SearchSpace
from tuner.study import Study

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to an event. torn: from its statement `at` on, or when it commits, the database does not answer;
    hiccup: that statement alone fails; lost: it is committed, and its answer does not arrive."""

    kind: str = "none"
    at: int = 1


WITHOUT = Fault()


class Database:
    """Connections of one process.

    Args:
        url: of the database.
        look: all that is in it, on a connection of its own.
    """

    def __init__(self, url: str, look: Callable[[], Any]) -> None:
        self.storage = open_for_launch(url)
        self._look = look
        self._fault, self._statements = WITHOUT, 0
        sa.event.listen(self.storage.engine, "before_cursor_execute", self._on_statement)
        sa.event.listen(self.storage.engine, "commit", self._on_commit)

    def store(self) -> StudyStore:
        return StudyStore(self.storage, "s")

    def happens(self, event: Callable[[], T], fault: Fault) -> T:
        """The event with its fault; of one that breaks, nothing is left.

        Raises: DatabaseAwayError: it broke, or its answer was lost.
        """
        before = self._look() if fault.kind in ("torn", "hiccup") else None
        try:
            with self._breaking(fault):
                answer = event()
        except DatabaseAwayError:
            assert self._look() == before
            raise
        if fault.kind == "lost":
            raise DatabaseAwayError("the connection broke after the commit")
        return answer

    @contextmanager
    def _breaking(self, fault: Fault) -> Iterator[None]:
        self._fault, self._statements = fault, 0
        try:
            yield
        finally:
            self._fault = WITHOUT

    def _on_statement(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        self._statements += 1
        past = self._statements - self._fault.at
        alone = past == 0 and not statement.startswith("RELEASE")  # asks for nothing that could fail by itself
        if (self._fault.kind == "torn" and past >= 0) or (self._fault.kind == "hiccup" and alone):
            raise OperationalError(statement, None, Exception("the connection broke"))

    def _on_commit(self, *_: Any) -> None:
        if self._fault.kind == "torn":
            raise OperationalError("COMMIT", None, Exception("the connection broke"))


@dataclass(eq=False, slots=True)
class Worker:
    """Trains one attempt. `last`: what it told its study last, to be told again."""

    launch: "Launch"
    assignment: Assignment
    epoch: int
    last: EpochReport | AttemptEnd | None = None

    @property
    def runs(self) -> bool:
        """Whether it has not been told to end."""
        return self in self.launch.workers

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # for hypothesis
        printer.text(f"<trial {self.assignment.trial}, attempt {self.assignment.attempt}, after epoch {self.epoch}>")


@dataclass(eq=False, slots=True)
class Launch:
    """One run of the driver: its study behind faults and patience, its workers, and those that were told to end."""

    number: int
    launch_id: int
    database: Database
    space: SearchSpace
    concurrency: int
    discarded: list[str]
    fault: Fault = WITHOUT
    workers: list[Worker] = field(default_factory=list)
    gone: list[Worker] = field(default_factory=list)
    study: Study = field(init=False)
    patient: Patient = field(init=False)

    def __post_init__(self) -> None:
        self.rebuild()
        self.patient = Patient(
            self, lambda held: self.study.reclaim(held), lambda line: None, 0.0, lambda seconds: None
        )

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # for hypothesis
        printer.text(f"<launch {self.number}>")

    def rebuild(self) -> None:
        self.study = Study(
            self.database.store(),
            self.space,
            self.launch_id,
            concurrency=self.concurrency,
            discard=self.discarded.extend,
        )

    def held(self) -> set[tuple[int, int]]:
        return {(worker.assignment.trial, worker.assignment.attempt) for worker in self.workers}

    def next_trial(self) -> Assignment | Idle:
        return self._happens(lambda: self.study.next_trial())

    def on_epoch(self, assignment: Assignment, report: EpochReport) -> Decision:
        return self._happens(lambda: self.study.on_epoch(assignment, report))

    def on_end(self, assignment: Assignment, end: AttemptEnd, traceback: str, output: str = "") -> Outcome:
        return self._happens(lambda: self.study.on_end(assignment, end, traceback, output))

    def _happens(self, event: Callable[[], T]) -> T:
        fault, self.fault = self.fault, WITHOUT  # when it is asked again, the database answers
        discarded = list(self.discarded)
        try:
            return self.database.happens(event, fault)
        except DatabaseAwayError:
            assert fault.kind == "lost" or self.discarded == discarded
            raise
