"""Several launches of one study at once: it is shared, and the dead are inherited by the living."""

import multiprocessing
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.engine import open_existing
from storage.launches import HEARTBEAT_EXPIRY_SECONDS, spent_cpu_hours, spent_hours
from storage.reading import StudyReader
from storage.tables import ATTEMPT, LAUNCH
from storage.trial_log import read_trial_log
from tests.scenes import HERE, begin, play, report
from tests.studies import make_space, optuna_trials, simulate
from tuner.checkpoint_files import CheckpointFiles
from tuner.events import AttemptEnd, Decider, EpochReport, Idle, Outcome

SPACE = make_space(early_stopping={"name": "none"}, settings={"epochs": 2}, budget={"trials": 3})


def change(url: str, statement: sa.Update) -> None:
    engine = open_existing(url).engine
    with engine.begin() as connection:
        connection.execute(statement)
    engine.dispose()


def fall_asleep(url: str) -> None:
    """All launches so far have not been heard of for too long."""
    change(url, sa.update(LAUNCH).values(heartbeat_at=LAUNCH.c.heartbeat_at - HEARTBEAT_EXPIRY_SECONDS - 1))


def test_two_launches_share_a_study_and_no_trial_runs_twice(database_url: str) -> None:
    told: list[str] = []

    def first(study: Decider) -> None:
        mine = begin(study)
        assert study.next_trial() is Idle.WAIT  # one at once is what this launch has room for

        def second(other: Decider) -> None:
            theirs = begin(other)
            assert (mine.trial, theirs.trial) == (0, 1)
            assert other.on_epoch(theirs, report(1, score=0.1)).outcome is Outcome.GO_ON
            assert study.on_epoch(mine, report(1, score=0.2)).outcome is Outcome.GO_ON
            assert other.on_epoch(theirs, report(2, score=0.3)).outcome is Outcome.COMPLETE
            last = begin(other)
            assert study.on_epoch(mine, report(2, score=0.4)).outcome is Outcome.COMPLETE
            assert study.next_trial() is Idle.WAIT  # the budget is spent; the other launch may still die
            for epoch in (1, 2):
                other.on_epoch(last, report(epoch, score=0.5))
            assert other.next_trial() is Idle.FINISHED

        play(SPACE, database_url, second, say=told.append)
        assert study.next_trial() is Idle.FINISHED

    play(SPACE, database_url, first)
    assert [(t.number, t.state.name) for t in optuna_trials(database_url)] == [(n, "COMPLETE") for n in range(3)]
    assert any("which runs this study too" in line for line in told)


def test_a_launch_that_only_slept_finds_its_late_results_refused_and_works_on(database_url: str) -> None:
    told: list[str] = []

    def sleeper(study: Decider) -> None:
        mine = begin(study)
        study.on_epoch(mine, report(1, score=0.1))
        fall_asleep(database_url)

        def heir(other: Decider) -> None:
            taken = begin(other)
            assert (taken.trial, taken.attempt) == (mine.trial, 2)
            assert study.on_epoch(mine, report(2, score=0.9)).outcome is Outcome.REFUSED
            assert study.on_end(mine, AttemptEnd.RAISED, "late") is Outcome.REFUSED
            fresh = begin(study)  # awake again: it shares the study
            assert fresh.trial == 1
            for launch, assignment in ((other, taken), (study, fresh)):
                launch.on_epoch(assignment, report(1, score=0.2))
                assert launch.on_epoch(assignment, report(2, score=0.3)).outcome is Outcome.COMPLETE

        play(SPACE, database_url, heir, say=told.append)

    play(SPACE, database_url, sleeper)
    values = [t.intermediate_values for t in optuna_trials(database_url)]
    assert values == [{1: 0.1, 2: 0.3}, {1: 0.2, 2: 0.3}]  # the first record stands, the late one is nowhere
    assert any("left 1 running trials; they go on first" in line for line in told)


def test_a_late_epoch_costs_no_checkpoint_that_the_heir_goes_on_from(sqlite_url: str, tmp_path: Path) -> None:
    """Its answer was lost before the launch fell asleep, so the epoch is asked again afterwards."""
    files = CheckpointFiles(str(tmp_path / "kept"))

    def sleeper(study: Decider) -> None:
        mine = begin(study)
        told = EpochReport(1, {"score": 0.1}, {}, HERE, checkpoint=files.write(mine.trial, mine.attempt, 1, b"state"))
        study.on_epoch(mine, told)
        fall_asleep(sqlite_url)

        def heir(other: Decider) -> None:
            (kept,) = begin(other).checkpoints
            assert study.on_epoch(mine, told).outcome is Outcome.REFUSED
            assert files.read(kept) == b"state"

        play(SPACE, sqlite_url, heir)

    play(SPACE, sqlite_url, sleeper)


