"""What Optuna's tables hold of some trials, one query each: its own `get_trial` takes eight statements for one trial, and its
`get_trials` makes an object of every row."""

import functools
from collections.abc import Iterable
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.storages._rdb.models import TrialIntermediateValueModel, TrialValueModel
from sqlalchemy import Connection

from storage.tables import OPTUNA_EPOCH_VALUES, OPTUNA_PARAMETERS, OPTUNA_TRIALS, OPTUNA_VALUES

distribution_from_json = functools.lru_cache(optuna.distributions.json_to_distribution)  # a study has a few


def parameters_of_trials(connection: Connection, trial_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Trial id -> parameters, in the order the sampler chose them."""
    found: dict[int, dict[str, Any]] = {trial_id: {} for trial_id in trial_ids}
    return found | _parameters(connection, OPTUNA_PARAMETERS.c.trial_id.in_(found))


def parameters_of_study(connection: Connection, study_id: int) -> dict[int, dict[str, Any]]:
    """The same for all trials of a study that have any."""
    return _parameters(connection, OPTUNA_PARAMETERS.c.trial_id.in_(_trials_of(study_id)))


def values_by_epoch(connection: Connection, trial_id: int) -> dict[int, float]:
    """Recorded epoch -> the objective's value, in order."""
    return _values(connection, OPTUNA_EPOCH_VALUES.c.trial_id == trial_id).get(trial_id, {})


def values_of_study(connection: Connection, study_id: int) -> dict[int, dict[int, float]]:
    """Trial id -> the same, for all trials of a study that have any."""
    return _values(connection, OPTUNA_EPOCH_VALUES.c.trial_id.in_(_trials_of(study_id)))


def values_and_numbers(connection: Connection, trial_ids: Iterable[int]) -> dict[int, tuple[float, int]]:
    """Trial id -> (value, number), for trials that ended with a value."""
    columns = OPTUNA_VALUES.c
    query = (
        sa.select(columns.trial_id, columns.value, columns.value_type, OPTUNA_TRIALS.c.number)
        .join(OPTUNA_TRIALS, OPTUNA_TRIALS.c.trial_id == columns.trial_id)
        .where(columns.trial_id.in_(trial_ids), columns.objective == 0)
    )
    restore = TrialValueModel.stored_repr_to_value
    return {row.trial_id: (restore(row.value, row.value_type), row.number) for row in connection.execute(query)}


def _trials_of(study_id: int) -> sa.Select[tuple[int]]:
    return sa.select(OPTUNA_TRIALS.c.trial_id).where(OPTUNA_TRIALS.c.study_id == study_id)


def _parameters(connection: Connection, condition: sa.ColumnElement[bool]) -> dict[int, dict[str, Any]]:
    columns = OPTUNA_PARAMETERS.c
    query = sa.select(columns.trial_id, columns.param_name, columns.param_value, columns.distribution_json)
    found: dict[int, dict[str, Any]] = {}
    for trial_id, name, value, distribution in connection.execute(query.where(condition).order_by(columns.param_id)):
        found.setdefault(trial_id, {})[name] = distribution_from_json(distribution).to_external_repr(value)
    return found


def _values(connection: Connection, condition: sa.ColumnElement[bool]) -> dict[int, dict[int, float]]:
    columns = OPTUNA_EPOCH_VALUES.c
    # as an enum it would take longer than all the rest
    kind = sa.type_coerce(columns.intermediate_value_type, sa.String)
    query = sa.select(columns.trial_id, columns.step, columns.intermediate_value, kind).where(condition)
    found: dict[int, dict[int, float]] = {}
    for trial_id, epoch, value, kind_of_value in connection.execute(query.order_by(columns.trial_id, columns.step)):
        found.setdefault(trial_id, {})[epoch] = value if kind_of_value == "FINITE" else _restored(value, kind_of_value)
    return found


def _restored(value: float | None, kind: str) -> float:
    kinds = TrialIntermediateValueModel.TrialIntermediateValueType
    return float(TrialIntermediateValueModel.stored_repr_to_intermediate_value(value, kinds[kind]))
