"""kill -9 at random SQL statements, launched again until done: the study equals one that was never disturbed."""

import random
import signal
import subprocess
import sys

import pytest
import sqlalchemy as sa

from storage.engine import open_existing
from storage.store import LAUNCH
from tests.studies import rows


def run_child(url: str, sampler: str, kill_before: int) -> int:
    command = [sys.executable, "-m", "tests.kill9_child", url, sampler, str(kill_before)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
    return ended.returncode


@pytest.mark.chaos
@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_study_killed_at_random_statements_equals_an_undisturbed_one(
    sampler: str, database_url: str, tmp_path: object
) -> None:
    undisturbed = f"sqlite:///{tmp_path}/undisturbed.db"
    assert run_child(undisturbed, sampler, 0) == 0
    rng = random.Random(f"{sampler} {database_url[:6]}")
    kills = 0
    while run_child(database_url, sampler, rng.randint(20, 500)) != 0:
        kills += 1
        assert kills < 60, "no progress"
    assert kills >= 5
    assert rows(database_url) == rows(undisturbed)
    assert all(rows(undisturbed).values())  # every table has something to compare
    engine = open_existing(database_url).engine
    with engine.connect() as connection:
        outcomes = list(connection.execute(sa.select(LAUNCH.c.outcome).order_by(LAUNCH.c.launch_id)).scalars())
    assert set(outcomes[:-1]) <= {"died"}
    assert outcomes[-1] == "finished"
