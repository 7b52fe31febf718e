"""A configuration that comes up again: answered by the recorded result, never trained twice at once."""

import math
from typing import Any

import pytest
import sqlalchemy as sa

from storage.engine import open_existing
from storage.reading import StudyReader
from storage.tables import ATTEMPT
from tests.scenes import begin, play, report
from tests.studies import make_space, optuna_trials, rows, simulate
from tests.trainers import curve
from tuner.events import AttemptEnd, Decider, Idle, Outcome
from tuner.execution.simulated import SimulatedExecutor
from tuner.reporting.summary import rank

SIX = {"x": [0.1, 0.3], "depth": {"low": 1, "high": 3}}
ONE = {"x": 0.3}


def num_attempts(url: str) -> int:
    engine = open_existing(url).engine
    with engine.connect() as connection:
        count = connection.execute(sa.select(sa.func.count()).select_from(ATTEMPT)).scalar_one()
    engine.dispose()
    return int(count)


def space_of(points: dict[str, Any], **changes: Any) -> Any:
    return make_space(**{"space": points, "early_stopping": {"name": "none"}, "budget": {"trials": 40}, **changes})


@pytest.mark.parametrize("sampler", ["random", "tpe", "qmc", "grid"])
@pytest.mark.parametrize("workers", [1, 4])
def test_a_space_is_searched_to_its_last_configuration_and_each_is_trained_once(
    sqlite_url: str, sampler: str, workers: int
) -> None:
    told: list[str] = []
    space = space_of(SIX, sampler={"name": sampler, "seed": 3})
    simulate(space, sqlite_url, SimulatedExecutor(curve, workers=workers), say=told.append)
    assert num_attempts(sqlite_url) == 6
    trials = StudyReader(sqlite_url).study("s").trials
    assert {t.state for t in trials} == {"complete"}
    by_number = {t.number: t for t in trials}
    for trial in trials:
        if trial.repeat_of is not None:
            original = by_number[trial.repeat_of]
            assert (trial.parameters, trial.values) == (original.parameters, original.values)
            assert trial.reason == f"the configuration of trial {original.number}: its recorded result answers"
            assert any(f"trial {trial.number:3d} has the configuration of trial {original.number}" in t for t in told)
    assert [t.value for t in optuna_trials(sqlite_url)] == [max(t.values.values()) for t in trials]
    simulate(space, sqlite_url)  # nothing is left to try
    assert "every configuration of the space has been tried" in told
    assert num_attempts(sqlite_url) == 6


def test_a_winner_is_ranked_once(sqlite_url: str) -> None:
    simulate(space_of(SIX, enqueue=[{"x": 0.3, "depth": 1}] * 3), sqlite_url)
    view = StudyReader(sqlite_url).study("s")
    assert sum(t.parameters == {"x": 0.3, "depth": 1} for t in view.trials) >= 3
    assert sum(r.trial.parameters == {"x": 0.3, "depth": 1} for r in rank(view)) == 1


def test_a_configuration_that_runs_is_waited_for_and_its_result_answers_all(database_url: str) -> None:
    def scene(study: Decider) -> None:
        first = begin(study)
        assert study.next_trial() is Idle.WAIT  # two more have the same configuration, and wait for its result
        assert study.next_trial() is Idle.WAIT
        states = [t.state for t in StudyReader(database_url).study("s").trials]
        assert states == ["running", "waiting", "waiting", "waiting"]
        assert StudyReader(database_url).standing("s").trials["waiting"] == 3
        for epoch in (1, 2):
            study.on_epoch(first, report(epoch, score=epoch / 10))
        assert study.next_trial() is Idle.FINISHED

    space = space_of(ONE, settings={"epochs": 2}, enqueue=[{"x": 0.3}] * 4, budget={"trials": 4})
    play(space, database_url, scene, concurrency=4)
    trials = optuna_trials(database_url)
    assert [(t.state.name, t.value, t.intermediate_values) for t in trials] == [("COMPLETE", 0.2, {1: 0.1, 2: 0.2})] * 4


def test_a_failure_is_no_result_so_the_next_is_trained_and_the_others_wait_for_it(database_url: str) -> None:
    def scene(study: Decider) -> None:
        first = begin(study)
        assert study.next_trial() is Idle.WAIT
        assert study.on_end(first, AttemptEnd.RAISED, "OSError: disk") is Outcome.FAILED
        second = begin(study)
        assert second.trial == 1
        assert study.on_epoch(second, report(1, score=math.nan)).outcome is Outcome.PRUNED
        assert study.next_trial() is Idle.FINISHED

    play(space_of(ONE, enqueue=[{"x": 0.3}] * 3, budget={"trials": 3}), database_url, scene, concurrency=3)
    view = StudyReader(database_url).study("s")
    assert [(t.state, t.repeat_of, t.attempts) for t in view.trials] == [
        ("failed", None, 1), ("pruned", None, 1), ("pruned", 1, 0),
    ]  # fmt: skip


def test_an_infeasible_configuration_is_not_tried_again(sqlite_url: str) -> None:
    def scene(study: Decider) -> None:
        assert study.on_end(begin(study), AttemptEnd.OUT_OF_MEMORY, "MemoryError") is Outcome.SUSPENDED
        assert study.on_end(begin(study), AttemptEnd.OUT_OF_MEMORY, "MemoryError") is Outcome.PRUNED
        assert study.next_trial() is Idle.FINISHED

    play(space_of(ONE, enqueue=[{"x": 0.3}] * 2, budget={"trials": 2}), sqlite_url, scene)
    assert [t.constraints for t in optuna_trials(sqlite_url)] == [{"memory": 1.0}] * 2


def test_training_that_is_not_deterministic_is_repeated_but_never_twice_at_once(sqlite_url: str) -> None:
    space = space_of(ONE, settings={"epochs": 2}, repeats="rerun", enqueue=[{"x": 0.3}] * 3, budget={"trials": 3})

    def scene(study: Decider) -> None:
        for number in range(3):
            running = begin(study)
            assert running.trial == number
            assert study.next_trial() is (Idle.WAIT)
            for epoch in (1, 2):
                study.on_epoch(running, report(epoch, score=number / 10))
        assert study.next_trial() is Idle.FINISHED

    play(space, sqlite_url, scene, concurrency=2)
    assert [t.value for t in optuna_trials(sqlite_url)] == [0.0, 0.1, 0.2]
    assert num_attempts(sqlite_url) == 3


def test_a_sampler_that_proposes_nothing_new_ends_a_study_without_an_end_of_configurations(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = make_space(sampler={"name": "tests.own_sampler:Stubborn", "seed": 0}, budget={"trials": 100})
    told: list[str] = []
    simulate(space, sqlite_url, say=told.append)
    assert "the sampler proposed 10 configurations in a row that had been tried before" in told
    assert num_attempts(sqlite_url) == 1
    assert len(optuna_trials(sqlite_url)) == 11


def test_a_study_with_repeats_that_is_killed_between_events_is_the_same(tmp_path: Any) -> None:
    whole, pieces = f"sqlite:///{tmp_path}/whole.db", f"sqlite:///{tmp_path}/pieces.db"
    simulate(space_of(SIX, sampler={"name": "tpe", "seed": 1}, budget={"trials": 9}), whole)
    for trials in range(1, 10):
        simulate(space_of(SIX, sampler={"name": "tpe", "seed": 1}, budget={"trials": trials}), pieces)
    assert rows(whole) == rows(pieces)
