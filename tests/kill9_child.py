"""A launch on the simulated executor that kills itself (-9) before its n-th SQL statement: URL SAMPLER N (0: never)."""

import math
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from tests.studies import make_space, simulate
from tests.trainers import curve
from tuner.execution.simulated import SimulatedExecutor


def sometimes_nan(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
    """The usual curve; a seventh of the space breaks in its second epoch."""
    broken = epoch == 2 and 0.4 < configuration["x"] < 0.55
    return curve(configuration, epoch) | ({"loss": math.nan} if broken else {})


def flow(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
    """Two layers."""
    return {"entry": configuration["x"] / epoch, "linear": configuration["x"]}


def main(url: str, sampler: str, kill_before: int) -> None:
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


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
