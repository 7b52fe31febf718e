"""The dashboard without a browser: who is let in, what the table holds, what is read and when."""

import base64
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from storage.errors import DatabaseUnreachableError, StudyNotFoundError
from storage.reading import StudyReader
from tests.studies import make_space, simulate
from tuner.reporting.dashboard import table
from tuner.reporting.dashboard.door import Door, is_loopback, knows_password
from tuner.reporting.dashboard.reading import Readings
from tuner.reporting.figures import Objective

_FRESH = "tuner.reporting.dashboard.reading._FRESH_SECONDS"


def answered(door: Door, method: str = "GET", **headers: str) -> tuple[str, dict[str, str]]:
    """Status and headers of an answer."""
    told: list[Any] = []
    environ = {"REQUEST_METHOD": method, **{f"HTTP_{name}": value for name, value in headers.items()}}
    list(door(environ, lambda status, headers, *more: told.append((status, dict(headers)))))
    return told[0]  # type: ignore[no-any-return]


def door(host: str = "127.0.0.1", password: str | None = None) -> Door:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("X-Frame-Options", "SAMEORIGIN")])
        return [b"in"]

    return Door(application, host, password)


def basic(credentials: bytes) -> str:
    return f"Basic {base64.b64encode(credentials).decode()}"


@pytest.mark.parametrize("host", ["localhost:80", "127.0.0.1", "[::1]:8050", "LOCALHOST", "127.0.0.2:1"])
def test_an_address_is_answered_under_its_own_names(host: str) -> None:
    assert answered(door("127.0.0.2"), HOST=host)[0] == "200 OK"


@pytest.mark.parametrize("host", ["", "evil.example", "127.0.0.1.evil.example", "127.0.0.3", "[::2]", "[", "a@b:c"])
def test_no_other_name_is_answered(host: str) -> None:
    assert answered(door("127.0.0.2"), HOST=host)[0] == "403 Forbidden"


def test_any_name_is_answered_with_the_password() -> None:
    for address in ("0.0.0.0", "127.0.0.1"):  # the second behind a proxy that speaks HTTPS
        assert answered(door(address, "s3cret"), HOST="gpu-box", AUTHORIZATION=basic(b"me:s3cret"))[0] == "200 OK"
    status, headers = answered(door("0.0.0.0", "s3cret"), HOST="gpu-box")
    assert status == "401 Unauthorized"
    assert headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("header", [
    "", "Basic", "Basic ", "Basic %%%", "Bearer s3cret", basic(b"s3cret"), basic(b"me:s3cre"), basic(b"me:s3crett"),
    basic(b"me:\xff"), "Basic \u00fc",
])  # fmt: skip
def test_only_the_password_is_the_password(header: str) -> None:
    assert not knows_password(header, "s3cret")
    assert knows_password(basic(b"anybody:s3cret"), "s3cret")
    assert knows_password(basic("a:b:ü".encode()), "b:ü")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_what_changes_something_must_come_from_a_page_of_the_same_address(method: str) -> None:
    here = "localhost:8050"
    assert answered(door(), method, HOST=here, ORIGIN="http://localhost:8050")[0] == "200 OK"
    for origin in ("http://evil.example", "http://localhost:8051", "null", ""):
        assert answered(door(), method, HOST=here, ORIGIN=origin)[0] == "403 Forbidden"
    assert answered(door(), method, HOST=here)[0] == "403 Forbidden"


def test_every_answer_forbids_framing_and_guessing_and_keeps_what_the_application_says() -> None:
    for host in ("localhost", "evil.example"):
        assert answered(door(), HOST=host)[1]["X-Content-Type-Options"] == "nosniff"
    assert answered(door(), HOST="localhost")[1]["X-Frame-Options"] == "SAMEORIGIN"
    assert answered(door(), HOST="evil.example")[1]["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(("host", "alone"), [("localhost", True), ("127.9.9.9", True), ("::1", True), ("0.0.0.0", False),
                                             ("::", False), ("192.168.0.7", False), ("gpu-box", False)])  # fmt: skip
