"""The decisions of a study, on real databases and virtual time."""

import math
import os
import sqlite3
import time
from collections.abc import Mapping
from typing import Any

import optuna
import pytest
import sqlalchemy as sa

from storage.engine import open_existing, open_for_launch
from storage.errors import DatabaseAwayError, StudyBusyError, StudyChangedError
from storage.reading import StudyReader
from storage.store import ATTEMPT, Place, StudyStore, create_study
from storage.tables import TABLES
from storage.trial_log import read_trial_log
from tests.studies import make_space, optuna_trials, rows, simulate
from tests.trainers import curve
from tuner.errors import InputError
from tuner.execution.simulated import SimulatedExecutor
from tuner.launching import launch
from tuner.search_space import SearchSpace, best_value
from tuner.study import (
    Assignment,
    AttemptEnd,
    Decider,
    Decision,
    EpochReport,
    Idle,
    Outcome,
    Study,
)

HERE = Place("host", 1, "cpu")


def report(epoch: int, **metrics: float) -> EpochReport:
    return EpochReport(epoch, metrics, {}, HERE)


class Script:
    """An executor that does what a test tells it with the study itself."""

    cpus, gpus, concurrency = 1.0, 0.0, 1
    clock = None

    def __init__(self, play: Any, concurrency: int = 1) -> None:
        self._play = play
        self.concurrency = concurrency

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def run(self, study: Decider) -> None:
        self._play(study)


def play(space: SearchSpace, url: str, scene: Any, concurrency: int = 1, say: Any = lambda line: None) -> None:
    launch(space, url, say=say, make_executor=lambda *_: Script(scene, concurrency))


def begin(study: Decider) -> Assignment:
    assignment = study.next_trial()
    assert isinstance(assignment, Assignment)
    return assignment


def attempts(url: str) -> list[Any]:
    engine = open_existing(url).engine
    with engine.connect() as connection:
        return list(connection.execute(sa.select(ATTEMPT).order_by(ATTEMPT.c.trial_id, ATTEMPT.c.attempt)))


