"""Reading a study by plain queries: it must be what Optuna's own objects say, whatever the study holds."""

import math
import sqlite3
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
import sqlalchemy as sa

from storage.engine import open_existing
from storage.epoch_table import epoch_table
from storage.errors import DatabaseAwayError
from storage.reading import StudyReader
from storage.tables import EPOCH_METRIC, OPTUNA_TRIALS
from storage.tables_reading import TablesReader
from tests.scenes import begin, play, report
from tests.studies import make_space, simulate
from tuner.events import AttemptEnd, Decider
from tuner.reporting.frames import StudyFrames
from tuner.reporting.summary import rank

SPACE: dict[str, Any] = {
    "space": {
        "x": {"low": 0.0, "high": 1.0},
        "kind": ["a", "b", None, True, 7, 2.5],
        "depth": {"low": 1, "high": 4, "when": {"kind": ["a", None]}},
        "rate": {"low": 1e-5, "high": 1e-2, "scale": "log"},
    },
    "settings": {"epochs": 4},
    "early_stopping": {"name": "none"},
    "stop_when": [],
    "budget": {"trials": 30},
    "enqueue": [
        {"x": 0.5, "kind": kind, "rate": 1e-3, **({"depth": 2} if kind in ("a", None) else {})}
        for kind in ("a", None, "b", True, 7, 2.5, "a", 2.5)  # the last two are repeats
    ],
}


def fill(study: Decider) -> None:
    """Complete with ties, ±inf and NaN; failed with NaN alone and without an epoch; running; a repeat with its result, one
    that waits for it; running without an epoch."""
    for values in ([0.5, 0.7, 0.7, 0.2], [math.inf, 0.7, -math.inf, math.nan], [math.nan] * 4, [0.0, -1.0, 0.0, -2.0]):
        trial = begin(study)
        for epoch, value in enumerate(values, start=1):
            study.on_epoch(trial, report(epoch, score=value, **({"late": value} if epoch > 2 else {})))
    study.on_end(begin(study), AttemptEnd.RAISED, "Traceback …\nValueError: a bug")
    study.on_epoch(begin(study), report(1, score=0.1, loss=math.inf))
    begin(study)


@pytest.fixture
def odd(database_url: str) -> str:
    """The study above, and another one beside it."""
    simulate(make_space(study="other", budget={"trials": 3}), database_url)
    play(make_space(**SPACE), database_url, fill, concurrency=9)
    return database_url


def check_both(url: str) -> list[str]:
    """Compare our reading with Optuna's; the states."""
    trials = StudyReader(url).study("s").trials
    theirs = optuna.load_study(study_name="s", storage=url).get_trials()
    assert [t.number for t in trials] == [t.number for t in theirs]
    for ours, their in zip(trials, theirs, strict=True):
        assert repr(dict(ours.parameters)) == repr(their.params)  # with their types and in their order
        assert repr(dict(ours.values)) == repr(dict(sorted(their.intermediate_values.items())))
    return [t.state for t in trials]


def test_an_odd_study_is_read_as_optuna_reads_it_while_it_runs_and_afterwards(database_url: str) -> None:
    def scene(study: Decider) -> None:
        fill(study)
        optuna.load_study(study_name="s", storage=database_url).enqueue_trial({"x": 0.25})  # by another program
        assert check_both(database_url) == [
            *("complete", "complete", "failed", "complete", "failed", "running", "complete", "waiting", "running"),
            "interrupted",
        ]

    play(make_space(**SPACE), database_url, scene, concurrency=9)
    assert check_both(database_url)[5:] == ["interrupted", "complete", "waiting", "interrupted", "interrupted"]


def test_a_trial_stands_by_the_earliest_of_its_best_epochs_and_a_study_by_the_first_of_its_best_trials(
    odd: str,
) -> None:
    trials = StudyFrames(odd, "s").trials
    assert repr(trials["value"].tolist()) == "[0.7, 0.7, nan, 0.0, nan, 0.1, nan, nan, nan]"
    assert trials["best_epoch"].fillna(0).tolist() == [2, 2, 0, 1, 0, 1, 0, 0, 0]
    assert trials["epochs"].tolist() == [4, 4, 4, 4, 0, 1, 4, 0, 0]
    assert trials["attempts"].tolist() == [1, 1, 1, 1, 1, 1, 0, 0, 1]
    best = StudyFrames(odd, "s").best
    assert best is not None
    assert best.name == 0
    assert [ranked.trial.number for ranked in rank(StudyReader(odd).study("s"))] == [0, 1, 5, 3]


def test_the_table_of_epochs_is_the_pivot_of_its_rows(odd: str) -> None:
    engine = open_existing(odd).engine
    with engine.connect() as connection:
        query = (
            sa.select(OPTUNA_TRIALS.c.number, EPOCH_METRIC)
            .join_from(OPTUNA_TRIALS, EPOCH_METRIC, OPTUNA_TRIALS.c.trial_id == EPOCH_METRIC.c.trial_id)
            .where(OPTUNA_TRIALS.c.study_id == 2)
        )
        rows = pd.DataFrame(map(tuple, connection.execute(query)), columns=["trial", "id", "epoch", "name", "value"])
    engine.dispose()
    expected = rows.pivot(index=["trial", "epoch"], columns="name", values="value").rename_axis(columns=None)
    assert list(expected) == ["late", "loss", "score"]
    study = StudyFrames(odd, "s")
    pd.testing.assert_frame_equal(study.epochs, expected.reset_index())
    some = expected.loc[[0, 5], ["loss"]].dropna().reset_index()
    pd.testing.assert_frame_equal(study.epochs_of(trials=[0, 5, 99], names=["loss"]), some)
    assert list(study.epochs_of(trials=[99])) == ["trial", "epoch"]


def test_figures_in_any_order_and_in_several_blocks_make_one_table() -> None:
    table = epoch_table([
        [(7, 2, "b", 1.0), (3, 9, "a", None)],
        [(3, 10, "a", math.inf), (7, 2, "a", -math.inf), (7, 1, "b", 2.0)],
    ])  # fmt: skip
    assert table.names == ("a", "b")
    assert table.trials_E.tolist() == [3, 3, 7, 7]
    assert table.epochs_E.tolist() == [9, 10, 1, 2]
    nan, inf = math.nan, math.inf
    np.testing.assert_array_equal(table.values_EN, [[nan, nan], [inf, nan], [nan, 2.0], [-inf, 1.0]])
    assert epoch_table([]).values_EN.shape == (0, 0)


def test_a_database_that_breaks_while_figures_are_fetched_is_told_in_words(odd: str) -> None:
    if odd.startswith("postgresql"):
        pytest.skip("its driver has fetched all when a query is answered")
    reader = TablesReader(odd, "s")
    with reader._reading() as connection:
        driver = connection.connection.driver_connection
    driver.set_progress_handler(lambda: 1, 200)  # an error after some rows, as a disk that fails would give
    with pytest.raises(DatabaseAwayError, match="the database does not answer: interrupted; the study can") as caught:
        reader.epochs()
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)  # not SQLAlchemy's: it came with a later row
