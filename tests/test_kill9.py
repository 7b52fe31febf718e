"""kill -9 at random SQL statements, launched again until done: the study equals one that was never disturbed."""

import subprocess
import sys

import pytest
import sqlalchemy as sa

from storage.engine import open_existing
from storage.tables import LAUNCH
from tests.studies import rows


def kills_until_done(url: str, sampler: str, seed: int) -> int:
    command = [sys.executable, "-m", "tests.kill9_child", url, sampler, str(seed)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_study_killed_at_random_statements_equals_an_undisturbed_one(
    sampler: str, database_url: str, tmp_path: object
) -> None:
    undisturbed = f"sqlite:///{tmp_path}/undisturbed.db"
    assert kills_until_done(undisturbed, sampler, seed=0) == 0
    assert kills_until_done(database_url, sampler, seed=1) >= 60
    assert rows(database_url) == rows(undisturbed)
    assert all(rows(undisturbed).values())  # every table has something to compare
    engine = open_existing(database_url).engine
    with engine.connect() as connection:
        outcomes = list(connection.execute(sa.select(LAUNCH.c.outcome).order_by(LAUNCH.c.launch_id)).scalars())
    assert set(outcomes[:-1]) <= {"died"}
    assert outcomes[-1] == "finished"
