"""A real study and its model side by side: whatever happens, happens to both, and they are compared."""

import time
from collections.abc import Callable
from typing import Any

import optuna
import sqlalchemy as sa

from storage.checkpoints import Checkpoint
from storage.columns import database_now
from storage.errors import DatabaseAwayError
from storage.launches import HEARTBEAT_EXPIRY_SECONDS
from storage.requests import ask_to_stop
from storage.store import create_study
from storage.tables import LAUNCH
from tests.scenes import HERE
from tests.studies import make_space
from tests.study_launches import WITHOUT, Database, Fault, Launch, Worker
from tests.study_model import WHO, Answer, ModelTrial, Rules, StudyModel
from tests.study_tables import model_tables, read_tables
from tuner.events import Assignment, AttemptEnd, EpochReport, Idle, Outcome
from tuner.launching import _begin, _end, _Launch
from tuner.search_space import SearchSpace

MOST_LAUNCHES = 3
FIRST_BUDGET = 4


class Databases:
    """Connections to one database: those of as many launches as there may be at once, and those of people who look on.

    Args:
        look: all that is in it.
    """

    def __init__(self, url: str, look: Callable[[sa.Engine], Any]) -> None:
        self.url = url
        self.reader = sa.create_engine(url)
        self.people, *self.launches = (Database(url, lambda: look(self.reader)) for _ in range(1 + MOST_LAUNCHES))

    def close(self) -> None:
        self.reader.dispose()
        for database in (self.people, *self.launches):
            database.storage.engine.dispose()


