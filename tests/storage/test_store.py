"""The store's contract, on SQLite and on PostgreSQL."""

import math
from pathlib import Path

import numpy as np
import optuna
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from storage import launches
from storage.engine import VERSION_TABLE, mask_passwords, open_existing, open_for_launch
from storage.errors import DatabaseUnreachableError, StorageError, StudyNotFoundError
from storage.migrations.scope import is_ours
from storage.store import DecisionRecord, StudyStore, StudyTransaction, TrialRecord, create_study
from storage.tables import TABLES, Base

SPACE = {"x": optuna.distributions.FloatDistribution(0, 1)}


@pytest.fixture
def store(database_url: str) -> StudyStore:
    return make_store(database_url)


def make_store(url: str, name: str = "s") -> StudyStore:
    store = create_study(open_for_launch(url), name, "maximize")
    with store.transaction() as transaction:
        if launches.newest_space(transaction.connection, transaction.study_id) is None:
            launches.add_space(transaction.connection, transaction.study_id, 1, {}, None)
    return store


def begin_launch(store: StudyStore) -> int:
    with store.transaction() as transaction:
        identity = launches.ProcessIdentity.of_this_process()
        return launches.begin_launch(transaction.connection, transaction.study_id, identity, {}, [])


def add_trial(transaction: StudyTransaction) -> TrialRecord:
    number = transaction.next_trial_number()
    transaction.add_trial(transaction.optuna_study.ask(SPACE)._trial_id, 0, "hash")
    trial = transaction.trial(number)
    assert trial is not None
    return trial


def count_ours(store: StudyStore) -> dict[str, int]:
    with store.connection() as connection:
        counts = {
            name: connection.execute(sa.select(sa.func.count()).select_from(t)).scalar_one()
            for name, t in TABLES.items()
        }
    return {name: count for name, count in counts.items() if count}


@pytest.mark.parametrize("value", [0.25, 1e-300, -0.0, math.inf, -math.inf, math.nan])
def test_a_value_survives_the_store(store: StudyStore, value: float) -> None:
    with store.transaction() as transaction:
        trial = add_trial(transaction)
        transaction.record_epoch(trial, 1, value, {"score": value})
        transaction.record_decision(trial, DecisionRecord(1, "asha", "go on", "why", value, 0, 1, 0.5))
    with store.transaction() as transaction:
        same = [
            transaction.metrics(trial, 1)["score"],
            *transaction.epoch_values(trial),
            *transaction.rung_values("asha", 0, 1),
        ]
        np.testing.assert_array_equal(same, [value] * 3)


def test_the_gradient_flow_of_an_epoch_survives_with_its_layers_in_order(store: StudyStore) -> None:
    with store.transaction() as transaction:
        trial = add_trial(transaction)
        for epoch in (1, 2):
            transaction.record_epoch(trial, epoch, 0.0, {"score": 0.0})
            transaction.record_gradient_flow(trial, epoch, {"entry": 1e-30, "conv_1": math.nan, "linear": 2.0})
    with store.connection() as connection:
        flow, trials = TABLES["tuner_gradient_flow"], TABLES["tuner_trial"]
        arrays = connection.execute(sa.select(flow.c.mean_abs_gradients).order_by(flow.c.epoch)).scalars().all()
        layers = connection.execute(sa.select(trials.c.layers)).scalar_one()
    np.testing.assert_array_equal(arrays, [[1e-30, math.nan, 2.0]] * 2)
    assert layers == ["entry", "conv_1", "linear"]


@pytest.mark.parametrize("event", ["ask", "epoch", "end"])
def test_an_event_that_breaks_leaves_nothing_of_optunas_and_nothing_of_ours(store: StudyStore, event: str) -> None:
    with store.transaction() as transaction:
        trial = add_trial(transaction)
    before = count_ours(store)
    with pytest.raises(ZeroDivisionError), store.transaction() as transaction:
        if event == "ask":
            add_trial(transaction)
        elif event == "epoch":
            transaction.record_epoch(trial, 1, 0.5, {"score": 0.5})
        else:
            transaction.end_trial(trial, "complete", 0.5)
        _ = 1 / 0
    assert count_ours(store) == before
    with store.transaction() as transaction:
        (only,) = transaction.optuna_study.get_trials()
        assert (only.state.name, only.intermediate_values) == ("RUNNING", {})
        assert transaction.next_trial_number() == 1
        assert add_trial(transaction).number == 1  # no ghost of the rolled-back trial


def test_what_one_launch_commits_another_sees_at_once(database_url: str) -> None:
    first, second = make_store(database_url), make_store(database_url)
    with first.transaction() as transaction:
        trial = add_trial(transaction)
        transaction.record_decision(trial, DecisionRecord(1, "asha", "go on", "why", 0.5, 0, 1, None))
    with second.transaction() as transaction:
        assert transaction.count_trials() == 1
        assert transaction.rung_values("asha", 0, 1) == [0.5]
        assert transaction.rung_values("asha", 1, 1) == []


