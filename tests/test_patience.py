"""The database away for a while: the launch waits and goes on; nothing is lost, nothing is recorded twice."""

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from storage.errors import DatabaseAwayError
from storage.reading import StudyReader
from storage.trial_log import read_trial_log
from tests.scenes import begin, play, report
from tests.studies import make_space, optuna_trials, simulate
from tuner.events import Assignment, Decider, Decision, Idle, Outcome
from tuner.patience import Patient

UNSTOPPED = make_space(early_stopping={"name": "none"})


def lock(url: str) -> sqlite3.Connection:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def test_a_locked_database_is_waited_for_and_the_event_is_recorded(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.engine._BUSY_SECONDS", 0.2)
    told: list[str] = []

    def scene(study: Decider) -> None:
        assignment = begin(study)
        locked = lock(sqlite_url)
        release = threading.Timer(1.5, locked.rollback)
        release.start()
        assert study.on_epoch(assignment, report(1, score=0.5)).outcome is Outcome.GO_ON
        release.join()
        assert study.on_epoch(assignment, report(2, score=0.6)).outcome is Outcome.GO_ON

    play(UNSTOPPED, sqlite_url, scene, say=told.append, patience=60)
    assert [t.intermediate_values for t in optuna_trials(sqlite_url)] == [{1: 0.5, 2: 0.6}]
    assert any("database is locked" in line and "waiting for up to 60 s" in line for line in told)
    assert any(line.startswith("the database answers again, after ") for line in told)


def test_a_database_that_is_away_for_too_long_ends_the_launch_and_loses_no_event(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.engine._BUSY_SECONDS", 0.2)

    def scene(study: Decider) -> None:
        assignment = begin(study)
        study.on_epoch(assignment, report(1, score=0.5))
        locked = lock(sqlite_url)
        with pytest.raises(DatabaseAwayError, match="database is locked"):
            study.on_epoch(assignment, report(2, score=0.6))
        locked.rollback()
        assert study.on_epoch(assignment, report(2, score=0.6)).outcome is Outcome.GO_ON

    play(UNSTOPPED, sqlite_url, scene)
    assert [t.intermediate_values for t in optuna_trials(sqlite_url)] == [{1: 0.5, 2: 0.6}]


class LosesAnswers:
    """A study whose events are committed and whose answers do not arrive, at every second try."""

    def __init__(self, study: Decider) -> None:
        self._study = study
        self._calls = 0

    def _lose(self, event: Callable[[], Any]) -> Any:
        answer = event()
        self._calls += 1
        if self._calls % 2:
            raise DatabaseAwayError("the connection broke after the commit")
        return answer

    def next_trial(self) -> Assignment | Idle:
        answer: Assignment | Idle = self._lose(self._study.next_trial)
        return answer

    def on_epoch(self, *arguments: Any) -> Decision:
        answer: Decision = self._lose(lambda: self._study.on_epoch(*arguments))
        return answer

    def on_end(self, *arguments: Any) -> Outcome:
        answer: Outcome = self._lose(lambda: self._study.on_end(*arguments))
        return answer


def test_answers_lost_after_the_commit_change_nothing(database_url: str) -> None:
    """The trial is handed out once, each epoch recorded once, and the end told as it was."""
    space = make_space(early_stopping={"name": "none"}, settings={"epochs": 2}, budget={"trials": 2})

    def scene(decider: Decider) -> None:
        assert isinstance(decider, Patient)
        study = Patient(LosesAnswers(decider), decider._reclaim, lambda line: None, sleep=lambda seconds: None)
        for number in range(2):
            assignment = begin(study)
            assert assignment.trial == number
            said = replace(report(1, score=0.5), output="printed\n", notes=("noted",))
            assert study.on_epoch(assignment, said).outcome is Outcome.GO_ON
            assert study.on_epoch(assignment, report(2, score=0.6)).outcome is Outcome.COMPLETE
        assert study.next_trial() is Idle.FINISHED

    play(space, database_url, scene)
    assert [(t.state.name, t.value) for t in optuna_trials(database_url)] == [("COMPLETE", 0.6)] * 2
    log = read_trial_log(StudyReader(database_url), "s", 0)
    assert (
        "".join(attempt.output for attempt in log.attempts) == "printed\n[tuner] noted\n"
    )  # the first was never heard of


def test_a_postgresql_server_that_has_become_a_standby_is_waited_for(postgres_url: str) -> None:
    """It still answers, but refuses to write, in an error of a kind of its own."""
    simulate(UNSTOPPED, postgres_url)
    read_only = f"{postgres_url}&options=--default_transaction_read_only%3Don"
    with pytest.raises(DatabaseAwayError, match="read-only transaction"):
        play(make_space(early_stopping={"name": "none"}, budget={"trials": 13}), read_only, begin)
