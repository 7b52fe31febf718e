"""A study of many finished trials, written in bulk: row for row what the events of one worker would have written.

Every trial is better than all before it, so that ASHA lets each of them through to its last epoch: no study of so many trials
has more rows, and no rung more values. `tests/test_filling.py` plays the same study through its events and compares.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import optuna
import sqlalchemy as sa
from optuna.distributions import distribution_to_json
from sqlalchemy import Connection

from storage import launches
from storage.checkpoints import CHECKPOINT, Checkpoint
from storage.engine import open_for_launch
from storage.store import StudyStore, create_study
from storage.tables import (
    ATTEMPT,
    DECISION,
    EPOCH_METRIC,
    GRADIENT_FLOW,
    LAUNCH,
    OPTUNA_EPOCH_VALUES,
    OPTUNA_PARAMETERS,
    OPTUNA_TRIALS,
    OPTUNA_VALUES,
    TRIAL,
)
from storage.transaction import Place
from tuner.events import EpochReport
from tuner.rungs import rule_of
from tuner.sampling import configuration_hash, make_sampler, propose
from tuner.search_space import SearchSpace, check_search_space
from tuner.yaml_source import parse_yaml

NAME, EPOCHS = "s", 20
LAYERS = tuple(f"layer_{index:02d}" for index in range(38))
PLACE = Place("node", 1, "cpu")
_EPOCH_SECONDS = 60.0

Row = tuple[Any, ...]


def make_space(sampler: str = "random", limits: str = "", epochs: int = EPOCHS) -> SearchSpace:
    """The search space of the study: that of the 38-layer network. `limits`: of the budget, beside the number of trials."""
    return check_search_space(parse_yaml(f"""
study: {NAME}
metric: {{name: score, goal: maximize}}
trainer: benchmarks.counting:Counting
settings: {{epochs: {epochs}}}
space:
  bn_position: [none, before_relu, after_relu]
  batch_size: [50, 80, 100]
  weight_decay: {{low: 1.0e-5, high: 1.0e-2, scale: log}}
  dropout: {{low: 0.0, high: 0.5, step: 0.1, when: {{bn_position: [before_relu, after_relu]}}}}
sampler: {{name: {sampler}, seed: 0}}
early_stopping: {{name: asha}}
budget: {{trials: 1000000{limits}}}
""", "storage benchmark"))  # fmt: skip


def score(number: int, epoch: int) -> float:
    """Better with every trial and every epoch."""
    return 2 - 1 / (number + 2) - 1 / (epoch + 1)


def report(number: int, attempt: int, epoch: int) -> EpochReport:
    """What a trial says after an epoch: six figures, 38 layers, a line of output, a checkpoint."""
    value = score(number, epoch)
    flow = {layer: value / (index + 1) for index, layer in enumerate(LAYERS)}
    return EpochReport(
        epoch, _metrics(value, epoch), flow, PLACE, _line(value, epoch), _checkpoint(number, attempt, epoch)
    )


def _metrics(value: float, epoch: int) -> dict[str, float]:
    return {
        "score": value,
        "loss": 2 - value,
        "train_score": value + 0.1,
        "train_loss": 1.9 - value,
        "learning_rate": 1e-3 / epoch,
        "seconds": _EPOCH_SECONDS,
    }


def _line(value: float, epoch: int) -> str:
    return f"epoch {epoch}: score {value:.6f}, and all is as it should be\n"


def _checkpoint(number: int, attempt: int, epoch: int) -> Checkpoint:
    return Checkpoint(epoch, attempt, f"checkpoints/{number}-{attempt}-{epoch}", 1_000_000, "0" * 64)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the sampler chose for a trial, and what Optuna keeps of it: name, value, distribution."""

    hashed: str
    parameters: tuple[tuple[str, float, str], ...]


def configurations(space: SearchSpace, num_trials: int) -> list[Configuration]:
    """What a random sampler proposes for the first trials of a study: it does not ask for what was before."""
    found = []
    for number in range(num_trials):
        study = optuna.create_study()
        proposal = propose(study, make_sampler("random", space.sampler.seed, number), space.parameters)
        (trial,) = study.get_trials(deepcopy=False)
        parameters = tuple(
            (name, distribution.to_internal_repr(trial.params[name]), distribution_to_json(distribution))
            for name, distribution in trial.distributions.items()
        )
        found.append(Configuration(configuration_hash(proposal.chosen), parameters))
    return found


def begin_study(url: str, space: SearchSpace) -> tuple[StudyStore, int]:
    """A study without trials, and its first launch: this process."""
    store = create_study(open_for_launch(url), NAME, space.metric.goal)
    with store.transaction() as transaction:
        connection, study_id = transaction.connection, transaction.study_id
        launches.add_space(connection, study_id, 1, space.as_json(), None)
        identity = launches.ProcessIdentity.of_this_process()
        return store, launches.begin_launch(connection, study_id, identity, {}, [])


def fill(store: StudyStore, space: SearchSpace, chosen: Sequence[Configuration], launch_id: int) -> None:
    """One finished trial for each configuration, in a study without trials, the last of them ended just now."""
    with store.transaction() as transaction:
        connection, study_id = transaction.connection, transaction.study_id
        newest = launches.newest_space(connection, study_id)
        assert newest is not None, "begin_study writes it"
        began = transaction.now() - len(chosen) * space.epochs * _EPOCH_SECONDS
        connection.execute(sa.update(LAUNCH).where(LAUNCH.c.launch_id == launch_id).values(started_at=began))
        for table, columns, rows in _Rows(space, chosen, study_id, newest.space_id, launch_id, began).all():
            copy_rows(connection, table, columns, rows)
        if connection.dialect.name == "postgresql":  # its counter does not look at ids that were given
            connection.execute(sa.text("SELECT setval('trials_trial_id_seq', (SELECT max(trial_id) FROM trials))"))