def test_finished_trials_are_complete_with_their_best_epoch_and_stopped_ones_pruned(database_url: str) -> None:
    def humped(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
        return {"score": curve(configuration, epoch)["score"] - (0.5 if epoch > 7 else 0.0)}

    simulate(make_space(), database_url, SimulatedExecutor(humped))
    trials = optuna_trials(database_url)
    assert len(trials) == 12
    complete = [t for t in trials if t.state.name == "COMPLETE"]
    pruned = [t for t in trials if t.state.name == "PRUNED"]
    assert len(complete) >= 1
    assert len(complete) + len(pruned) == 12
    for trial in complete:
        assert list(trial.intermediate_values) == list(range(1, 10))
        assert trial.value == max(trial.intermediate_values.values()) == trial.intermediate_values[7]
    for trial in pruned:
        assert max(trial.intermediate_values) in (
            1,
            3,
        )  # rungs 1 and 3; every epoch up to the stop is there, the last too
        assert trial.value == trial.intermediate_values[max(trial.intermediate_values)]


def test_every_verdict_at_a_rung_is_recorded_with_cut_off_and_reason(database_url: str) -> None:
    simulate(make_space(), database_url)
    study = StudyReader(database_url).study("s")
    assert [r.epoch for r in study.rungs] == [1, 3]
    assert study.rungs[0].compared == 12
    stopped = [t for t in study.trials if t.state == "pruned"]
    assert stopped
    for trial in stopped:
        assert trial.reason.startswith("rung ")
        assert "not among the best 1/3 of the" in trial.reason
        assert "cut-off" in trial.reason
    assert len(rows(database_url)["decision"]) == sum(r.compared for r in study.rungs)


def test_the_goal_to_minimize_is_kept_in_the_metrics_own_sign(sqlite_url: str) -> None:
    simulate(make_space(metric={"name": "loss", "goal": "minimize"}), sqlite_url)
    best = min(t.value for t in optuna_trials(sqlite_url) if t.state.name == "COMPLETE")
    assert 0 < best < 0.5
    for trial in optuna_trials(sqlite_url):
        if trial.state.name == "COMPLETE":
            assert trial.value == min(trial.intermediate_values.values())


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["score", "loss"])
def test_a_trial_whose_figures_are_not_finite_is_pruned_that_very_epoch(
    database_url: str, broken: float, name: str
) -> None:
    def breaking(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
        return curve(configuration, epoch) | ({name: broken} if epoch == 2 else {})

    simulate(
        make_space(early_stopping={"name": "none"}, budget={"trials": 2}), database_url, SimulatedExecutor(breaking)
    )
    for trial in StudyReader(database_url).study("s").trials:
        assert (trial.state, list(trial.values)) == ("pruned", [1, 2])
        assert trial.reason == f"{name} is {broken} after epoch 2"
    assert [t.state.name for t in optuna_trials(database_url)] == ["PRUNED", "PRUNED"]


def test_without_stop_when_a_study_with_nan_values_still_ends(sqlite_url: str) -> None:
    def never(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
        return {"score": math.nan}

    space = make_space(stop_when=[], early_stopping={"name": "none"}, budget={"trials": 2})
    simulate(space, sqlite_url, SimulatedExecutor(never))
    assert [t.state.name for t in optuna_trials(sqlite_url)] == ["FAIL", "FAIL"]


def test_the_same_seed_gives_the_same_study_and_another_seed_another(tmp_path: Any) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        simulate(make_space(sampler={"name": "tpe", "seed": seed}), f"sqlite:///{tmp_path}/{name}.db")
    a, b, c = (rows(f"sqlite:///{tmp_path}/{name}.db") for name in "abc")
    assert a == b
    assert a != c


def test_a_study_is_the_same_on_sqlite_and_postgresql(sqlite_url: str, postgres_url: str) -> None:
    space = make_space(sampler={"name": "tpe", "seed": 3}, budget={"trials": 20})
    simulate(space, sqlite_url)
    simulate(space, postgres_url)
    assert rows(sqlite_url) == rows(postgres_url)


def test_no_more_trials_run_than_may_and_the_budget_is_not_exceeded(sqlite_url: str) -> None:
    def scene(study: Decider) -> None:
        running = [begin(study) for _ in range(3)]
        assert study.next_trial() is Idle.WAIT
        for assignment in running:
            assert study.on_epoch(assignment, report(1, score=math.nan)).outcome is Outcome.PRUNED
        fourth = begin(study)
        assert study.next_trial() is Idle.WAIT  # four of four have begun
        study.on_epoch(fourth, report(1, score=math.nan))
        assert study.next_trial() is Idle.FINISHED

    play(make_space(budget={"trials": 4}), sqlite_url, scene, concurrency=3)
    assert len(optuna_trials(sqlite_url)) == 4


def test_raising_the_budget_extends_a_finished_study(sqlite_url: str) -> None:
    simulate(make_space(budget={"trials": 3}), sqlite_url)
    simulate(make_space(budget={"trials": 5}), sqlite_url)
    assert len(optuna_trials(sqlite_url)) == 5


def test_when_the_hours_are_spent_running_trials_are_kept_for_later(sqlite_url: str) -> None:
    space = make_space(budget={"hours": 0.5}, early_stopping={"name": "none"})
    simulate(
        space, sqlite_url, SimulatedExecutor(curve, workers=2, seconds_per_epoch=lambda _: 150.0, start=time.time())
    )
    trials = StudyReader(sqlite_url).study("s").trials
    assert [t.state for t in trials] == ["complete", "complete", "interrupted", "interrupted"]  # 22.5 minutes each
    again = make_space(budget={"trials": 4}, early_stopping={"name": "none"})
    simulate(again, sqlite_url)
    assert [t.state for t in StudyReader(sqlite_url).study("s").trials] == ["complete"] * 4


def test_a_late_result_of_an_attempt_that_no_longer_holds_the_trial_is_refused(sqlite_url: str) -> None:
    def scene(study: Decider) -> None:
        old = begin(study)
        assert study.on_end(old, AttemptEnd.WORKER_LOST, "gone") is Outcome.SUSPENDED
        new = begin(study)
        assert (new.trial, new.attempt) == (old.trial, 2)
        assert study.on_epoch(old, report(1, score=0.1)).outcome is Outcome.REFUSED
        assert study.on_end(old, AttemptEnd.RAISED, "late") is Outcome.REFUSED
        study.on_epoch(new, report(1, score=math.nan))
        assert study.on_epoch(new, report(2, score=0.1)).outcome is Outcome.REFUSED  # it has ended

    play(make_space(), sqlite_url, scene)
    assert [t.intermediate_values.keys() for t in optuna_trials(sqlite_url)] == [{1}]


def test_the_first_record_of_an_epoch_stands(sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    def scene(study: Decider) -> None:
        first = begin(study)
        study.on_epoch(first, report(1, score=0.5))
        study.on_epoch(first, report(2, score=0.6))
        study.on_end(first, AttemptEnd.WORKER_LOST, "gone")
        second = begin(study)
        assert study.on_epoch(second, report(1, score=0.5)) == Decision(Outcome.GO_ON)
        assert study.on_epoch(second, report(2, score=0.7)) == Decision(Outcome.GO_ON)
        assert study.on_epoch(second, report(3, score=math.nan)).outcome is Outcome.PRUNED

    play(make_space(), sqlite_url, scene)
    (trial,) = optuna_trials(sqlite_url)
    assert trial.intermediate_values[2] == 0.6
    assert "epoch 2 was run again and gave score 0.7; the first record, 0.6, stands" in caplog.text
    assert "epoch 1" not in caplog.text


def test_a_lost_worker_is_tried_again_and_two_in_a_row_without_a_new_epoch_are_a_failure(database_url: str) -> None:
    def scene(study: Decider) -> None:
        for expected in (Outcome.SUSPENDED, Outcome.SUSPENDED, Outcome.FAILED):
            assignment = begin(study)
            assert assignment.trial == 0
            if assignment.attempt == 2:
                study.on_epoch(assignment, report(1, score=0.5))
            if assignment.attempt == 3:
                study.on_epoch(assignment, report(1, score=0.5))  # run again: nothing new
            assert study.on_end(assignment, AttemptEnd.WORKER_LOST, "killed") is expected

    play(make_space(), database_url, scene)
    assert [t.state.name for t in optuna_trials(database_url)] == ["FAIL"]
    assert [a.outcome for a in attempts(database_url)] == ["worker_lost"] * 3


def test_an_exception_fails_the_trial_and_its_traceback_is_kept(sqlite_url: str) -> None:
    def scene(study: Decider) -> None:
        assert study.on_end(begin(study), AttemptEnd.RAISED, "Traceback …\nValueError: a bug") is Outcome.FAILED
        assert begin(study).trial == 1

    play(make_space(), sqlite_url, scene)
    failed, running = StudyReader(sqlite_url).study("s").trials
    assert (failed.state, failed.reason) == ("failed", "ValueError: a bug")
    assert running.state == "interrupted"  # the launch ended without it
    assert [a.outcome for a in attempts(sqlite_url)] == ["failed", "interrupted"]


def test_a_trainer_without_the_studys_metric_fails_with_the_names_it_gave(sqlite_url: str) -> None:
    def scene(study: Decider) -> None:
        decision = study.on_epoch(begin(study), report(1, loss=1.0, accuracy=0.5))
        assert decision.outcome is Outcome.FAILED
        assert decision.reason == "the trainer gave no 'score' for epoch 1; it gave loss, accuracy"

    play(make_space(), sqlite_url, scene)
    assert [t.state.name for t in optuna_trials(sqlite_url)] == ["FAIL"]


def test_interrupted_trials_go_on_first_with_the_configuration_they_had(sqlite_url: str) -> None:
    kept: list[Assignment] = []

    def first(study: Decider) -> None:
        kept.extend(begin(study) for _ in range(2))
        study.on_epoch(kept[0], report(1, score=0.5))

    def second(study: Decider) -> None:
        again = [begin(study) for _ in range(3)]
        assert [(a.trial, a.attempt) for a in again] == [(0, 2), (1, 2), (2, 1)]
        assert [a.configuration for a in again[:2]] == [a.configuration for a in kept]

    play(make_space(), sqlite_url, first, concurrency=3)
    play(make_space(), sqlite_url, second, concurrency=3)


def test_an_inactive_parameter_is_not_in_the_configuration(sqlite_url: str) -> None:
    simulate(make_space(budget={"trials": 30}), sqlite_url)
    for trial in optuna_trials(sqlite_url):
        assert ("depth" in trial.params) == (trial.params["kind"] == "a")


def test_a_second_launch_of_a_living_study_is_refused_with_its_pid(sqlite_url: str) -> None:
    def scene(study: Decider) -> None:
        with pytest.raises(StudyBusyError, match=f"process {os.getpid()} on "):
            simulate(make_space(), sqlite_url)
        simulate(make_space(study="another"), sqlite_url)

    play(make_space(), sqlite_url, scene)
    simulate(make_space(), sqlite_url)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"space": {"x": {"low": 0.0, "high": 2.0}}}, "space.x was"),
        ({"metric": {"name": "loss", "goal": "minimize"}}, "metric was"),
        ({"settings": {"epochs": 10}}, "settings.epochs was 9, is 10"),
        ({"sampler": {"name": "tpe", "seed": 7}}, "sampler was"),
        ({"early_stopping": {"name": "none"}}, "early_stopping was"),
    ],
)
def test_a_changed_space_on_an_existing_study_is_refused_and_nothing_is_written(
    sqlite_url: str, change: dict[str, Any], words: str
) -> None:
    simulate(make_space(budget={"trials": 2}), sqlite_url)
    before = rows(sqlite_url)
    with pytest.raises(StudyChangedError, match=words):
        simulate(make_space(**change), sqlite_url)
    assert rows(sqlite_url) == before
    simulate(make_space(budget={"trials": 3}, concurrency=1, resources={"cpus": 1}), sqlite_url)
    engine = open_existing(sqlite_url).engine
    with engine.connect() as connection:
        versions = connection.execute(sa.select(TABLES["tuner_space"].c.version)).scalars().all()
        outcomes = connection.execute(sa.select(TABLES["tuner_launch"].c.outcome)).scalars().all()
    assert (versions, outcomes) == ([1, 2], ["finished", "finished"])


