"""What Optuna's tables hold of some trials, one query each: its own `get_trial` takes eight statements for one trial."""

from collections.abc import Iterable
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.storages._rdb.models import TrialIntermediateValueModel, TrialValueModel
from sqlalchemy import Connection

from storage.tables import OPTUNA_EPOCH_VALUES, OPTUNA_PARAMETERS, OPTUNA_TRIALS, OPTUNA_VALUES


def parameters_of_trials(connection: Connection, trial_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Trial id -> parameters, in the order the sampler chose them."""
    found: dict[int, dict[str, Any]] = {trial_id: {} for trial_id in trial_ids}
    columns = OPTUNA_PARAMETERS.c
    query = sa.select(columns.trial_id, columns.param_name, columns.param_value, columns.distribution_json)
    for row in connection.execute(query.where(columns.trial_id.in_(found)).order_by(columns.param_id)):
        distribution = optuna.distributions.json_to_distribution(row.distribution_json)
        found[row.trial_id][row.param_name] = distribution.to_external_repr(row.param_value)
    return found


def values_by_epoch(connection: Connection, trial_id: int) -> dict[int, float]:
    """Recorded epoch -> the objective's value, in order."""
    columns = OPTUNA_EPOCH_VALUES.c
    query = sa.select(columns.step, columns.intermediate_value, columns.intermediate_value_type)
    rows = connection.execute(query.where(columns.trial_id == trial_id).order_by(columns.step))
    restore = TrialIntermediateValueModel.stored_repr_to_intermediate_value
    return {row.step: restore(row.intermediate_value, row.intermediate_value_type) for row in rows}


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