def copy_rows(connection: Connection, table: sa.Table, columns: str, rows: Iterable[Row]) -> None:
    """The fastest way each database has; values as the driver takes them."""
    driver: Any = connection.connection.driver_connection
    names = columns.split()
    if connection.dialect.name == "postgresql":
        with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    else:
        marks = ", ".join("?" * len(names))
        driver.executemany(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})", rows)


@dataclass(frozen=True, slots=True)
class _Rows:
    space: SearchSpace
    chosen: Sequence[Configuration]
    study_id: int
    space_id: int
    launch_id: int
    began: float

    def all(self) -> Iterator[tuple[sa.Table, str, Iterable[Row]]]:
        """Tables with their columns and rows, those first that others refer to. Trial ids are numbers plus 1."""
        yield OPTUNA_TRIALS, "trial_id number study_id state datetime_start datetime_complete", self._optuna_trials()
        yield OPTUNA_PARAMETERS, "trial_id param_name param_value distribution_json", self._parameters()
        yield OPTUNA_EPOCH_VALUES, "trial_id step intermediate_value intermediate_value_type", self._epoch_values()
        yield OPTUNA_VALUES, "trial_id objective value value_type", self._values()
        yield TRIAL, "trial_id study_id space_id status attempt bracket configuration_hash layers", self._trials()
        yield ATTEMPT, ("trial_id attempt launch_id node worker device cpus gpus epochs_before started_at ended_at "
                        "outcome output"), self._attempts()  # fmt: skip
        yield EPOCH_METRIC, "trial_id epoch name value", self._metrics()
        yield GRADIENT_FLOW, "trial_id epoch mean_abs_gradients", self._flow()
        yield DECISION, "study_id trial_id epoch rule verdict reason bracket rung value cutoff", self._decisions()
        yield CHECKPOINT, "trial_id epoch attempt location num_bytes sha256", self._checkpoints()

    def _numbers(self) -> range:
        return range(len(self.chosen))

    def _times(self, number: int) -> tuple[float, float]:
        begin = self.began + number * self.space.epochs * _EPOCH_SECONDS
        return begin, begin + self.space.epochs * _EPOCH_SECONDS

    def _optuna_trials(self) -> Iterator[Row]:
        for number in self._numbers():
            begin, end = (str(datetime.fromtimestamp(t, UTC).replace(tzinfo=None)) for t in self._times(number))
            yield number + 1, number, self.study_id, "COMPLETE", begin, end

    def _parameters(self) -> Iterator[Row]:
        for number, configuration in enumerate(self.chosen):
            for parameter in configuration.parameters:
                yield number + 1, *parameter

    def _epoch_values(self) -> Iterator[Row]:
        for number in self._numbers():
            for epoch in range(1, self.space.epochs + 1):
                yield number + 1, epoch, score(number, epoch), "FINITE"

    def _values(self) -> Iterator[Row]:
        for number in self._numbers():
            yield number + 1, 0, score(number, self.space.epochs), "FINITE"

    def _trials(self) -> Iterator[Row]:
        layers = json.dumps(LAYERS)
        for number, configuration in enumerate(self.chosen):
            yield number + 1, self.study_id, self.space_id, "ended", 1, 0, configuration.hashed, layers

    def _attempts(self) -> Iterator[Row]:
        for number in self._numbers():
            output = "".join(_line(score(number, epoch), epoch) for epoch in range(1, self.space.epochs + 1))
            where = (PLACE.node, PLACE.worker, PLACE.device)
            yield number + 1, 1, self.launch_id, *where, 1.0, 0.0, 0, *self._times(number), "finished", output

    def _metrics(self) -> Iterator[Row]:
        for number in self._numbers():
            for epoch in range(1, self.space.epochs + 1):
                for name, value in _metrics(score(number, epoch), epoch).items():
                    yield number + 1, epoch, name, value

    def _flow(self) -> Iterator[Row]:
        places = np.arange(1, len(LAYERS) + 1)
        for number in self._numbers():
            for epoch in range(1, self.space.epochs + 1):
                yield number + 1, epoch, (score(number, epoch) / places).astype("<f8").tobytes()

    def _decisions(self) -> Iterator[Row]:
        rungs = rule_of(self.space).rungs(0)
        at_rung = {rung: np.array([score(number, rung) for number in self._numbers()]) for rung in rungs}
        for number in self._numbers():
            for rung in rungs:
                value = score(number, rung)
                cutoff, why = None, "the first to reach this rung"
                if number:
                    cutoff = float(np.percentile(at_rung[rung][:number], (1 - 1 / 3) * 100))
                    why = f"among the best 1/3 of the {number} earlier there (cut-off {cutoff:.4g})"
                reason = f"rung {rung}: score {value:.4g} is {why}"
                yield self.study_id, number + 1, rung, "asha", "go on", reason, 0, rung, value, cutoff

    def _checkpoints(self) -> Iterator[Row]:
        for number in self._numbers()[-self.space.checkpoint.keep :]:
            kept = _checkpoint(number, 1, self.space.epochs)
            yield number + 1, kept.epoch, kept.attempt, kept.location, kept.num_bytes, kept.sha256
