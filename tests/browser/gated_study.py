"""A study that goes on when it is told to: `python -m tests.browser.gated_study URL`, an epoch for each line of its input.

After the end of its input it runs to its end. Its launch is a real one, on the simulated executor.
"""

import sys
from collections.abc import Mapping
from typing import Any

from tests.studies import make_space, simulate
from tests.trainers import curve
from tuner.execution.simulated import SimulatedExecutor


def gated(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
    """The curve, when the next line has come."""
    sys.stdin.readline()
    return curve(configuration, epoch)


if __name__ == "__main__":
    simulate(make_space(), sys.argv[1], SimulatedExecutor(gated))
