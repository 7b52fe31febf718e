"""Making studies in tests, and comparing them row for row."""

from collections.abc import Mapping
from typing import Any

import optuna
import sqlalchemy as sa
import yaml

from storage.engine import open_existing
from storage.reading import StudyReader
from storage.tables import DECISION, EPOCH_METRIC, GRADIENT_FLOW, OPTUNA_STUDIES, OPTUNA_TRIALS
from tests.trainers import curve
from tuner.checkpoint_files import CheckpointFiles
from tuner.events import EPOCH_SECONDS, Assignment, Decider
from tuner.execution.attempt import AttemptRunner, Broken, Job
from tuner.execution.simulated import SimulatedExecutor
from tuner.launching import launch
from tuner.search_space import SearchSpace, check_search_space
from tuner.yaml_source import parse_yaml

BASE: dict[str, Any] = {
    "study": "s",
    "metric": {"name": "score", "goal": "maximize"},
    "trainer": "tests.trainers:Curve",
    "settings": {"epochs": 9},
    "space": {
        "x": {"low": 0.0, "high": 1.0},
        "kind": ["a", "b", None],
        "depth": {"low": 1, "high": 4, "when": {"kind": ["a"]}},
    },
    "sampler": {"name": "random", "seed": 7},
    "early_stopping": {"name": "asha", "min_epochs": 1, "reduction_factor": 3},
    "budget": {"trials": 12},
}


def make_space(**changes: Any) -> SearchSpace:
    """The base space with top-level keys replaced."""
    return check_search_space(parse_yaml(yaml.safe_dump({**BASE, **changes}, sort_keys=False), "space.yaml"))


def simulate(
    space: SearchSpace, url: str, executor: SimulatedExecutor | None = None, say: Any = lambda line: None
) -> None:
    """Launch a study on the simulated executor, through everything else that is real."""
    launch(space, url, say=say, make_executor=lambda space, data, *_: executor or SimulatedExecutor(curve))


class InProcess(SimulatedExecutor):
    """Real trainers, one after another, without Ray."""

    def __init__(self, space: SearchSpace, data: Any, keeper: CheckpointFiles | None, cpus: float) -> None:
        super().__init__(curve)
        self.cpus = cpus
        self._space, self._data, self._keeper = space, data, keeper

    def run(self, study: Decider) -> None:
        every = self._space.checkpoint.every
        while isinstance(assignment := study.next_trial(), Assignment):
            job = Job(assignment, self._space.trainer, self.cpus, 0, checkpoint_every=1 if every == "never" else every)
            runner = AttemptRunner(job, self._data, keeper=self._keeper)
            while True:
                report = runner.run_epoch()
                assert not isinstance(report, Broken), report.traceback
                if study.on_epoch(assignment, report).stops:
                    break


def train(url: str, cpus: float = 1, **changes: Any) -> StudyReader:
    """A study of the base space with keys replaced, really trained in this process, its checkpoints kept as it says."""
    space = make_space(**changes)
    launch(
        space,
        url,
        say=lambda line: None,
        make_executor=lambda space, data, files, say: InProcess(space, data, files, cpus),
    )
    return StudyReader(url)


def optuna_trials(url: str, name: str = "s") -> list[optuna.trial.FrozenTrial]:
    """Optuna's view of a study, as its own tools see it."""
    return optuna.load_study(study_name=name, storage=url).trials


def rows(url: str, study: str = "s") -> dict[str, list[tuple[Any, ...]]]:
    """Everything that must be equal in equal studies: Optuna's tables, epoch_metric, gradient_flow, decision; without
    times, launches, attempts and database ids. NaN is written as text, since it does not equal itself."""
    trials = optuna_trials(url, study)
    found: dict[str, list[tuple[Any, ...]]] = {
        "trials": [
            (t.number, t.state.name, _words(t.params), repr(t.value), _words(t.intermediate_values)) for t in trials
        ]
    }
    number = OPTUNA_TRIALS.c.number
    queries = {
        "epoch_metric": sa.select(number, EPOCH_METRIC.c.epoch, EPOCH_METRIC.c.name, EPOCH_METRIC.c.value)
        .join(OPTUNA_TRIALS, OPTUNA_TRIALS.c.trial_id == EPOCH_METRIC.c.trial_id)
        .where(EPOCH_METRIC.c.name != EPOCH_SECONDS),
        "gradient_flow": sa.select(number, GRADIENT_FLOW.c.epoch, GRADIENT_FLOW.c.mean_abs_gradients).join(
            OPTUNA_TRIALS, OPTUNA_TRIALS.c.trial_id == GRADIENT_FLOW.c.trial_id
        ),
        "decision": sa.select(
            number,
            *(DECISION.c[n] for n in ("epoch", "rule", "verdict", "reason", "bracket", "rung", "value", "cutoff")),
        ).join(OPTUNA_TRIALS, OPTUNA_TRIALS.c.trial_id == DECISION.c.trial_id),
    }
    engine = open_existing(url).engine
    with engine.connect() as connection:
        studies = sa.select(OPTUNA_STUDIES.c.study_id).where(OPTUNA_STUDIES.c.study_name == study)
        for name, query in queries.items():
            these = query.where(OPTUNA_TRIALS.c.study_id == studies.scalar_subquery())
            found[name] = sorted(tuple(map(_word, row)) for row in connection.execute(these))
    engine.dispose()
    return found


def _words(values: Mapping[Any, Any]) -> tuple[Any, ...]:
    return tuple(sorted((key, repr(value)) for key, value in values.items()))


def _word(value: Any) -> str:
    return repr(value.tolist()) if hasattr(value, "tolist") else repr(value)
