"""The grid sampler's points, enumerated by us: Optuna's own knows no conditions and fails at its last point.

The order is a permutation made from the study's seed, so that a grid left half done has been seen all over.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tuner.distributions import Categorical, Fixed, Number, Parameter, Scalar
from tuner.errors import SettingError

LARGEST = 100_000


def values_of(parameter: Parameter) -> tuple[Scalar, ...]:
    """Every value a parameter can have on a grid, ascending or as listed.

    Raises: SettingError: a range without steps has no end of values, one on a logarithmic scale no steps.
    """
    match parameter.distribution:
        case Fixed(value):
            return (value,)
        case Categorical(choices):
            return choices
        case Number(integer=True) as whole:
            _refuse_large(parameter.name, (whole.high - whole.low) / (whole.step or 1))
            return tuple(range(int(whole.low), int(whole.high) + 1, int(whole.step or 1)))
        case Number(log=True):
            raise SettingError(parameter.name, "a grid has no points on a logarithmic scale; list them: [a, b, …]")
        case Number(step=None):
            raise SettingError(parameter.name, "a grid needs steps; add step: …, or list the values: [a, b, …]")
        case Number() as stepped:
            assert stepped.step is not None
            _refuse_large(parameter.name, (stepped.high - stepped.low) / stepped.step)
            steps = int((stepped.high - stepped.low) / stepped.step * (1 + 1e-12) + 1e-9)
            return tuple(stepped.low + index * stepped.step for index in range(steps + 1))


def grid_points(parameters: Sequence[Parameter], seed: int) -> list[dict[str, Any]]:
    """Every configuration once, in the order in which they are tried.

    Args:
        parameters: parents before children, as a search space holds them.
        seed: makes the order.
    Raises: SettingError: a parameter without steps, or more than 100,000 points.
    """
    points: list[dict[str, Any]] = []
    for point in _walk(parameters, {}):
        points.append(point)
        _refuse_large(parameters[0].name, len(points))
    return [points[index] for index in np.random.default_rng(seed).permutation(len(points))]


def _walk(parameters: Sequence[Parameter], chosen: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for position, parameter in enumerate(parameters):
        if not parameter.applies(chosen):
            continue
        for value in values_of(parameter):
            yield from _walk(parameters[position + 1 :], {**chosen, parameter.name: value})
        return
    yield chosen


def _refuse_large(name: str, points: float) -> None:
    if points > LARGEST:
        raise SettingError(
            name, f"the grid has more than {LARGEST:,} points; take larger steps or sampler: {{name: tpe}}"
        )