def test_only_loopback_addresses_are_out_of_others_reach(host: str, alone: bool) -> None:
    assert is_loopback(host) == alone


def test_the_table_has_a_row_for_every_trial_and_says_nothing_where_nothing_is() -> None:
    trials = pd.DataFrame({
        "state": ["complete", "failed"], "value": [0.5, np.nan], "best_epoch": pd.array([3, None], "Int64"),
        "epochs": [9, 0], "attempts": [1, 3], "reason": ["", "<b>"],
        "params_lr.x": [0.1, math.nan], "params_kind": np.array([None, math.nan], object),
    }, index=pd.Index([0, 7], name="number"))  # fmt: skip
    assert table.rows(trials) == [
        {"id": "0", "trial": 0, "state": "complete", "value": 0.5, "best_epoch": 3, "epochs": 9, "attempts": 1,
         "reason": "", "p0": 0.1, "p1": "null"},
        {"id": "7", "trial": 7, "state": "failed", "value": None, "best_epoch": None, "epochs": 0, "attempts": 3,
         "reason": "<b>", "p0": None, "p1": ""},
    ]  # fmt: skip
    names = [column["headerName"] for column in table.columns(trials, Objective("loss", "minimize"))]
    assert names == ["trial", "state", "loss", "best epoch", "epochs", "attempts", "lr.x", "kind", "why it ended"]


def test_a_study_is_read_anew_only_when_it_has_changed(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_FRESH, 0.0)
    simulate(make_space(budget={"trials": 3}), sqlite_url)
    readings = Readings(sqlite_url)
    before = readings.look("s")
    trials = before.trials
    assert readings.look("s") is before
    assert before.trials is trials
    simulate(make_space(budget={"trials": 5}), sqlite_url)
    after = readings.look("s")
    assert after.token != before.token
    assert len(after.trials) == 5
    readings.close()


def test_what_the_last_drawing_took_is_known_before_the_next_one(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that asks again at once while each drawing takes seconds would leave no time for anything else."""
    monkeypatch.setattr(_FRESH, 0.0)
    simulate(make_space(budget={"trials": 3}), sqlite_url)
    readings = Readings(sqlite_url)
    slow = readings.look("s")
    slow.once("outer", lambda: slow.once("inner", lambda: time.sleep(0.2)))
    assert 0.2 <= slow.seconds < 0.4  # what is nested counts once
    simulate(make_space(budget={"trials": 5}), sqlite_url)
    after = readings.look("s")
    assert after is not slow
    assert after.seconds == slow.seconds
    after.once("quick", lambda: None)
    assert after.seconds < 0.2
    readings.close()


def test_connections_of_studies_that_nobody_looks_at_any_more_are_given_back(sqlite_url: str) -> None:
    names = ["a", "b", "c", "d"]
    for name in names:
        simulate(make_space(study=name, budget={"trials": 1}), sqlite_url)
    readings = Readings(sqlite_url)
    for name in names:
        assert len(readings.look(name).trials) == 1
    assert list(readings._frames) == names[1:]
    readings.close()


def test_a_database_that_is_replaced_is_opened_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_FRESH, 0.0)
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    simulate(make_space(), f"sqlite:///{first}")
    simulate(make_space(study="other"), f"sqlite:///{second}")
    readings = Readings(f"sqlite:///{first}")
    assert readings.names() == ["s"]
    first.unlink()
    with pytest.raises(DatabaseUnreachableError, match="does not exist"):
        readings.look("s")
    assert not first.exists()
    second.rename(first)
    assert readings.names() == ["other"]
    with pytest.raises(StudyNotFoundError, match="it has: other"):
        readings.look("s")
    readings.close()


def test_a_trial_alone_is_all_that_is_drawn_of_it(sqlite_url: str) -> None:
    simulate(make_space(), sqlite_url)
    readings = Readings(sqlite_url)
    alone = readings.look("s").trial(2)
    assert list(alone.trials.index) == [2]
    assert set(alone.epochs["trial"]) == set(alone.attempts["trial"]) == {2}
    assert len(alone.epochs) == len(StudyReader(sqlite_url).study("s").trial(2).values)
    readings.close()
