"""One launch of a study, from a checked file to the last event: checks, the launch's row, the executor, the end."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from storage import launches
from storage.engine import mask_passwords, open_for_launch
from storage.errors import DatabaseAwayError, StorageError, StudyChangedError
from storage.reading import StudyReader
from storage.requests import who_stops_study
from storage.store import StudyStore, create_study
from storage.takeover import take_over_dead_launches
from tuner.checkpoint_files import CheckpointFiles, delete_files
from tuner.checkpoint_place import check_place, checkpoint_files, sweep
from tuner.events import Decider
from tuner.interrupts import Interrupted, Interrupts, Uninterrupted, catch_signals
from tuner.patience import PATIENCE_SECONDS, Patient
from tuner.preflight import check_launch, foreign_study, refuse_changed_space
from tuner.progress import ProgressLines
from tuner.rungs import rung_lines
from tuner.search_space import SearchSpace
from tuner.study import Study
from tuner.trainer_check import fingerprint, load_shared_data
from tuner.versions import versions_of

Say = Callable[[str], None]


class Executor(Protocol):
    """Runs what a study decides. After `start`, its attributes say what an attempt is given and how many fit at once."""

    cpus: float
    gpus: float
    concurrency: int
    clock: Callable[[], float] | None  # unix time in seconds; the database's clock when None

    def start(self) -> None:
        """Take hold of the workers."""
        ...

    def run(self, study: Decider) -> None:
        """Run until the study says finished."""
        ...

    def stop(self) -> None:
        """Let go of everything, whatever happened."""
        ...


MakeExecutor = Callable[[SearchSpace, Any, CheckpointFiles | None, Say], Executor]  # Any: the shared data


class Display(Protocol):
    """Shows a study from its database alone."""

    def begin(self) -> None:
        """The study is in the database from now on."""
        ...

    def leave(self) -> None:
        """The process ends at once, by a signal: give the terminal back without waiting for anything."""
        ...


@dataclass(frozen=True, slots=True)
class _Launch:
    store: StudyStore
    launch_id: int
    files: CheckpointFiles | None


def launch(
    space: SearchSpace,
    storage: str,
    say: Say = print,
    make_executor: MakeExecutor | None = None,
    display: Display | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> None:
    """Start a study, or go on with it, until its budget is spent.

    Args:
        space: a checked search space.
        storage: URL of the database; made when it is a SQLite file that does not exist.
        say: takes one line for each event; with a display, only for what is told before the first.
        make_executor: what runs the trials; Ray Tune on this machine when None.
        display: shows the study from the database while it runs.
        patience_seconds: how long to wait for a database that does not answer any more.
    Raises: TunerError, StorageError: complete messages; on input errors nothing was written. Interrupted: SIGINT or SIGTERM
        came; the study can be gone on with.
    """
    with catch_signals(display.leave if display is not None else lambda: None) as interrupts:
        check_launch(space, storage)
        check_place(space, storage)
        data = load_shared_data(space, space.settings)
        of_data = fingerprint(data)
        refuse_changed_space(space, storage, of_data)
        executor: Executor | None = None
        try:
            with _registered(space, storage, of_data, say) as registered:
                if display is not None:
                    display.begin()
                executor = (make_executor or _ray_tune)(space, data, registered.files, say)
                try:
                    study = _start(executor, registered, space, interrupts, say)
                    shown: Decider = study
                    if display is None:
                        shown = ProgressLines(study, space.metric, space.settings, say, _best_so_far(space, storage))
                    executor.run(Patient(Uninterrupted(shown, interrupts), study.reclaim, say, patience_seconds))
                except BaseException as error:
                    if isinstance(error, SystemExit):  # what Ray makes of SIGTERM while it starts
                        raise Interrupted(signal.SIGTERM) from error
                    interrupts.raise_if_received()  # Ray turns our exception into others
                    raise
        finally:  # after the launch's end is written: ending Ray takes seconds
            if executor is not None:
                executor.stop()


def _start(executor: Executor, launched: _Launch, space: SearchSpace, interrupts: Interrupts, say: Say) -> Study:
    executor.start()
    interrupts.take_signals()
    _announce(space, executor, say)
    return Study(
        launched.store,
        space,
        launched.launch_id,
        concurrency=executor.concurrency,
        cpus=executor.cpus,
        gpus=executor.gpus,
        clock=executor.clock,
        discard=delete_files,
        tell=say,
    )


def _ray_tune(space: SearchSpace, data: Any, files: CheckpointFiles | None, say: Say) -> Executor:
    from tuner.execution.ray_tune import RayTuneExecutor  # seconds of import, after everything that may be refused

    return RayTuneExecutor(space, data, files, say)


def _best_so_far(space: SearchSpace, storage: str) -> tuple[float, int] | None:
    reader = StudyReader(storage)
    best = reader.standing(space.study).best
    reader.close()
    return None if best is None else (best.value, best.trial)


def _announce(space: SearchSpace, executor: Executor, say: Say) -> None:
    gpus = f", {executor.gpus:g} GPU" if executor.gpus else ""
    say(
        f"study {space.study}: {executor.concurrency} at once, each {executor.cpus:g} CPU{gpus}; {space.epochs} epochs a trial"
    )
    for line in rung_lines(space):
        say(line)


@contextmanager
def _registered(space: SearchSpace, url: str, of_data: str | None, say: Say) -> Iterator[_Launch]:
    """The launch's row with its heartbeat, from the take-over of dead launches to the launch's end."""
    store = create_study(open_for_launch(url), space.study, space.metric.goal)
    try:
        launched = _begin(store, space, url, of_data, say)
        try:
            sweep(store, launched.files)
            with _heartbeat(store, launched.launch_id):
                yield launched
        except BaseException as error:
            try:
                _end(launched, "interrupted" if isinstance(error, Interrupted) else "failed")
            except DatabaseAwayError as away:  # what went wrong first is what counts
                say(f"the end of this launch could not be written: {away}")
            raise
        _end(launched, "finished")
    finally:
        store.close()


def _begin(store: StudyStore, space: SearchSpace, url: str, of_data: str | None, say: Say) -> _Launch:
    versions = versions_of(space.trainer)
    with store.transaction() as transaction:
        connection, study_id = transaction.connection, transaction.study_id
        told = take_over_dead_launches(transaction)
        for other in launches.open_launches(connection, study_id):
            told.append(
                f"shared with process {other.identity.pid} on {other.identity.hostname}, which runs this study too"
            )
        newest = launches.newest_space(connection, study_id)
        if newest is None and transaction.is_foreign(space.metric.goal):
            raise StudyChangedError(foreign_study(space.study))
        if newest is None or newest.content != space.as_json():
            version = 1 if newest is None else newest.version + 1
            launches.add_space(connection, study_id, version, space.as_json(), of_data)
        argv = [mask_passwords(argument) for argument in sys.argv]
        me = launches.ProcessIdentity.of_this_process()
        launch_id = launches.begin_launch(connection, study_id, me, versions, argv)
        files = checkpoint_files(space, url, launches.name_for_ever(connection, space.study))
    for line in told:
        say(line)
    return _Launch(store, launch_id, files)


def _end(launched: _Launch, outcome: str) -> None:
    """Write how the launch ended, and leave no file that no row knows.

    Raises: DatabaseAwayError: the next launch will find it dead, and take over what it left.
    """
    launch_id = launched.launch_id
    with launched.store.transaction() as transaction:
        # of a launch that finished, what still ran when the hours were spent
        left = "suspended" if outcome == "finished" else "interrupted"
        transaction.requeue_attempts_of(launch_id, left, transaction.now())
        if outcome == "finished" and who_stops_study(transaction.connection, transaction.study_id, launch_id):
            outcome = "stopped"
        launches.end_launch(transaction.connection, launch_id, outcome)
    sweep(launched.store, launched.files)


@contextmanager
def _heartbeat(store: StudyStore, launch_id: int) -> Iterator[None]:
    over = threading.Event()

    def beat() -> None:
        while not over.wait(launches.HEARTBEAT_SECONDS):
            try:
                with store.connection() as connection:
                    launches.renew_heartbeat(connection, launch_id)
            except StorageError:
                continue  # the next event of the study says so; here it is only a beat that is missing

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
