"""The decisions of a study, on real databases and virtual time."""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import optuna
import pytest
import sqlalchemy as sa

from storage.checkpoints import Checkpoint
from storage.engine import open_existing, open_for_launch
from storage.reading import StudyReader
from storage.stopping import request_stop
from storage.store import StudyStore
from storage.tables import ATTEMPT, LAUNCH
from tests.scenes import HERE, begin, play, report
from tests.studies import make_space, optuna_trials, rows, simulate
from tests.trainers import curve
from tuner.checkpoint_files import CheckpointFiles
from tuner.events import Assignment, AttemptEnd, Decider, Decision, EpochReport, Idle, Outcome
from tuner.execution.simulated import SimulatedExecutor
from tuner.reporting.status_lines import ended_line, status_lines
from tuner.search_space import best_value
from tuner.study import Study


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


def test_when_the_hours_are_spent_nothing_begins_and_what_runs_is_given_up(sqlite_url: str) -> None:
    """The hour of the first launch has passed while its trial is in mid-epoch: it goes on in another one."""
    told: list[str] = []
    space = make_space(budget={"hours": 1.0}, early_stopping={"name": "none"})

    def scene(study: Decider) -> None:
        assert study.on_epoch(begin(study), report(1, score=0.5)).outcome is Outcome.GO_ON
        engine = open_existing(sqlite_url).engine
        with engine.begin() as connection:
            connection.execute(sa.update(LAUNCH).values(started_at=LAUNCH.c.started_at - 3600))
        engine.dispose()
        assert study.next_trial() is Idle.SPENT

    play(space, sqlite_url, scene, say=told.append)
    assert "the study's hours are spent; raise the budget and launch again to go on" in told
    (trial,) = StudyReader(sqlite_url).study("s").trials
    assert (trial.state, dict(trial.values)) == ("interrupted", {1: 0.5})
    assert [a.outcome for a in attempts(sqlite_url)] == ["suspended"]


def test_checkpoints_that_are_damaged_do_not_stand_in_the_way_of_new_ones(sqlite_url: str, tmp_path: Path) -> None:
    files = CheckpointFiles(str(tmp_path / "kept"))

    def train(study: Decider, assignment: Assignment, epoch: int, damaged: tuple[Checkpoint, ...] = ()) -> None:
        kept = files.write(assignment.trial, assignment.attempt, epoch, b"state")
        told = EpochReport(epoch, {"score": epoch / 10}, {}, HERE, checkpoint=kept, damaged=damaged)
        assert study.on_epoch(assignment, told).outcome is Outcome.GO_ON

    def scene(study: Decider) -> None:
        first = begin(study)
        for epoch in (1, 2, 3, 4):
            train(study, first, epoch)
        study.on_end(first, AttemptEnd.NODE_LOST, "gone")
        second = begin(study)  # finds both damaged and begins anew
        train(study, second, 1, second.checkpoints)
        train(study, second, 2)
        study.on_end(second, AttemptEnd.NODE_LOST, "gone")
        third = begin(study)
        assert [(c.epoch, c.attempt) for c in third.checkpoints] == [(2, 2), (1, 2)]

    play(make_space(early_stopping={"name": "none"}), sqlite_url, scene)


def test_a_late_result_of_an_attempt_that_no_longer_holds_the_trial_is_refused(sqlite_url: str) -> None:
    def scene(study: Decider) -> None:
        old = begin(study)
        assert study.on_end(old, AttemptEnd.WORKER_LOST, "gone") is Outcome.SUSPENDED
        new = begin(study)
        assert (new.trial, new.attempt) == (old.trial, 2)
        assert study.on_epoch(old, report(1, score=0.1)).outcome is Outcome.REFUSED
        assert study.on_end(old, AttemptEnd.RAISED, "late") is Outcome.REFUSED
        study.on_epoch(new, report(1, score=math.nan))
        assert (
            study.on_epoch(new, report(2, score=0.1)).outcome is Outcome.PRUNED
        )  # how it ended: the answer may be lost

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


def test_a_launchs_death_between_two_of_a_worker_neither_counts_nor_makes_up_for_one(database_url: str) -> None:
    def launch_dies(study: Decider) -> None:
        assert study.on_end(begin(study), AttemptEnd.WORKER_LOST, "killed") is Outcome.SUSPENDED
        assert begin(study).attempt == 2  # the launch ends with it

    def worker_dies(study: Decider) -> None:
        third = begin(study)
        assert (third.trial, third.attempt) == (0, 3)
        assert study.on_end(third, AttemptEnd.WORKER_LOST, "killed") is Outcome.FAILED

    play(make_space(), database_url, launch_dies)
    play(make_space(), database_url, worker_dies)
    assert [a.outcome for a in attempts(database_url)] == ["worker_lost", "suspended", "worker_lost"]


def test_an_epoch_that_is_told_again_costs_no_checkpoint(sqlite_url: str, tmp_path: Path) -> None:
    """The answer to the trial's last epoch was lost, so it is asked again."""
    files = CheckpointFiles(str(tmp_path / "kept"))

    def scene(study: Decider) -> None:
        assignment = begin(study)
        last = EpochReport(1, {"score": 0.5}, {}, HERE, checkpoint=files.write(assignment.trial, 1, 1, b"the best"))
        for _ in range(2):
            assert study.on_epoch(assignment, last).outcome is Outcome.COMPLETE

    play(make_space(settings={"epochs": 1}), sqlite_url, scene)
    assert list(files.found().values()) == [(0, 1)]


