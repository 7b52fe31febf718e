"""The storage benchmark measures studies that were written in bulk: they must be what events write."""

from typing import Any

import pytest
import sqlalchemy as sa
from optuna.storages._rdb import models as optuna_models

from benchmarks import filling
from storage.store import StudyStore
from storage.tables import TABLES
from tests.scenes import begin
from tuner.study import Study

TIMES = {"started_at", "heartbeat_at", "ended_at", "created_at", "datetime_start", "datetime_complete"}
NUM_TRIALS = 7


def every_row(store: StudyStore) -> dict[str, list[str]]:
    """All tables of Optuna's and ours with all columns but times, database ids included."""
    tables = {**optuna_models.BaseModel.metadata.tables, **TABLES}
    with store.connection() as connection:
        return {
            name: sorted(
                repr([value.tolist() if hasattr(value, "tolist") else value for value in row])
                for row in connection.execute(sa.select(*(c for c in table.c if c.name not in TIMES)))
            )
            for name, table in tables.items()
        }


def play(study: Study, epochs: int) -> None:
    for _ in range(NUM_TRIALS):
        trial = begin(study)
        for epoch in range(1, epochs + 1):
            study.on_epoch(trial, filling.report(trial.trial, trial.attempt, epoch))


@pytest.mark.parametrize("epochs", [filling.EPOCHS, 4])
def test_a_study_filled_in_bulk_equals_one_that_its_events_wrote(database_url: str, tmp_path: Any, epochs: int) -> None:
    space = filling.make_space(epochs=epochs)
    played, launch_id = filling.begin_study(f"sqlite:///{tmp_path}/played.db", space)
    play(Study(played, space, launch_id), epochs)
    filled, launch_id = filling.begin_study(database_url, space)
    filling.fill(filled, space, filling.configurations(space, NUM_TRIALS), launch_id)
    assert every_row(filled) == every_row(played)
    assert sum(map(len, every_row(filled).values())) > NUM_TRIALS * epochs * 8  # six figures, the objective, the layers
    play(Study(filled, space, launch_id), epochs)  # and can be gone on with
    played.close()
    filled.close()
