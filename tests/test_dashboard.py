"""optuna-dashboard on our database shows the study as it was: right states, every epoch's value."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.studies import make_space, optuna_trials, simulate


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str, deadline: float) -> Any:
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)
        except OSError:
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.3)


def test_optuna_dashboard_shows_states_and_every_epochs_value(sqlite_url: str, tmp_path: Path) -> None:
    simulate(make_space(), sqlite_url)
    port = free_port()
    server = subprocess.Popen(
        [Path(sys.executable).parent / "optuna-dashboard", "--port", str(port), sqlite_url], cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        (study,) = get(f"http://127.0.0.1:{port}/api/studies", deadline)["study_summaries"]
        assert study["study_name"] == "s"
        shown = get(f"http://127.0.0.1:{port}/api/studies/{study['study_id']}", deadline)["trials"]
    finally:
        server.terminate()
        server.wait(timeout=30)
    expected = optuna_trials(sqlite_url)
    assert {t.state.name for t in expected} == {"COMPLETE", "PRUNED"}
    assert [t["state"] for t in shown] == [{"COMPLETE": "Complete", "PRUNED": "Pruned"}[t.state.name] for t in expected]
    for trial, there in zip(expected, shown, strict=True):
        assert {v["step"]: v["value"] for v in there["intermediate_values"]} == trial.intermediate_values
