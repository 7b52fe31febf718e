"""Whatever happens to a study, in whatever order: it answers and records what the simplest study would.

Hypothesis says what happens next; tests/study_world.py lets it happen to a real study and to the one of tests/study_model.py.
A rule here draws the values, does it through a method of the world, and the model has a method for each rule of the design.
`STATE_MACHINE_EXAMPLES=2000 pytest tests/test_state_machine.py` looks longer, at other examples each time.
"""

import math
import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.study_launches import Fault, Launch, Worker
from tests.study_model import Rules
from tests.study_tables import everything
from tests.study_world import MOST_LAUNCHES, Databases, StudyWorld
from tuner.events import AttemptEnd, Idle

LONGER = "STATE_MACHINE_EXAMPLES" in os.environ

statements = st.integers(1, 15) | st.integers(16, 50)
faults = st.builds(Fault, st.sampled_from(["none"] * 6 + ["torn", "hiccup", "lost"]), statements)
tears = st.builds(Fault, st.sampled_from(["none"] * 4 + ["torn", "hiccup"]), statements)
figures = st.sampled_from([n / 10 for n in range(10)] * 6 + [math.nan] * 3 + [math.inf, -math.inf, 1e308, None])
ends = st.sampled_from([
    *[AttemptEnd.WORKER_LOST, AttemptEnd.RAISED] * 3,
    *[AttemptEnd.TIMED_OUT, AttemptEnd.OUT_OF_MEMORY, AttemptEnd.NODE_LOST, AttemptEnd.EVICTED],
])  # fmt: skip
all_rules = st.builds(
    Rules,
    goal=st.sampled_from(["maximize", "minimize"]),
    stopping=st.sampled_from(["asha", "asha", "none"]),
    stops_when_not_finite=st.booleans(),
    max_retries=st.integers(0, 2),
    keep=st.integers(0, 2),
)


def event(**arguments: Any) -> Callable[[Callable[..., None]], Any]:
    """A rule; when it breaks, the machine's end has nothing to go on with."""

    def decorate(play: Callable[..., None]) -> Any:
        def played(machine: "StudyMachine", **drawn: Any) -> None:
            machine.broken = True
            play(machine, **drawn)
            machine.broken = False

        played.__name__ = played.__qualname__ = play.__name__
        return rule(**arguments)(played)

    return decorate


def one_of(name: str) -> Any:
    """One of what the machine has under this name."""
    return st.runner().flatmap(lambda machine: st.sampled_from(getattr(machine, name)))


def needs(*names: str) -> Any:
    """For a rule that is of no use unless the machine has something under these names."""
    return precondition(lambda machine: all(getattr(machine, name) for name in names))


