"""What a launch refuses, takes over and goes on with, before and beside the trials themselves."""

from typing import Any
from unittest import mock

import optuna
import pytest
import sqlalchemy as sa

from storage.engine import open_existing, open_for_launch
from storage.errors import DatabaseAwayError, StudyChangedError
from storage.store import create_study
from storage.tables import LAUNCH, SPACE
from tests.scenes import play
from tests.studies import make_space, optuna_trials, rows, simulate
from tuner.errors import InputError, TrainingError
from tuner.events import Decider


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
        versions = connection.execute(sa.select(SPACE.c.version)).scalars().all()
        outcomes = connection.execute(sa.select(LAUNCH.c.outcome)).scalars().all()
    assert (versions, outcomes) == ([1, 2], ["finished", "finished"])


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


def test_what_ends_a_launch_is_told_even_when_its_end_cannot_be_written(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def scene(study: Decider) -> None:
        monkeypatch.setattr("storage.launches.end_launch", mock.Mock(side_effect=DatabaseAwayError("no answer")))
        raise TrainingError("all fail")

    with pytest.raises(TrainingError, match="all fail"):
        play(make_space(), sqlite_url, scene, say=told.append)
    assert told[-1] == "the end of this launch could not be written: no answer"


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
        (argv,) = connection.execute(sa.select(LAUNCH.c.argv)).scalars()
    assert argv[-1] == "postgresql://me:***@host/db"


def test_what_a_later_version_adds_to_the_file_does_not_make_an_older_study_another_one(sqlite_url: str) -> None:
    simulate(make_space(budget={"trials": 1}), sqlite_url)
    engine = open_existing(sqlite_url).engine
    with engine.begin() as connection:
        (content,) = connection.execute(sa.select(SPACE.c.content)).scalars()
        del content["enqueue"], content["early_stopping"]["brackets"]
        connection.execute(sa.update(SPACE).values(content=content))
    engine.dispose()
    simulate(make_space(budget={"trials": 2}), sqlite_url)
    assert len(optuna_trials(sqlite_url)) == 2
