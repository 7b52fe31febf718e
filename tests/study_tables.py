"""What the tables hold of the one study that is in a database, as the model of a study would have it."""

from typing import Any

import sqlalchemy as sa
from optuna.storages._rdb.models import BaseModel, TrialIntermediateValueModel, TrialValueModel
from sqlalchemy import Connection, Engine

from storage.tables import ATTEMPT, DECISION, EPOCH_METRIC, LAUNCH, OPTUNA_EPOCH_VALUES, OPTUNA_TRIALS, TABLES, TRIAL
from tests.study_model import ModelTrial, StudyModel

Tables = dict[str, list[tuple[Any, ...]]]
_OPTUNA_STATES = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
_OPTUNA_VALUES = TrialValueModel.__table__
_CHECKPOINT = TABLES["tuner_checkpoint"]


def everything(engine: Engine) -> Tables:
    """Every row of every table, Optuna's too, but for versions: nothing may be left of an event that broke."""
    tables = [t for t in {**BaseModel.metadata.tables, **TABLES}.values() if "version" not in t.name]
    with engine.connect() as connection:
        return {t.name: sorted(map(_words, connection.execute(sa.select(t)))) for t in tables}


def read_tables(engine: Engine) -> Tables:
    """The study, read on a connection of its own; NaN as a word, since it does not equal itself."""
    with engine.connect() as connection:
        number = {row.trial_id: row.number for row in connection.execute(sa.select(OPTUNA_TRIALS))}
        launch_ids = sa.select(LAUNCH.c.launch_id).order_by(LAUNCH.c.launch_id)
        launch = {launch_id: n for n, launch_id in enumerate(connection.execute(launch_ids).scalars())}
        launches = connection.execute(sa.select(LAUNCH).order_by(LAUNCH.c.launch_id))
        attempts = connection.execute(sa.select(ATTEMPT).order_by(ATTEMPT.c.trial_id, ATTEMPT.c.attempt)).all()
        decisions = connection.execute(sa.select(DECISION).order_by(DECISION.c.decision_id))
        return {
            "launches": [(row.outcome, row.ended_at is None) for row in launches],
            "trials": _trials(connection),
            "attempts": [
                (number[a.trial_id], a.attempt, launch[a.launch_id], a.epochs_before, a.outcome, a.ended_at is None)
                for a in attempts
            ],
            "times": [
                (number[a.trial_id], a.attempt, a.started_at, a.ended_at, a.outcome, a.traceback) for a in attempts
            ],
            "epochs": _epochs(connection, number),
            "decisions": [
                _decision(number[d.trial_id], d.epoch, d.rule, d.verdict, d.value, d.rung, d.cutoff) for d in decisions
            ],
            "checkpoints": sorted(
                (number[c.trial_id], c.epoch, c.attempt, c.location) for c in connection.execute(sa.select(_CHECKPOINT))
            ),
        }


def model_tables(model: StudyModel) -> Tables:
    """What the tables must hold, `times` aside."""
    return {
        "launches": [(launch.outcome, launch.outcome is None) for launch in model.launches],
        "trials": [
            (
                t.number,
                "ended" if t.has_ended else t.state,
                len(t.attempts),
                _OPTUNA_STATES.get(t.state, "RUNNING"),
                repr(_optuna_value(model, t)),
            )
            for t in model.trials
        ],
        "attempts": [
            (t.number, n, a.launch, a.epochs_before, a.outcome, a.outcome is None)
            for t in model.trials
            for n, a in enumerate(t.attempts, 1)
        ],
        "epochs": [
            (t.number, epoch, repr(value), repr(value)) for t in model.trials for epoch, value in enumerate(t.values, 1)
        ],
        "decisions": [_decision(*decision) for decision in model.decisions],
        "checkpoints": sorted(
            (t.number, epoch, attempt, location)
            for t in model.trials
            for (epoch, attempt), location in t.checkpoints.items()
        ),
    }


def _optuna_value(model: StudyModel, trial: ModelTrial) -> float | None:
    """The best of a finished trial, the last of a stopped one, unless that is not a number."""
    if trial.state == "complete":
        return model.best(trial)
    last = trial.values[-1] if trial.state == "pruned" and trial.values else None
    return last if last == last else None


def _trials(connection: Connection) -> list[tuple[Any, ...]]:
    query = (
        sa.select(OPTUNA_TRIALS, TRIAL.c.status, TRIAL.c.attempt, _OPTUNA_VALUES.c.value, _OPTUNA_VALUES.c.value_type)
        .outerjoin(TRIAL, TRIAL.c.trial_id == OPTUNA_TRIALS.c.trial_id)
        .outerjoin(_OPTUNA_VALUES, _OPTUNA_VALUES.c.trial_id == OPTUNA_TRIALS.c.trial_id)
    )
    found = []
    for row in connection.execute(query.order_by(OPTUNA_TRIALS.c.number)):
        value = row.value_type and TrialValueModel.stored_repr_to_value(row.value, row.value_type)
        found.append((row.number, row.status, row.attempt, row.state.name, repr(value)))
    return found


def _epochs(connection: Connection, number: dict[int, int]) -> list[tuple[Any, ...]]:
    """(trial, epoch, value in our table, value in Optuna's), of every epoch that is in one of them."""
    ours = sa.select(EPOCH_METRIC).where(EPOCH_METRIC.c.name == "score")
    found = {(number[row.trial_id], row.epoch): [row.value] for row in connection.execute(ours)}
    restore = TrialIntermediateValueModel.stored_repr_to_intermediate_value
    for row in connection.execute(sa.select(OPTUNA_EPOCH_VALUES)):
        value = restore(row.intermediate_value, row.intermediate_value_type)
        found.setdefault((number[row.trial_id], row.step), ["missing"]).append(value)
    return sorted((*where, *_words(values)) for where, values in found.items())


def _decision(*row: Any) -> tuple[str, ...]:
    *rest, cutoff = row
    return _words((*rest, None if cutoff is None else cutoff + 0.0))  # a zero may come with either sign


def _words(row: Any) -> tuple[str, ...]:
    return tuple(map(repr, row))