class StudyMachine(RuleBasedStateMachine):
    """One study from its first launch to its last."""

    def __init__(self, databases: Databases) -> None:
        super().__init__()
        self.databases = databases
        self.may_be_stopped = 2  # times, or little would ever go on
        self.broken = False

    @initialize(rules=all_rules)
    def study_is_made(self, rules: Rules) -> None:
        self.world = StudyWorld(self.databases, rules)

    # -- launches, and people -------------------------------------------------------------------------------------------

    @precondition(lambda machine: len(machine.launches) < MOST_LAUNCHES)
    @event(concurrency=st.integers(1, 3), raised=st.sampled_from([0, 0, 0, 1]), asks=st.integers(0, 3), fault=tears)
    def launch_begins(self, concurrency: int, raised: int, asks: int, fault: Fault) -> None:
        self.world.budget += raised
        launch = self.world.begin(concurrency, fault)
        for _ in range(asks):
            self.world.check()
            self.world.ask(launch)

    @needs("launches")
    @event(launch=one_of("launches"), outcome=st.sampled_from(["interrupted", "failed", "died"]), fault=tears)
    def launch_leaves(self, launch: Launch, outcome: str, fault: Fault) -> None:
        if outcome == "died":
            self.world.kill(launch)
        else:
            self.world.end(launch, outcome, fault)

    @needs("launches")
    @event(launch=one_of("launches"), how=st.sampled_from(["falls asleep", "wakes", "is rebuilt"]))
    def launch_changes(self, launch: Launch, how: str) -> None:
        if how == "is rebuilt":
            self.world.rebuild(launch)
        else:
            self.world.set_asleep(launch, how == "falls asleep")

    @needs("launches", "may_be_stopped")
    @event(trial=one_of("stoppable"))
    def somebody_stops(self, trial: int | None) -> None:
        self.may_be_stopped -= 1
        self.world.ask_to_stop(trial)

    # -- the study's events ---------------------------------------------------------------------------------------------

    @needs("launches")
    @event(
        launch=one_of("launches"),
        damaged=st.sampled_from([0, 0, 0, 1, 9]),
        values=st.lists(figures, max_size=6),
        fault=faults,
    )
    def launch_asks(self, launch: Launch, damaged: int, values: list[float | None], fault: Fault) -> None:
        worker = self.world.ask(launch, damaged, fault)
        if isinstance(worker, Worker):
            self._train(worker, values, True, fault)

    @needs("workers")
    @event(
        worker=one_of("workers"), values=st.lists(figures, min_size=1, max_size=6), saved=st.booleans(), fault=faults
    )
    def worker_trains(self, worker: Worker, values: list[float | None], saved: bool, fault: Fault) -> None:
        self._train(worker, values, saved, fault)

    @needs("workers")
    @event(worker=one_of("workers"), ends=st.lists(ends, min_size=1, max_size=4), fault=faults)
    def attempts_end(self, worker: Worker, ends: list[AttemptEnd], fault: Fault) -> None:
        """One after another, without an epoch between them; the launch asks at once, as executors do."""
        launch, next_worker = worker.launch, worker
        for end in ends:
            self.world.tell(next_worker, end, fault)
            self.world.check()
            answer = self.world.ask(launch, fault=fault)
            if isinstance(answer, Idle):
                return
            self.world.check()
            next_worker = answer

    @precondition(lambda machine: machine.workers and len(machine.launches) > 1)
    @event(worker=one_of("workers"), values=st.lists(figures, min_size=2, max_size=2), again=st.booleans())
    def launch_oversleeps(self, worker: Worker, values: list[float | None], again: bool) -> None:
        """By the time that a worker tells its second epoch, or the first again, another launch may have taken its trial."""
        self.world.end_epoch(worker, values[0], saved=True)
        self.world.check()
        self.world.set_asleep(worker.launch, True)
        self.world.ask(next(launch for launch in self.launches if launch is not worker.launch))
        self.world.check()
        if again:
            self.world.tell(worker, worker.last)
        else:
            self.world.end_epoch(worker, values[1], saved=True)

    @needs("reporters")
    @event(worker=one_of("reporters"), fault=faults)
    def the_same_is_told_again(self, worker: Worker, fault: Fault) -> None:
        """As when an answer was lost, however long ago."""
        assert worker.last is not None
        self.world.tell(worker, worker.last, fault)

    def _train(self, worker: Worker, values: list[float | None], saved: bool, fault: Fault) -> None:
        """An epoch with each value, as long as it may go on; the fault happens to each."""
        for value in values:
            if worker.runs:
                self.world.check()
                self.world.end_epoch(worker, value, saved, fault)

    # -- what must hold -------------------------------------------------------------------------------------------------

    @invariant()
    def all_agrees(self) -> None:
        self.broken = True
        self.world.check()
        self.broken = False

    def teardown(self) -> None:
        """Everything dies, and one more launch finishes the study; deleted, it leaves nothing."""
        if not hasattr(self, "world"):
            return
        try:
            if not self.broken:
                self._go_on_to_the_end()
        finally:
            self.world.delete()
        assert self.broken or not any(everything(self.databases.reader).values())

    def _go_on_to_the_end(self) -> None:
        for launch in list(self.launches):
            self.world.kill(launch)
        last = self.world.begin(concurrency=3)
        for step in range(500):
            if last.workers:
                value = math.nan if last.workers[0].assignment.trial % 3 else step / 1000
                self.world.end_epoch(last.workers[0], value, saved=True)
            elif self.world.ask(last) is Idle.FINISHED:
                break
        self.world.end(last, "finished")
        self.world.check()
        self.world.check_finished()

    # -- what rules choose from -----------------------------------------------------------------------------------------

    @property
    def launches(self) -> list[Launch]:
        return self.world.launches

    @property
    def workers(self) -> list[Worker]:
        return [worker for launch in self.launches for worker in launch.workers]

    @property
    def reporters(self) -> list[Worker]:
        """Workers that may tell again what they told last."""
        known = [worker for launch in self.launches for worker in launch.workers + launch.gone[-3:]]
        return [worker for worker in known if worker.last is not None]

    @property
    def stoppable(self) -> list[int | None]:
        """None: the study."""
        return [None, *(trial.number for trial in self.world.model.trials if not trial.has_ended)]


def play(url: str, examples: int) -> None:
    databases = Databases(url, everything)
    how = settings(
        max_examples=int(os.environ.get("STATE_MACHINE_EXAMPLES", examples)),
        stateful_step_count=40,
        derandomize=not LONGER,
        database=None,
        deadline=None,
        print_blob=True,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(lambda: StudyMachine(databases), settings=how)  # type: ignore[arg-type, return-value]
    finally:
        databases.close()


@pytest.fixture(autouse=True)
def _optuna_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """It tries a statement that failed up to five times, with pauses."""
    monkeypatch.setattr("optuna.storages._rdb.storage.time", SimpleNamespace(sleep=lambda seconds: None))


@pytest.mark.timeout(1200)  # a failure is reduced to its shortest form first
def test_a_study_on_sqlite_does_what_the_simplest_one_would(sqlite_url: str) -> None:
    play(sqlite_url, examples=110)


@pytest.mark.timeout(1200)
def test_a_study_on_postgresql_does_what_the_simplest_one_would(postgres_url: str) -> None:
    play(postgres_url, examples=20)