def test_an_exception_fails_the_trial_and_its_traceback_is_kept(sqlite_url: str) -> None:
    def scene(study: Decider) -> None:
        assert study.on_end(begin(study), AttemptEnd.RAISED, "Traceback …\nValueError: a bug") is Outcome.FAILED
        assert begin(study).trial == 1

    play(make_space(), sqlite_url, scene)
    failed, running = StudyReader(sqlite_url).study("s").trials
    assert (failed.state, failed.reason) == ("failed", "ValueError: a bug")
    assert running.state == "interrupted"  # the launch ended without it
    assert [a.outcome for a in attempts(sqlite_url)] == ["failed", "suspended"]


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


def test_a_trial_that_is_stopped_while_nobody_works_on_it_keeps_its_attempts_as_they_ended(database_url: str) -> None:
    """An end that moved to the day of going on would count the night between as hours spent."""
    told: list[str] = []
    before: list[Any] = []

    def first(study: Decider) -> None:
        assert study.on_end(begin(study), AttemptEnd.WORKER_LOST, "its process died") is Outcome.SUSPENDED

    def second(study: Decider) -> None:
        request_stop(database_url, "s", trial=0)
        before.extend(attempts(database_url))
        assert begin(study).trial == 1
        assert attempts(database_url)[:1] == before

    play(make_space(), database_url, first)
    play(make_space(), database_url, second, say=told.append)
    assert optuna_trials(database_url)[0].state.name == "PRUNED"
    assert any(line.startswith("trial   0 is not gone on with: stopped by ") for line in told)


def test_a_study_that_somebody_stopped_says_so(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked by a user without a name, as in a container."""
    monkeypatch.setattr("getpass.getuser", mock.Mock(side_effect=KeyError("getpwuid(): uid not found: 1234")))
    monkeypatch.setattr("os.getuid", lambda: 1234)

    def scene(study: Decider) -> None:
        running = begin(study)
        request_stop(database_url, "s")
        assert study.on_epoch(running, report(1, score=0.5)).outcome is Outcome.SUSPENDED
        assert study.next_trial() is Idle.FINISHED

    play(make_space(), database_url, scene)
    standing = StudyReader(database_url).standing("s")
    assert standing.last_outcome == "stopped"
    assert "stopped as somebody asked; tuner resume goes on" in "\n".join(status_lines(standing))
    (ended,) = StudyReader(database_url).ended(standing, 0.0)
    assert ended_line(ended, "score").startswith(
        "trial   0 suspended after epoch 1: the study was stopped by user 1234 on "
    )


def test_an_inactive_parameter_is_not_in_the_configuration(sqlite_url: str) -> None:
    simulate(make_space(budget={"trials": 30}), sqlite_url)
    for trial in optuna_trials(sqlite_url):
        assert ("depth" in trial.params) == (trial.params["kind"] == "a")


def test_training_that_raises_is_tried_again_as_often_as_the_file_says(database_url: str) -> None:
    def scene(study: Decider) -> None:
        for attempt in (1, 2, 3):
            assignment = begin(study)
            assert (assignment.trial, assignment.attempt) == (0, attempt)
            assert study.on_epoch(assignment, report(1, score=0.5)).outcome is Outcome.GO_ON
            ended = study.on_end(assignment, AttemptEnd.RAISED, "ValueError: why")
            assert ended is (Outcome.SUSPENDED if attempt < 3 else Outcome.FAILED)

    play(make_space(early_stopping={"name": "none"}, max_retries=2), database_url, scene)
    assert [t.state.name for t in optuna_trials(database_url)] == ["FAIL"]


def test_cpu_hours_end_the_study_and_more_of_them_extend_it(database_url: str) -> None:
    """Nine epochs of a minute each, two workers, one CPU each: a trial takes 0.15 CPU hours."""

    def run(cpu_hours: float) -> list[str]:
        space = make_space(early_stopping={"name": "none"}, budget={"cpu_hours": cpu_hours})
        simulate(space, database_url, SimulatedExecutor(curve, workers=2, start=time.time()))
        return [t.state.name for t in optuna_trials(database_url)]

    assert run(0.2).count("COMPLETE") == 0  # both are at their sixth epoch when it is spent
    assert run(0.51)[:2] == ["COMPLETE"] * 2  # the simulation keeps no checkpoints: each runs all nine again


def test_a_trial_enqueued_in_optuna_is_run_with_its_values(sqlite_url: str) -> None:
    simulate(make_space(budget={"trials": 1}), sqlite_url)
    optuna.load_study(study_name="s", storage=sqlite_url).enqueue_trial({"x": 0.3, "kind": "b"})
    simulate(make_space(budget={"trials": 2}), sqlite_url)
    assert optuna_trials(sqlite_url)[1].params == {"x": 0.3, "kind": "b"}


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


def test_the_best_value_is_the_best_finite_one() -> None:
    assert best_value([math.nan, 1.0, math.inf, 2.0], "maximize") == 2.0
    assert best_value([math.nan, 1.0, -math.inf, 2.0], "minimize") == 1.0
    assert best_value([math.nan], "maximize") is None
