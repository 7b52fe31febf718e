"""A launch on the simulated executor that is killed (-9) before a random SQL statement, over and over, until it is finished.

Prints how many kills it took: URL SAMPLER SEED (0: never killed). Each launch is a fork of this process, which has imported
everything and opened nothing, so that hundreds of kills take seconds.
"""

import math
import os
import random
import signal
import sys
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from tests.studies import make_space, simulate
from tests.trainers import curve
from tuner.execution.simulated import SimulatedExecutor

STATEMENTS = (20, 200)  # of which one is the last; a launch needs the first hundred or so to begin


def sometimes_nan(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
    """The usual curve; a seventh of the space breaks in its second epoch."""
    broken = epoch == 2 and 0.4 < configuration["x"] < 0.55
    return curve(configuration, epoch) | ({"loss": math.nan} if broken else {})


def flow(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
    """Two layers."""
    return {"entry": configuration["x"] / epoch, "linear": configuration["x"]}


def launch(url: str, sampler: str, kill_before: int) -> None:
    """Go on with the study until it is finished or this process is dead."""
    count = 0

    @sa.event.listens_for(sa.engine.Engine, "before_cursor_execute")
    def _count(*_: object) -> None:
        nonlocal count
        count += 1
        if count == kill_before:
            os.kill(os.getpid(), signal.SIGKILL)

    rungs = {"name": "asha", "min_epochs": 1, "reduction_factor": 3, "brackets": 2}
    space = make_space(sampler={"name": sampler, "seed": 7}, early_stopping=rungs, budget={"trials": 16})
    simulate(space, url, SimulatedExecutor(sometimes_nan, gradient_flow=flow))


def run_to_the_end(url: str, sampler: str, seed: int) -> int:
    """Launch until a launch is not killed any more; returns the number of kills."""
    rng = random.Random(seed)
    kills = 0
    while True:
        kill_before = rng.randint(*STATEMENTS) if seed else 0
        pid = os.fork()
        if pid == 0:
            launch(url, sampler, kill_before)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status == 0:
            return kills
        if status != -signal.SIGKILL:
            raise SystemExit(f"the launch ended with {status}")
        kills += 1


if __name__ == "__main__":
    print(run_to_the_end(sys.argv[1], sys.argv[2], int(sys.argv[3])))