def test_attempts_are_numbered_and_an_older_launchs_are_queued_again(store: StudyStore) -> None:
    launch_id = begin_launch(store)
    with store.transaction() as transaction:
        trials = [add_trial(transaction) for _ in range(3)]
        trials = [transaction.start_attempt(trial, launch_id, 1, 0, now=100.0) for trial in trials]
        transaction.end_attempt(trials[0], "finished", 200.0)
        transaction.end_trial(trials[0], "complete", 0.5)
        assert transaction.count_running() == 2
    with store.transaction() as transaction:
        assert transaction.requeue_attempts_of(launch_id, "interrupted", 300.0) == [1, 2]
        first = transaction.first_queued()
        assert first is not None
        assert (first.number, first.attempt) == (1, 1)
        assert transaction.start_attempt(first, launch_id, 1, 0, now=400.0).attempt == 2


def test_gpu_hours_count_every_attempt_and_running_ones_until_now(store: StudyStore) -> None:
    launch_id = begin_launch(store)
    with store.transaction() as transaction:
        trial = transaction.start_attempt(add_trial(transaction), launch_id, 1, 2.0, now=0.0)
        transaction.end_attempt(trial, "interrupted", 1800.0)
        other = add_trial(transaction)
        transaction.start_attempt(other, launch_id, 1, 0.5, now=3600.0)
        assert transaction.spent_gpu_hours(now=7200.0) == pytest.approx(0.5 * 2 + 1.0 * 0.5)


@pytest.mark.parametrize("foreign", [True, False], ids=["plain Optuna client", "ours"])
def test_deleting_a_study_in_optuna_takes_our_rows_along(database_url: str, foreign: bool) -> None:
    store = make_store(database_url)
    launch_id = begin_launch(store)
    with store.transaction() as transaction:
        trial = add_trial(transaction)
        transaction.start_attempt(trial, launch_id, 1, 0, 0.0)
        transaction.record_epoch(trial, 1, 0.5, {"score": 0.5})
        transaction.record_gradient_flow(trial, 1, {"entry": 0.1})
        transaction.record_decision(trial, DecisionRecord(1, "asha", "go on", "why", 0.5, 0, 1, None))
    assert set(count_ours(store)) == set(TABLES)
    client = optuna.storages.RDBStorage(database_url) if foreign else open_existing(database_url)
    optuna.delete_study(study_name="s", storage=client)
    assert count_ours(store) == {}
    with pytest.raises(StudyNotFoundError, match="any more"), store.transaction():
        pass


def test_the_tables_are_those_of_the_migrations(database_url: str) -> None:
    database = open_for_launch(database_url)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "include_object": is_ours, "compare_type": True}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_optunas_own_client_finds_nothing_to_complain_of(database_url: str) -> None:
    make_store(database_url)
    assert [s.study_name for s in optuna.get_all_study_summaries(database_url)] == ["s"]


def test_opening_for_reading_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnreachableError, match="does not exist"):
        open_existing(f"sqlite:///{tmp_path}/none.db")
    (tmp_path / "empty.db").touch()
    with pytest.raises(DatabaseUnreachableError, match="holds no study of ours"):
        open_existing(f"sqlite:///{tmp_path}/empty.db")
    assert {p.name: p.stat().st_size for p in tmp_path.iterdir()} == {"empty.db": 0}


def test_a_database_of_a_newer_version_is_left_alone(sqlite_url: str) -> None:
    database = open_for_launch(sqlite_url)
    with database.engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    for open_it in (open_existing, open_for_launch):
        with pytest.raises(StorageError, match="newer version"):
            open_it(sqlite_url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "is no database URL"),
        ("mysql://me:secret@host/x", "mysql is not supported"),
        ("sqlite://", "forgotten at once"),
        ("sqlite:////nowhere/at/all.db", "folder /nowhere/at does not exist"),
        ("postgresql://me:secret@127.0.0.1:1/x", r"postgresql\+psycopg://me:\*\*\*@127.0.0.1:1/x cannot be reached"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(url: str, message: str) -> None:
    with pytest.raises(DatabaseUnreachableError, match=message) as caught:
        open_for_launch(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "masked"),
    [
        ("postgresql+psycopg://me:s3cret@host:5432/db", "postgresql+psycopg://me:***@host:5432/db"),
        ("--storage=postgresql://me:p@ss@host/db", "--storage=postgresql://me:***@host/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("postgresql://host/db?user=me&password=s3cret", "postgresql://host/db?user=me&password=***"),
        ("sqlite:///a:b@c.db", "sqlite:///a:b@c.db"),
    ],
)
def test_passwords_are_masked_wherever_a_url_may_hold_them(words: str, masked: str) -> None:
    assert mask_passwords(words) == masked


def test_a_launch_is_alive_as_long_as_its_process(store: StudyStore) -> None:
    begin_launch(store)
    with store.transaction() as transaction:
        (launch,) = launches.open_launches(transaction.connection, transaction.study_id)
        assert launch.is_alive()
        me = launch.identity
        reused_pid = launches.LaunchRecord(
            1, launches.ProcessIdentity(me.hostname, me.boot_id, me.pid_namespace, me.pid, "1"), 0
        )
        assert not reused_pid.is_alive()
        elsewhere = launches.ProcessIdentity("other", "other boot", "pid:[1]", 1, "1")
        assert launches.LaunchRecord(1, elsewhere, 5.0).is_alive()
        assert not launches.LaunchRecord(1, elsewhere, 100.0).is_alive()
        launches.end_launch(transaction.connection, launch.launch_id, "finished")
        assert launches.open_launches(transaction.connection, transaction.study_id) == []