def test_a_database_that_is_locked_for_too_long_loses_no_event(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.engine._BUSY_SECONDS", 0.2)

    def scene(study: Decider) -> None:
        assignment = begin(study)
        study.on_epoch(assignment, report(1, score=0.5))
        reader = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
        reader.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseAwayError, match="database is locked"):
            study.on_epoch(assignment, report(2, score=0.6))
        reader.execute("ROLLBACK")
        assert study.on_epoch(assignment, report(2, score=0.6)).outcome is Outcome.GO_ON

    play(make_space(early_stopping={"name": "none"}), sqlite_url, scene)
    assert [t.intermediate_values for t in optuna_trials(sqlite_url)] == [{1: 0.5, 2: 0.6}]


def test_a_launch_killed_right_after_it_made_the_study_is_gone_on_with(sqlite_url: str) -> None:
    create_study(open_for_launch(sqlite_url), "s", "maximize")
    simulate(make_space(budget={"trials": 2}), sqlite_url)
    assert len(optuna_trials(sqlite_url)) == 2


@pytest.mark.parametrize("known", [True, False], ids=["our tables there", "Optuna's alone"])
def test_a_study_of_another_program_is_not_mixed_with_ours(sqlite_url: str, known: bool) -> None:
    if known:
        simulate(make_space(study="ours", budget={"trials": 1}), sqlite_url)
    study = optuna.create_study(study_name="s", storage=sqlite_url, direction="maximize")
    study.add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(StudyChangedError, match="was not made by this product"):
        simulate(make_space(), sqlite_url)
    assert len(optuna_trials(sqlite_url)) == 1