class StudyWorld:
    """One study, where launches come and go. Every method does one thing, to the study and to its model."""

    def __init__(self, databases: Databases, rules: Rules) -> None:
        self.model = StudyModel(rules)
        self.launches: list[Launch] = []
        self.budget = FIRST_BUDGET
        self._url, self._reader = databases.url, databases.reader
        self._people, self._free = databases.people, list(databases.launches)
        self._configurations: dict[int, Any] = {}
        self._files: set[str] = set()
        self._discarded: list[str] = []
        self._ended: dict[tuple[int, int], Any] = {}
        create_study(self._people.storage, "s", rules.goal)

    # -- launches, and people -------------------------------------------------------------------------------------------

    def begin(self, concurrency: int, fault: Fault = WITHOUT) -> Launch:
        database, space, number = self._free.pop(), self._space(), len(self.model.launches)
        begun = lambda: _begin(database.store(), space, self._url, None, lambda line: None)  # noqa: E731
        launch_id = _again_when_broken(begun, database, fault).launch_id
        self.model.begin(concurrency, self.budget)
        self.launches.append(Launch(number, launch_id, database, space, concurrency, self._discarded))
        return self.launches[-1]

    def end(self, launch: Launch, outcome: str, fault: Fault = WITHOUT) -> None:
        """Properly: its running trials are left to others."""
        ended = lambda: _end(_Launch(launch.database.store(), launch.launch_id, None), outcome)  # noqa: E731
        _again_when_broken(ended, launch.database, fault)
        self.model.end(launch.number, outcome)
        self._forget(launch)

    def kill(self, launch: Launch) -> None:
        """No process is called as its row says: it is dead at once, however young its heartbeat is."""
        self._change(launch, process_start="")
        self.model.launches[launch.number].silent = True
        self._forget(launch)

    def set_asleep(self, launch: Launch, asleep: bool) -> None:
        """Whether its heartbeat is too old to be alive; what it tells later comes late if others took its trials over."""
        self._change(launch, heartbeat_at=database_now() - (HEARTBEAT_EXPIRY_SECONDS + 1 if asleep else 0))
        self.model.launches[launch.number].silent = asleep

    def rebuild(self, launch: Launch) -> None:
        launch.database.storage.engine.dispose()
        launch.rebuild()

    def ask_to_stop(self, trial: int | None) -> None:
        """A person does: a trial, or, without one, the study."""
        with self._people.store().transaction() as transaction:
            found = None if trial is None else transaction.trial(trial)
            ask_to_stop(transaction.connection, transaction.study_id, found.trial_id if found else None, WHO)
        self.model.ask_to_stop(trial)
        time.sleep(0.003)  # SQLite's clock counts milliseconds: no launch begins in the very one in which somebody asks

    # -- the study's events ---------------------------------------------------------------------------------------------

    def ask(self, launch: Launch, damaged: int = 0, fault: Fault = WITHOUT) -> Worker | Idle:
        """The new worker begins where the newest good checkpoint is, or from scratch. `damaged`: how many are not good."""
        expected = self.model.next_trial(launch.number)
        if fault.kind == "lost":
            self.model.reclaim(launch.number, launch.held())
            expected = self.model.next_trial(launch.number)
        launch.fault = fault
        answer = launch.patient.next_trial()
        if isinstance(answer, Idle) or isinstance(expected, Idle):
            assert answer is expected
            return expected
        self._check_assignment(answer, expected)
        good = answer.checkpoints[damaged:]
        launch.workers.append(Worker(launch, answer, good[0].epoch if good else 0))
        return launch.workers[-1]

    def end_epoch(self, worker: Worker, value: float | None, saved: bool, fault: Fault = WITHOUT) -> None:
        """`value`: None when the trainer does not give it; `saved`: with a checkpoint."""
        worker.epoch += 1
        trial, attempt, epoch = worker.assignment.trial, worker.assignment.attempt, worker.epoch
        checkpoint = Checkpoint(epoch, attempt, f"{trial}-{attempt}-{epoch}", 9, "sum") if saved else None
        if checkpoint is not None:
            self._files.add(checkpoint.location)
        metrics = {"loss": 1.0} if value is None else {"score": value, "loss": 1.0}
        self.tell(worker, EpochReport(epoch, metrics, {}, HERE, checkpoint=checkpoint), fault)

    def tell(self, worker: Worker, told: EpochReport | AttemptEnd, fault: Fault = WITHOUT) -> None:
        worker.last, worker.launch.fault = told, fault
        if fault.kind == "lost":
            self._expected(worker.assignment, told)
        outcome, reason = self._expected(worker.assignment, told)
        if isinstance(told, AttemptEnd):
            why = f"Error{'X' * worker.assignment.trial}: no two trials fail alike, which would end the launch"
            assert worker.launch.patient.on_end(worker.assignment, told, why) is outcome
        else:
            decision = worker.launch.patient.on_epoch(worker.assignment, told)
            assert decision.outcome is outcome
            assert reason in (None, decision.reason)
        if outcome is not Outcome.GO_ON and worker.runs:
            worker.launch.workers.remove(worker)
            worker.launch.gone.append(worker)

    # -- what must hold at any time -------------------------------------------------------------------------------------

    def check(self) -> None:
        """What the tables hold, read on a connection of its own, is what the model says, and makes sense by itself."""
        tables = read_tables(self._reader)
        times = tables.pop("times")
        assert tables == model_tables(self.model)
        assert [number for number, *_ in tables["trials"]] == sorted(self._configurations)  # those that were asked for
        assert len(tables["trials"]) <= self.budget
        self._check_attempts(tables["attempts"], times)
        self._check_files({location for *_, location in tables["checkpoints"]})

    def check_finished(self) -> None:
        """Trials asked = trials ended, and nothing runs, waits or is open."""
        tables = read_tables(self._reader)
        assert len(tables["trials"]) == self.budget
        assert all(status == "ended" and state != "RUNNING" for _, status, _, state, _ in tables["trials"])
        assert not any(is_open for *_, is_open in tables["attempts"] + tables["launches"])

    def delete(self) -> None:
        optuna.delete_study(study_name="s", storage=self._people.storage)

    def _check_attempts(self, attempts: list[Any], times: list[Any]) -> None:
        """At most one is open a trial, and as many a launch as it has room for; one that has ended is never touched again."""
        running = [(trial, launch) for trial, _, launch, *_, is_open in attempts if is_open]
        assert len({trial for trial, _ in running}) == len(running)
        for launch in self.launches:
            assert sum(number == launch.number for _, number in running) <= launch.concurrency
        for (*_, is_open), (trial, attempt, *rest) in zip(attempts, times, strict=True):
            if not is_open:
                started, ended, *_ = rest
                assert started <= ended
                assert self._ended.setdefault((trial, attempt), rest) == rest

    def _check_files(self, in_use: set[str]) -> None:
        """No file is deleted that a row names, and none is left that no row names."""
        assert set(self._discarded) == set(self.model.discarded)
        self._files -= set(self._discarded)
        self._discarded.clear()
        self.model.discarded.clear()
        assert self._files == in_use

    # -- private --------------------------------------------------------------------------------------------------------

    def _expected(self, assignment: Assignment, told: EpochReport | AttemptEnd) -> Answer:
        if isinstance(told, AttemptEnd):
            return self.model.on_end(assignment.trial, assignment.attempt, told), None
        saved, value = told.checkpoint and told.checkpoint.location, told.metrics.get("score")
        return self.model.on_epoch(assignment.trial, assignment.attempt, told.epoch, value, saved)

    def _check_assignment(self, answer: Assignment, expected: ModelTrial) -> None:
        assert (answer.trial, answer.attempt) == (expected.number, len(expected.attempts))
        kept = sorted(((*key, location) for key, location in expected.checkpoints.items()), reverse=True)
        assert [(c.epoch, c.attempt, c.location) for c in answer.checkpoints] == kept
        assert self._configurations.setdefault(answer.trial, answer.configuration) == answer.configuration

    def _change(self, launch: Launch, **columns: Any) -> None:
        with self._people.store().connection() as connection:
            connection.execute(sa.update(LAUNCH).where(LAUNCH.c.launch_id == launch.launch_id).values(**columns))

    def _forget(self, launch: Launch) -> None:
        self.launches.remove(launch)
        self._free.append(launch.database)

    def _space(self) -> SearchSpace:
        rules = self.model.rules
        asha = {"name": "asha", "min_epochs": rules.rungs[0], "reduction_factor": rules.reduction_factor}
        return make_space(
            metric={"name": "score", "goal": rules.goal},
            settings={"epochs": rules.epochs},
            space={"x": {"low": 0.0, "high": 1.0}},
            sampler={"name": "tpe", "seed": 7},
            early_stopping=asha if rules.stopping == "asha" else {"name": rules.stopping},
            stop_when=["not_finite"] if rules.stops_when_not_finite else [],
            max_retries=rules.max_retries,
            checkpoint={"keep": rules.keep},
            budget={"trials": self.budget},
        )


def _again_when_broken(event: Callable[[], Any], database: Database, fault: Fault) -> Any:
    try:
        return database.happens(event, fault)
    except DatabaseAwayError:
        return event()
