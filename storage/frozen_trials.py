"""Optuna's trials in full, as its samplers want them, six statements for up to a thousand of them.

Optuna's own storage takes seven and makes an object of each row: ten thousand trials of twenty epochs take it several times
as long, and a single new one twice.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from optuna.storages._rdb.models import TrialIntermediateValueModel, TrialValueModel
from optuna.trial import FrozenTrial
from sqlalchemy import Connection

from storage.optuna_rows import distribution_from_json
from storage.tables import (
    OPTUNA_EPOCH_VALUES,
    OPTUNA_PARAMETERS,
    OPTUNA_SYSTEM_ATTRIBUTES,
    OPTUNA_TRIALS,
    OPTUNA_USER_ATTRIBUTES,
    OPTUNA_VALUES,
)

_AT_ONCE = 1000  # trials named in one statement: databases take no more than some ten thousand
_Rows = dict[int, list[Any]]


def read_trials(connection: Connection, study_id: int, after: int, also: Collection[int]) -> list[FrozenTrial]:
    """The trials of a study with ids above `after`, and those of the ids `also`; by id."""
    columns = OPTUNA_TRIALS.c
    query = sa.select(OPTUNA_TRIALS).where(
        columns.study_id == study_id, (columns.trial_id > after) | columns.trial_id.in_(also)
    )
    rows = connection.execute(query.order_by(columns.trial_id)).all()
    batches = (rows[begin : begin + _AT_ONCE] for begin in range(0, len(rows), _AT_ONCE))
    return [trial for batch in batches for trial in _frozen(connection, batch)]


def _frozen(connection: Connection, trials: Sequence[Any]) -> Iterator[FrozenTrial]:
    ids = [row.trial_id for row in trials]
    parameters = _of_trials(connection, OPTUNA_PARAMETERS, "param_id", ids)
    values = _of_trials(connection, OPTUNA_VALUES, "objective", ids)
    epochs = _of_trials(connection, OPTUNA_EPOCH_VALUES, "step", ids)
    users = _of_trials(connection, OPTUNA_USER_ATTRIBUTES, "trial_user_attribute_id", ids)
    systems = _of_trials(connection, OPTUNA_SYSTEM_ATTRIBUTES, "trial_system_attribute_id", ids)
    restore = TrialValueModel.stored_repr_to_value
    restore_epoch = TrialIntermediateValueModel.stored_repr_to_intermediate_value
    for row in trials:
        it = row.trial_id
        distributions = {p.param_name: distribution_from_json(p.distribution_json) for p in parameters[it]}
        yield FrozenTrial(
            number=row.number,
            state=row.state,
            value=None,
            values=[restore(v.value, v.value_type) for v in values[it]] or None,
            datetime_start=_local(row.datetime_start),
            datetime_complete=_local(row.datetime_complete),
            params={p.param_name: distributions[p.param_name].to_external_repr(p.param_value) for p in parameters[it]},
            distributions=distributions,
            user_attrs={a.key: json.loads(a.value_json) for a in users[it]},
            system_attrs={a.key: json.loads(a.value_json) for a in systems[it]},
            intermediate_values={
                v.step: restore_epoch(v.intermediate_value, v.intermediate_value_type) for v in epochs[it]
            },
            trial_id=it,
        )


def _of_trials(connection: Connection, table: sa.Table, order: str, ids: Sequence[int]) -> _Rows:
    found: _Rows = {trial_id: [] for trial_id in ids}
    query = sa.select(table).where(table.c.trial_id.in_(ids)).order_by(table.c.trial_id, table.c[order])
    for row in connection.execute(query):
        found[row.trial_id].append(row)
    return found


def _local(stored: datetime | None) -> datetime | None:
    """Optuna keeps UTC and tells local time, neither with a zone."""
    return None if stored is None else stored.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)