def test_a_trial_enqueued_in_optuna_is_run_with_its_values(sqlite_url: str) -> None:
    simulate(make_space(budget={"trials": 1}), sqlite_url)
    optuna.load_study(study_name="s", storage=sqlite_url).enqueue_trial({"x": 0.3, "kind": "b"})
    simulate(make_space(budget={"trials": 2}), sqlite_url)
    assert optuna_trials(sqlite_url)[1].params == {"x": 0.3, "kind": "b"}


def test_gpu_hours_alone_are_refused_where_no_gpu_is(sqlite_url: str) -> None:
    with pytest.raises(InputError, match="gpu_hours alone never end"):
        simulate(make_space(budget={"gpu_hours": 1.0}, resources={"gpus": 0}), sqlite_url)


def test_the_best_that_is_told_is_that_of_all_launches(sqlite_url: str) -> None:
    simulate(make_space(budget={"trials": 6}), sqlite_url)
    lines: list[str] = []
    simulate(make_space(budget={"trials": 7}), sqlite_url, say=lines.append)
    (best,) = {
        t.value
        for t in optuna_trials(sqlite_url)[:6]
        if t.value == max(u.value or 0 for u in optuna_trials(sqlite_url)[:6])
    }
    assert any(f"best {best:.4f}" in line for line in lines)


def test_passwords_given_on_the_command_line_are_not_stored(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["tuner", "launch", "--storage", "postgresql://me:s3cret@host/db"])
    simulate(make_space(budget={"trials": 1}), sqlite_url)
    engine = open_existing(sqlite_url).engine
    with engine.connect() as connection:
        (argv,) = connection.execute(sa.select(TABLES["tuner_launch"].c.argv)).scalars()
    assert argv[-1] == "postgresql://me:***@host/db"


