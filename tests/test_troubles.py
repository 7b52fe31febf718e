"""Trials that break, and studies in which all do, as the study sees them."""

import math

import pytest

from storage.reading import StudyReader
from tests.scenes import begin, play, report
from tests.studies import make_space, optuna_trials, simulate
from tuner.errors import TrainingError
from tuner.events import AttemptEnd, Decider, Idle, Outcome

UNSTOPPED = make_space(early_stopping={"name": "none"})


def test_a_trial_that_ran_out_of_memory_is_tried_once_more_with_nothing_beside_it(database_url: str) -> None:
    def scene(study: Decider) -> None:
        large, small = begin(study), begin(study)
        assert study.on_end(large, AttemptEnd.OUT_OF_MEMORY, "MemoryError") is Outcome.SUSPENDED
        assert study.next_trial() is Idle.WAIT  # until the other one has ended
        assert study.on_epoch(small, report(1, score=math.nan)).outcome is Outcome.PRUNED
        alone = begin(study)
        assert (alone.trial, alone.attempt) == (large.trial, 2)
        assert study.next_trial() is Idle.WAIT  # as long as it runs
        assert study.on_epoch(alone, report(1, score=0.5)).outcome is Outcome.GO_ON
        assert study.on_end(alone, AttemptEnd.OUT_OF_MEMORY, "MemoryError") is Outcome.PRUNED
        assert study.on_end(alone, AttemptEnd.OUT_OF_MEMORY, "MemoryError") is Outcome.PRUNED  # the answer was lost
        assert begin(study).trial == 2

    play(UNSTOPPED, database_url, scene, concurrency=2)
    trial = optuna_trials(database_url)[0]
    assert (trial.state.name, trial.intermediate_values) == ("PRUNED", {1: 0.5})
    assert trial.constraints == {"memory": 1.0}  # what samplers take as infeasible
    view = StudyReader(database_url).study("s").trials[0]
    assert view.reason == "ran out of memory twice, the second time with nothing beside it: it cannot be trained here"


def test_what_runs_alone_stays_so_when_its_launch_dies_and_beside_other_launches(database_url: str) -> None:
    def first(study: Decider) -> None:
        assert study.on_end(begin(study), AttemptEnd.OUT_OF_MEMORY, "MemoryError") is Outcome.SUSPENDED
        alone = begin(study)
        assert alone.attempt == 2

        def second(other: Decider) -> None:
            assert other.next_trial() is Idle.WAIT  # it is the same machine

        play(UNSTOPPED, database_url, second)

    play(UNSTOPPED, database_url, first, concurrency=2)

    def third(study: Decider) -> None:
        assert begin(study).attempt == 3
        assert study.next_trial() is Idle.WAIT

    play(UNSTOPPED, database_url, third, concurrency=2)


def test_a_gpu_of_its_own_needs_nobody_to_wait(sqlite_url: str) -> None:
    """The machine has none: what counts is the share that the attempt was given."""

    class Script:
        cpus, gpus, concurrency, clock = 1.0, 1.0, 2, None

        def start(self) -> None: ...

        def stop(self) -> None: ...

        def run(self, study: Decider) -> None:
            large, _ = begin(study), begin(study)
            assert study.on_end(large, AttemptEnd.OUT_OF_DEVICE_MEMORY, "OutOfMemoryError") is Outcome.SUSPENDED
            assert begin(study).trial == large.trial

    from tuner.launching import launch

    launch(UNSTOPPED, sqlite_url, say=lambda line: None, make_executor=lambda *_: Script())


def test_a_study_in_which_every_trial_fails_in_the_same_way_ends_early_and_says_so(database_url: str) -> None:
    def scene(study: Decider) -> None:
        running = [begin(study) for _ in range(6)]
        for number, assignment in enumerate(running[:5]):
            study.on_epoch(assignment, report(1, score=0.5))
            assert study.on_end(assignment, AttemptEnd.RAISED, f"KeyError: {number}") is Outcome.FAILED
        assert study.next_trial() is Idle.WAIT  # the sixth may still do better
        assert study.on_epoch(running[5], report(1, score=0.5)).outcome is Outcome.GO_ON
        assert study.next_trial() is Idle.WAIT  # the others came as far
        assert study.on_end(running[5], AttemptEnd.RAISED, "KeyError: 9") is Outcome.FAILED
        study.next_trial()

    space = make_space(early_stopping={"name": "none"}, budget={"trials": 50})
    with pytest.raises(
        TrainingError, match=r"all 6 trials .* failed in the same way: KeyError: 0; tuner logs s 5 shows"
    ):
        play(space, database_url, scene, concurrency=6)
    assert len(optuna_trials(database_url)) == 6
    simulate(make_space(early_stopping={"name": "none"}, budget={"trials": 8}), database_url)  # the cause is corrected
    assert [t.state.name for t in optuna_trials(database_url)[6:]] == ["COMPLETE"] * 2


def test_one_trial_that_comes_further_keeps_the_study_going(sqlite_url: str) -> None:
    def scene(study: Decider) -> None:
        running = [begin(study) for _ in range(6)]
        assert study.on_epoch(running[5], report(1, score=0.5)).outcome is Outcome.GO_ON
        for assignment in running[:5]:
            assert study.on_end(assignment, AttemptEnd.RAISED, "KeyError: 'x'") is Outcome.FAILED
        assert begin(study).trial == 6

    play(UNSTOPPED, sqlite_url, scene, concurrency=6)


def test_failures_of_different_kinds_do_not_end_a_study(sqlite_url: str) -> None:
    def scene(study: Decider) -> None:
        for number in range(7):
            kind = "KeyError" if number % 2 else "ValueError"
            assert study.on_end(begin(study), AttemptEnd.RAISED, f"{kind}: 'x'") is Outcome.FAILED
        assert begin(study).trial == 7

    play(UNSTOPPED, sqlite_url, scene)