def test_what_a_silent_launch_did_not_do_is_not_charged(database_url: str) -> None:
    """It was last heard of an hour ago, and nobody has taken over its trial yet."""

    def scene(study: Decider) -> None:
        begin(study)
        hours = {"started_at": -7200, "heartbeat_at": -3600}
        change(database_url, sa.update(LAUNCH).values({name: LAUNCH.c[name] + more for name, more in hours.items()}))
        change(database_url, sa.update(ATTEMPT).values(started_at=ATTEMPT.c.started_at - 5400))
        standing = StudyReader(database_url).standing("s")
        assert round(standing.hours, 2) == 1.0  # from two hours ago to one hour ago
        assert round(standing.cpu_hours, 2) == 0.5
        with open_existing(database_url).engine.connect() as connection:
            assert round(spent_hours(connection, 1, time.time()), 2) == 1.0
            assert round(spent_cpu_hours(connection, 1, time.time()), 2) == 0.5

    play(SPACE, database_url, scene)


def test_the_log_of_a_trial_whose_launch_died_says_so_before_anybody_takes_it_over(database_url: str) -> None:
    def scene(study: Decider) -> None:
        begin(study)
        (attempt,) = read_trial_log(StudyReader(database_url), "s", 0).attempts
        assert attempt.outcome is None
        fall_asleep(database_url)
        change(database_url, sa.update(ATTEMPT).values(started_at=ATTEMPT.c.started_at - 3600))
        (attempt,) = read_trial_log(StudyReader(database_url), "s", 0).attempts
        assert attempt.outcome == "launch_died"
        assert 3600 - HEARTBEAT_EXPIRY_SECONDS - 30 < attempt.seconds < 3600

    play(SPACE, database_url, scene)


def test_a_launch_with_its_hands_full_takes_over_from_the_dead_all_the_same(database_url: str) -> None:
    def dies(study: Decider) -> None:
        begin(study)

        def heir(other: Decider) -> None:
            begin(other)
            told.clear()
            fall_asleep(database_url)
            change(database_url, sa.update(LAUNCH).where(LAUNCH.c.launch_id == 2).values(heartbeat_at=time.time()))
            assert other.next_trial() is Idle.WAIT
            assert ended == ["died"]  # what is told has been committed
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            play(SPACE, database_url, heir, say=tell)

    told: list[str] = []
    ended: list[str | None] = []

    def tell(line: str) -> None:
        told.append(line)
        if "died" in line:
            with open_existing(database_url).engine.connect() as connection:
                ended.append(
                    connection.execute(sa.select(LAUNCH.c.outcome).where(LAUNCH.c.launch_id == 1)).scalar_one()
                )

    play(SPACE, database_url, dies)


def test_a_launch_that_dies_while_another_waits_is_inherited_by_it(database_url: str) -> None:
    def living(study: Decider) -> None:
        def dying(other: Decider) -> None:
            for _ in range(3):
                begin(other)
            assert study.next_trial() is Idle.WAIT
            fall_asleep(database_url)
            inherited = begin(study)
            assert (inherited.trial, inherited.attempt) == (0, 2)

        play(SPACE, database_url, dying, concurrency=3)

    play(SPACE, database_url, living)
    engine = open_existing(database_url).engine
    with engine.connect() as connection:
        outcomes = list(connection.execute(sa.select(ATTEMPT.c.outcome)).scalars())
    assert outcomes.count("launch_died") == 3
    engine.dispose()


def test_no_attempt_of_a_dead_launch_ends_before_it_began(database_url: str) -> None:
    """A launch may begin a trial after its last heartbeat; hours that are budgeted must not become less by its death."""

    def living(study: Decider) -> None:
        def dying(other: Decider) -> None:
            begin(other)
            fall_asleep(database_url)
            begin(study)

        play(SPACE, database_url, dying)

    play(SPACE, database_url, living)
    engine = open_existing(database_url).engine
    with engine.connect() as connection:
        attempts = connection.execute(sa.select(ATTEMPT).order_by(ATTEMPT.c.attempt)).all()
    engine.dispose()
    assert [a.outcome for a in attempts] == ["launch_died", "suspended"]
    assert all(a.started_at <= a.ended_at for a in attempts)


def _launch(url: str, seed: int) -> None:
    simulate(make_space(sampler={"name": "random", "seed": 7}, budget={"trials": 40}), url)


@pytest.mark.parametrize("launches", [3])
def test_launches_in_processes_of_their_own_never_exceed_the_budget(database_url: str, launches: int) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_launch, args=(database_url, n)) for n in range(launches)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    trials = optuna_trials(database_url)
    assert len(trials) == 40
    assert {t.state.name for t in trials} <= {"COMPLETE", "PRUNED"}
    for trial in trials:
        assert sorted(trial.intermediate_values) == list(range(1, len(trial.intermediate_values) + 1))
    engine = open_existing(database_url).engine
    with engine.connect() as connection:
        rows = connection.execute(sa.select(ATTEMPT.c.trial_id, ATTEMPT.c.attempt)).all()
    assert len(rows) == 40  # no trial was run twice
    engine.dispose()
