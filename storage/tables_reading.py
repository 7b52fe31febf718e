"""A study's tables as plain rows, one query each: for data frames. Trials are told by their numbers. Writes nothing."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.engine import away_in_words, open_existing
from storage.epoch_table import EpochTable, epoch_table
from storage.tables import (
    ATTEMPT,
    DECISION,
    EPOCH_METRIC,
    GRADIENT_FLOW,
    LAUNCH,
    OPTUNA_STUDIES,
    OPTUNA_TRIALS,
    SPACE,
    TRIAL,
)

Rows = list[tuple[Any, ...]]

DECISION_COLUMNS = ("epoch", "rule", "verdict", "reason", "value", "cutoff", "bracket", "rung")
ATTEMPT_COLUMNS = (
    *("attempt", "launch_id", "node", "worker", "device", "cpus", "gpus", "epochs_before"),
    *("started_at", "ended_at", "outcome", "traceback"),
)
LAUNCH_COLUMNS = (
    "launch_id",
    "hostname",
    "pid",
    "started_at",
    "heartbeat_at",
    "ended_at",
    "outcome",
    "versions",
    "argv",
)
_FIGURES_AT_ONCE = 50_000


class TablesReader:
    """Reads the rows of one study; each call sees the database as it then is. A study that was deleted has none.

    Raises: DatabaseUnreachableError: nothing there.
    """

    def __init__(self, url: str, study: str) -> None:
        self._database = open_existing(url)
        self._study = study

    def epochs(self, trials: Collection[int] | None = None, names: Collection[str] | None = None) -> EpochTable:
        """The figures of all epochs.

        Args:
            trials: only of these numbers.
            names: only of these figures.
        """
        value = sa.type_coerce(EPOCH_METRIC.c.value, sa.types.NullType())  # as the driver gives it: NaN is NULL
        query = self._of_study(EPOCH_METRIC, (EPOCH_METRIC.c.epoch, EPOCH_METRIC.c.name, value))
        if trials is not None:
            query = query.where(OPTUNA_TRIALS.c.number.in_(trials))
        if names is not None:
            query = query.where(EPOCH_METRIC.c.name.in_(names))
        with self._reading() as connection:
            return epoch_table(_driver_rows(connection.execute(query)))

    def decisions(self) -> Rows:
        """(trial number, *DECISION_COLUMNS) in the order they were taken."""
        return self._rows(DECISION, DECISION_COLUMNS, DECISION.c.decision_id)

    def attempts(self) -> Rows:
        """(trial number, *ATTEMPT_COLUMNS) by trial and attempt; times are unix seconds."""
        return self._rows(ATTEMPT, ATTEMPT_COLUMNS, OPTUNA_TRIALS.c.number, ATTEMPT.c.attempt)

    def launches(self) -> Rows:
        """LAUNCH_COLUMNS, oldest first; times are unix seconds."""
        query = (
            sa.select(*(LAUNCH.c[name] for name in LAUNCH_COLUMNS))
            .join(OPTUNA_STUDIES, OPTUNA_STUDIES.c.study_id == LAUNCH.c.study_id)
            .where(OPTUNA_STUDIES.c.study_name == self._study)
        )
        return self._read(query.order_by(LAUNCH.c.launch_id))

    def data_fingerprint(self) -> str | None:
        """Of the data that the newest version of the search space trains on; None where a trainer brings its own."""
        query = (
            sa.select(SPACE.c.data_fingerprint)
            .join(OPTUNA_STUDIES, OPTUNA_STUDIES.c.study_id == SPACE.c.study_id)
            .where(OPTUNA_STUDIES.c.study_name == self._study)
        )
        rows = self._read(query.order_by(SPACE.c.version.desc()).limit(1))
        return rows[0][0] if rows else None

    def trials_with_gradient_flow(self) -> list[int]:
        """Numbers of the trials that recorded any."""
        query = self._of_study(GRADIENT_FLOW, ()).distinct().order_by(OPTUNA_TRIALS.c.number)
        return [number for (number,) in self._read(query)]

    def gradient_flow(self, trials: Collection[int] | None = None) -> Rows:
        """(trial number, epoch, names of the layers, mean |dL/dW| of each layer as an array) by trial and epoch.

        Args:
            trials: their numbers; all when None.
        """
        columns = (GRADIENT_FLOW.c.epoch, TRIAL.c.layers, GRADIENT_FLOW.c.mean_abs_gradients)
        query = self._of_study(GRADIENT_FLOW, columns).join(TRIAL, TRIAL.c.trial_id == GRADIENT_FLOW.c.trial_id)
        if trials is not None:
            query = query.where(OPTUNA_TRIALS.c.number.in_(trials))
        return self._read(query.order_by(OPTUNA_TRIALS.c.number, GRADIENT_FLOW.c.epoch))

    def close(self) -> None:
        """Give all connections back."""
        self._database.engine.dispose()

    def _rows(self, table: sa.Table, columns: Sequence[str], *order: sa.ColumnElement[Any]) -> Rows:
        return self._read(self._of_study(table, [table.c[name] for name in columns]).order_by(*order))

    def _of_study(self, table: sa.Table, columns: Sequence[sa.ColumnElement[Any]]) -> sa.Select[Any]:
        return (
            sa.select(OPTUNA_TRIALS.c.number, *columns)
            .select_from(table)
            .join(OPTUNA_TRIALS, OPTUNA_TRIALS.c.trial_id == table.c.trial_id)
            .join(OPTUNA_STUDIES, OPTUNA_STUDIES.c.study_id == OPTUNA_TRIALS.c.study_id)
            .where(OPTUNA_STUDIES.c.study_name == self._study)
        )

    def _read(self, query: sa.Select[Any]) -> Rows:
        with self._reading() as connection:
            return list(map(tuple, connection.execute(query)))  # pandas takes four times as long over SQLAlchemy's rows

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with away_in_words(), self._database.engine.connect().execution_options(reading=True) as connection:
            yield connection


def _driver_rows(result: sa.CursorResult[Any]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Blocks of rows as the driver gives them: SQLAlchemy's own would take longer than the database and all the rest."""
    cursor = result.cursor
    assert cursor is not None, "a query has rows"
    return iter(lambda: cursor.fetchmany(_FIGURES_AT_ONCE), [])
