"""The real thing: Ray Tune runs the study, from the command line, in a folder of its own."""

import re
import signal
import time
from typing import Any

import optuna
import pytest
import sqlalchemy as sa

from storage.engine import open_existing
from storage.reading import StudyReader
from storage.tables import ATTEMPT, EPOCH_METRIC, LAUNCH
from tests.cli import Folder
from tests.studies import make_space, optuna_trials, rows, simulate

SLOW = {"settings": {"epochs": 6, "sleep": 0.4}, "early_stopping": {"name": "none"}}


def url(folder: Folder) -> str:
    return f"sqlite:///{folder.path}/tuner.db"


def column(folder: Folder, query: Any) -> list[Any]:
    engine = open_existing(url(folder)).engine
    with engine.connect() as connection:
        return list(connection.execute(query).scalars())


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_one_worker_gives_the_study_that_the_simulated_executor_gives(folder: Folder, sampler: str) -> None:
    changes = {"sampler": {"name": sampler, "seed": 7}, "budget": {"trials": 14}}
    space = folder.write("space.yaml", concurrency=1, **changes)
    ended = folder.run("launch", space)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""  # none of Ray's chatter
    simulate(make_space(**changes), f"sqlite:///{folder.path}/simulated.db")
    assert rows(url(folder)) == rows(f"sqlite:///{folder.path}/simulated.db")
    assert ended.stdout.count("/9  score ") == sum(len(t.intermediate_values) for t in optuna_trials(url(folder)))
    assert len(set(column(folder, sa.select(ATTEMPT.c.worker)))) == 1  # the worker was kept between trials
    assert list((folder.path / "home").iterdir()) == []  # nothing in the home folder, Ray's token least of all


def test_the_same_seed_trains_the_same_networks_to_the_last_digit(folder: Folder) -> None:
    small = {"dataset": "digits", "depth": 8, "filters": 4, "train_images": 200, "epochs": 3}
    space = folder.write(
        "space.yaml", trainer="vgg", settings=small, metric={"name": "validation_accuracy", "goal": "maximize"},
        space={"bn_position": ["before_relu", "after_relu"], "weight_decay": {"low": 1e-5, "high": 1e-2, "scale": "log"},
               "dropout": {"low": 0.0, "high": 0.2, "step": 0.1}},
        sampler={"name": "tpe", "seed": 1}, budget={"trials": 5}, concurrency=1,
    )  # fmt: skip
    for name in ("first", "second"):
        ended = folder.run("launch", space, "--storage", f"sqlite:///{name}.db")
        assert ended.returncode == 0, ended.stderr
    first, second = (rows(f"sqlite:///{folder.path}/{name}.db") for name in ("first", "second"))
    assert first == second
    assert len(first["gradient_flow"]) == len({(number, epoch) for number, epoch, _, _ in first["epoch_metric"]})
    names = {name for _, _, name, _ in first["epoch_metric"]}
    assert names == {
        f"'{n}'" for n in ("train_accuracy", "train_loss", "validation_accuracy", "validation_loss", "learning_rate")
    }


def test_every_worker_maps_the_same_read_only_copy_of_the_data(folder: Folder) -> None:
    space = folder.write("space.yaml", trainer="trainers:Shared", settings={"epochs": 2}, budget={"trials": 4})
    ended = folder.run("launch", space)
    assert ended.returncode == 0, ended.stderr
    metric = EPOCH_METRIC.c
    for name, expected in (("shared", 1.0), ("writable", 0.0), ("sum", 999_999 * 500_000)):
        assert set(column(folder, sa.select(metric.value).where(metric.name == name))) == {expected}