def test_a_study_can_be_rebuilt_from_the_database_between_any_two_events(tmp_path: Any) -> None:
    """A new store and a new Study object for every single event: the same study as with one that lives on."""
    whole, rebuilt = f"sqlite:///{tmp_path}/whole.db", f"sqlite:///{tmp_path}/rebuilt.db"
    space = make_space(sampler={"name": "tpe", "seed": 1}, budget={"trials": 20})
    simulate(space, whole)

    class Forgetful:
        """Rebuilds everything for each question."""

        def __init__(self, launch_id: int) -> None:
            self._launch_id = launch_id

        def __getattr__(self, event: str) -> Any:
            return getattr(Study(StudyStore(open_for_launch(rebuilt), "s"), space, self._launch_id), event)

    def scene(study: Decider) -> None:
        SimulatedExecutor(curve).run(Forgetful(launch_id=1))

    play(space, rebuilt, scene)
    assert rows(whole) == rows(rebuilt)


def test_the_median_rule_compares_the_best_so_far_after_every_epoch(sqlite_url: str) -> None:
    curves = {
        "a": [0.5, 0.1, 0.1, 0.9],
        "b": [0.4, 0.45, 0.3, 0.3],
        "c": [0.3, 0.6, 0.3, 0.8],
        "d": [0.0, 0.44, 0.7, 0.7],
    }
    space = make_space(
        space={"kind": [*curves]},
        settings={"epochs": 4},
        sampler={"name": "grid"},
        enqueue=[{"kind": kind} for kind in curves],
        early_stopping={"name": "median", "min_epochs": 2, "min_trials": 2},
    )
    simulate(space, sqlite_url, SimulatedExecutor(lambda c, epoch: {"score": curves[c["kind"]][epoch - 1]}))
    trials = optuna_trials(sqlite_url)
    assert [t.state.name for t in trials] == ["COMPLETE", "COMPLETE", "COMPLETE", "PRUNED"]
    log = read_trial_log(StudyReader(sqlite_url), "s", 3)
    assert log is not None
    (decision,) = log.decisions
    assert (decision.epoch, decision.verdict, decision.value, decision.cutoff) == (2, "stop", 0.44, 0.5)
    assert decision.reason == (
        "rung 2: score 0.44 is worse than the median of the 3 earlier there (cut-off 0.5)"
    )  # bests at epoch 2: 0.5, 0.45, 0.6


def test_a_trial_that_reports_every_few_epochs_is_compared_at_the_highest_rung_it_passed(sqlite_url: str) -> None:
    def scene(study: Decider) -> None:
        for score, stops in ((0.5, False), (0.4, True), (0.6, False)):
            assignment = begin(study)
            assert study.on_epoch(assignment, report(4, score=score)).stops is stops  # passes rungs 1 and 3
            if not stops:
                study.on_epoch(assignment, report(9, score=score))

    play(make_space(budget={"trials": 3}), sqlite_url, scene)
    study = StudyReader(sqlite_url).study("s")
    assert [(rung.epoch, rung.compared, rung.went_on) for rung in study.rungs] == [(3, 3, 2)]
    assert [trial.state for trial in study.trials] == ["complete", "pruned", "complete"]


def test_the_rungs_are_told_before_the_first_trial(sqlite_url: str) -> None:
    lines: list[str] = []
    simulate(make_space(), sqlite_url, say=lines.append)
    assert lines[1:5] == [
        "early stopping asha: about one in 3 goes on at each rung",
        "  of 12 trials, about:",
        "  rung at epoch    1 of 9: 12 compared, 4 go on",
        "  rung at epoch    3 of 9: 4 compared, 1 go on",
    ]
    assert lines[5].startswith("trial   0 begins")


def test_what_a_later_version_adds_to_the_file_does_not_make_an_older_study_another_one(sqlite_url: str) -> None:
    simulate(make_space(budget={"trials": 1}), sqlite_url)
    engine = open_existing(sqlite_url).engine
    with engine.begin() as connection:
        (content,) = connection.execute(sa.select(TABLES["tuner_space"].c.content)).scalars()
        del content["enqueue"], content["early_stopping"]["brackets"]
        connection.execute(sa.update(TABLES["tuner_space"]).values(content=content))
    engine.dispose()
    simulate(make_space(budget={"trials": 2}), sqlite_url)
    assert len(optuna_trials(sqlite_url)) == 2


def test_the_best_value_is_the_best_finite_one() -> None:
    assert best_value([math.nan, 1.0, math.inf, 2.0], "maximize") == 2.0
    assert best_value([math.nan, 1.0, -math.inf, 2.0], "minimize") == 1.0
    assert best_value([math.nan], "maximize") is None
