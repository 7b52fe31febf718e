"""Inside an event Optuna's trials are what the database holds at that moment, though they are read only once."""

import math

import optuna
import pytest
import sqlalchemy as sa
from optuna.trial import TrialState

from storage.engine import open_for_launch
from storage.store import StudyStore, create_study


def compare(study: optuna.Study, database: optuna.storages.RDBStorage) -> None:
    held = optuna.load_study(study_name="s", storage=database).get_trials()  # in the same SQL transaction
    assert words(study.get_trials()) == words(held)
    assert words([study._storage.get_trial(trial._trial_id) for trial in held]) == words(held)


def words(trials: list[optuna.trial.FrozenTrial]) -> list[str]:
    """NaN does not equal itself."""
    return [repr(vars(trial)) for trial in trials]


def test_an_event_knows_its_trials_as_the_database_holds_them_after_each_of_its_steps(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.frozen_trials._AT_ONCE", 2)
    database = open_for_launch(database_url)
    create_study(database, "s", "maximize")
    store = StudyStore(database, "s")
    for value in (0.5, math.inf, -math.inf, None):  # the first event reads all trials, the others what is new
        with store.transaction() as transaction:
            study = transaction.optuna_study
            compare(study, database)
            trial = study.ask()
            compare(study, database)
            trial.suggest_float("x", 0, 1)
            compare(study, database)
            before = study.get_trials(deepcopy=False)
            trial.suggest_categorical("kind", ["a", None])
            assert list(before[-1].params) == ["x"]  # what was handed out does not change
            study._storage.set_trial_system_attr(trial._trial_id, "note", "to be replaced")
            study._storage.set_trial_system_attr(trial._trial_id, "note", (1, {2: 3.5}))
            trial.set_user_attr("note", [None])
            compare(study, database)
            for epoch, figure in enumerate([0.5, math.nan, math.inf, -math.inf, 1e-300], start=1):
                trial.report(figure, epoch)
            compare(study, database)
            study.tell(trial, value, TrialState.PRUNED if value is None else TrialState.COMPLETE)
            compare(study, database)
            study.enqueue_trial({"x": 0.25})
            compare(study, database)
            given = study.ask()
            assert given.suggest_float("x", 0, 1) == 0.25
            compare(study, database)
            study.tell(given, state=TrialState.FAIL)
            study.ask()  # stays at work
    again = StudyStore(database, "s")
    with again.transaction() as transaction:
        compare(transaction.optuna_study, database)
    store.close()


@pytest.mark.parametrize("sampler", [optuna.samplers.TPESampler, optuna.samplers.GPSampler])
def test_however_often_a_sampler_asks_for_trials_an_event_reads_them_once(
    sqlite_url: str, sampler: type[optuna.samplers.BaseSampler]
) -> None:
    database = open_for_launch(sqlite_url)
    store = create_study(database, "s", "maximize")
    statements: list[str] = []

    @sa.event.listens_for(database.engine, "before_cursor_execute")
    def note(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    for number in range(14):
        with store.transaction() as transaction:
            study = transaction.optuna_study
            study.sampler = sampler(seed=0)  # type: ignore[call-arg]
            statements.clear()
            trial = study.ask()
            value = trial.suggest_float("x", 0, 1) + trial.suggest_int("odd" if number % 2 else "even", 0, 9)
            assert sum("FROM trial_intermediate_values" in statement for statement in statements) <= 1
            study.tell(trial, value)
    store.close()