def test_every_trouble_of_a_trainer_has_its_outcome_and_leaves_the_others_alone(folder: Folder) -> None:
    expected = {  # trouble -> state, reason, outcomes of its attempts, epochs it begins
        "none": ("complete", "", ["finished"], [1, 2, 3]),
        "raise": ("failed", "ValueError: a bug in the training code", ["failed"], [1, 2]),
        "nan": ("pruned", "loss is nan after epoch 2", ["stopped"], [1, 2]),
        "no_metric": ("failed", "the trainer gave no 'score' for epoch 1; it gave loss", ["failed"], [1]),
        "die": ("complete", "", ["worker_lost", "finished"], [1, 2, 2, 3]),
        "memory": ("pruned", "ran out of memory twice, the second time", ["out_of_memory"] * 2, [1, 2, 2]),
        "hang": ("failed", "Timeout: no new epoch for 3 s (trial_timeout)", ["timed_out"], [1, 2]),
    }
    space = folder.write(
        "space.yaml", trainer="trainers:Trouble", settings={"epochs": 3, "marker": "died.marker", "sleep": 0.05},
        space={"x": 0.3, "trouble": [*expected]}, early_stopping={"name": "none"}, sampler={"name": "grid", "seed": 0},
        trial_timeout=3,
    )  # fmt: skip
    ended = folder.run("launch", space)
    assert ended.returncode == 0, ended.stderr
    assert "lost its worker; it will be tried again" in ended.stdout
    assert "hung; the trial failed: Timeout: no new epoch for 3 s" in ended.stdout
    assert "ran out of memory; such a configuration cannot be trained here: numpy" in ended.stdout
    trials = {trial.parameters["trouble"]: trial for trial in StudyReader(url(folder)).study("s").trials}
    assert set(trials) == set(expected)
    for trouble, (state, reason, outcomes, epochs) in expected.items():
        trial = trials[trouble]
        assert trial.state == state, trial
        assert trial.reason.startswith(reason) and bool(trial.reason) == bool(reason), trial
        printed = folder.run("logs", "s", str(trial.number)).stdout
        assert re.findall(r"^attempt \d+: (\w+)", printed, re.MULTILINE) == outcomes
        # each has what it printed itself, also what it had not reported when it died, and nothing of another trial
        assert re.findall(r"^  epoch (\d+), trouble (\w+)$", printed, re.MULTILINE) == [
            (str(n), trouble) for n in epochs
        ]
        assert "  from below Python" in printed
        assert ("in train_epoch" in printed) == (trouble in ("raise", "memory", "hang"))
        assert ("in wait_for_ever" in printed) == (trouble == "hang")


@pytest.mark.parametrize(
    ("number", "group", "code"),
    [
        (signal.SIGINT, True, 130),
        pytest.param(signal.SIGTERM, True, 143, marks=pytest.mark.chaos),
        pytest.param(signal.SIGTERM, False, 143, marks=pytest.mark.chaos),
    ],
    ids=["Ctrl-C in a terminal", "SIGTERM to the whole group, as Slurm and timeout send it", "SIGTERM"],
)
def test_an_interrupted_launch_leaves_a_right_database_and_is_gone_on_with(
    folder: Folder, number: signal.Signals, group: bool, code: int
) -> None:
    space = folder.write("space.yaml", budget={"trials": 3}, **SLOW)
    running = folder.start("launch", space)
    running.wait_for("epoch   2/6")
    assert running.end(number, group) == code
    assert "Traceback" not in running.output()
    assert running.output().rstrip().endswith("interrupted; launch again to go on")
    study = StudyReader(url(folder)).study("s")
    begun = [t for t in study.trials if t.state == "interrupted"]
    assert begun == list(study.trials) != []
    assert not any(launch.alive for launch in study.launches)
    assert column(folder, sa.select(LAUNCH.c.outcome)) == ["interrupted"]
    before = {t.number: (t.parameters, dict(t.values)) for t in begun}
    folder.wait_until_no_process_is_left()
    again = folder.run("launch", space)
    assert again.returncode == 0, again.stderr
    finished = StudyReader(url(folder)).study("s").trials
    assert [t.state for t in finished] == ["complete"] * 3
    for trial in finished[: len(before)]:
        parameters, values = before[trial.number]
        assert trial.attempts == 2
        assert trial.parameters == parameters
        assert {epoch: trial.values[epoch] for epoch in values} == values


@pytest.mark.chaos
def test_a_second_signal_leaves_at_once_and_the_study_can_be_gone_on_with(folder: Folder) -> None:
    space = folder.write("space.yaml", budget={"trials": 2}, **SLOW)
    running = folder.start("launch", space)
    running.wait_for("epoch   1/6")
    running.process.send_signal(signal.SIGINT)
    time.sleep(0.1)  # two signals at once are one
    assert running.end(signal.SIGINT) == 130
    assert column(folder, sa.select(LAUNCH.c.outcome)) == [None]  # it did not wait for anything, not even to say so
    assert "interrupted" in folder.run("status", "s").stdout  # nobody works on them, and that is what is told
    folder.wait_until_no_process_is_left(seconds=15)  # by themselves, Ray's two agents would take a minute
    assert folder.launch_folders() == []
    again = folder.run("launch", space)
    assert again.returncode == 0, again.stderr
    assert [t.state for t in StudyReader(url(folder)).study("s").trials] == ["complete"] * 2


@pytest.mark.chaos
def test_two_launches_through_ray_share_a_study_and_the_living_one_inherits_from_the_dead(folder: Folder) -> None:
    slow = {**SLOW, "settings": {"epochs": 12, "sleep": 0.4}}
    space = folder.write("space.yaml", budget={"trials": 4}, concurrency=1, **slow)
    first = folder.start("launch", space)
    first.wait_for("epoch   1/12")
    second = folder.start("launch", space)
    second.wait_for("epoch   1/12")
    assert f"shared with process {first.process.pid} on " in second.output()
    status = folder.run("status", "s").stdout
    assert f"launch: process {first.process.pid} on " in status
    assert f"launch: process {second.process.pid} on " in status
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    assert second.process.wait(timeout=120) == 0, second.output()
    assert f"a launch that died (process {first.process.pid}) left 1 running trials" in second.output()
    study = StudyReader(url(folder)).study("s")
    assert [t.state for t in study.trials] == ["complete"] * 4
    assert sorted(t.attempts for t in study.trials) == [1, 1, 1, 2]


@pytest.mark.chaos
def test_hours_that_are_spent_end_a_launch_in_mid_epoch_and_another_launch_begins_nothing(folder: Folder) -> None:
    slow = {"settings": {"epochs": 2, "sleep": 600}, "early_stopping": {"name": "none"}, "concurrency": 1}
    seconds = 10
    space = folder.write("space.yaml", budget={"hours": seconds / 3600}, **slow)
    ended = folder.run("launch", space)
    assert ended.returncode == 1, ended.stderr  # nothing is finished
    assert "the study's hours are spent; raise the budget and launch again to go on" in ended.stdout
    (hours,) = column(folder, sa.select((LAUNCH.c.ended_at - LAUNCH.c.started_at) / 3600))
    assert seconds <= hours * 3600 < seconds + 10
    assert column(folder, sa.select(ATTEMPT.c.outcome)) == ["suspended"]
    again = folder.run("launch", space)
    assert "the study's hours are spent" in again.stdout and "begins" not in again.stdout


def test_an_error_of_the_study_comes_through_ray_as_it_is(folder: Folder) -> None:
    """Here: somebody deletes the study in a dashboard while it runs."""
    running = folder.start("launch", folder.write("space.yaml", budget={"trials": 50}, **SLOW))
    running.wait_for("epoch   2/6")
    optuna.delete_study(study_name="s", storage=url(folder))
    assert running.process.wait(timeout=60) == 2
    assert "error: study 's' is not in the database (any more); if somebody deleted it" in running.output()
    assert "Traceback" not in running.output()


def test_a_study_without_a_single_finished_trial_exits_1(folder: Folder) -> None:
    space = folder.write(
        "space.yaml", trainer="trainers:Trouble", settings={"epochs": 3, "trouble": "raise"}, budget={"trials": 2}
    )
    ended = folder.run("launch", space)
    assert ended.returncode == 1
    assert "ValueError: a bug in the training code" in ended.stdout


def test_the_study_runs_on_postgresql_and_its_password_is_not_printed(folder: Folder, postgres_url: str) -> None:
    with_password = postgres_url.replace("postgres:@", "postgres:s3cret@")
    assert "s3cret" in with_password
    space = folder.write("space.yaml", concurrency=1)
    ended = folder.run("launch", space, TUNER_STORAGE=with_password)
    assert ended.returncode == 0, ended.stderr
    assert "s3cret" not in ended.stdout + ended.stderr
    simulate(make_space(), f"sqlite:///{folder.path}/simulated.db")
    assert rows(postgres_url) == rows(f"sqlite:///{folder.path}/simulated.db")
