"""Distributions of a search space as plain values, and the conditions (`when:`) between parameters."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tuner.errors import SettingError
from tuner.plain_words import unknown_key

_LARGEST = sys.float_info.max
Scalar = None | bool | int | float | str


@dataclass(frozen=True, slots=True)
class Number:
    """Numbers from `low` to `high`, both possible; whole ones if `integer`; every `step` from `low` on, if given."""

    low: float
    high: float
    integer: bool
    log: bool = False
    step: float | None = None

    def example(self) -> Scalar:
        """A value that may be written in place of the distribution."""
        return int(self.low) if self.integer else self.low

    def probes(self) -> tuple[Scalar, ...]:
        """Values whose being allowed says that all are: both ends."""
        return (int(self.low), int(self.high)) if self.integer else (float(self.low), float(self.high))


@dataclass(frozen=True, slots=True)
class Categorical:
    """One of a few values without an order."""

    choices: tuple[Scalar, ...]

    def example(self) -> Scalar:
        """A value that may be written in place of the distribution."""
        return self.choices[0]

    def probes(self) -> tuple[Scalar, ...]:
        """Values whose being allowed says that all are: each."""
        return self.choices


@dataclass(frozen=True, slots=True)
class Fixed:
    """No choice: always this value."""

    value: Scalar

    def example(self) -> Scalar:
        """A value that may be written in place of the distribution."""
        return self.value

    def probes(self) -> tuple[Scalar, ...]:
        """Values whose being allowed says that all are: this one."""
        return (self.value,)


Distribution = Number | Categorical | Fixed


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named distribution, in force only where each parameter in `when` has one of the listed values."""

    name: str
    distribution: Distribution
    when: tuple[tuple[str, tuple[Scalar, ...]], ...] = ()

    def applies(self, chosen: Mapping[str, Any]) -> bool:
        """Whether the condition holds; it does not where a parameter it names is itself not in force."""
        return all(name in chosen and _contains(allowed, chosen[name]) for name, allowed in self.when)


def active_parameters(parameters: Iterable[Parameter], chosen: Mapping[str, Any]) -> list[Parameter]:
    """The parameters in force under the values chosen so far, parents before children."""
    in_force: dict[str, Any] = {}
    active = []
    for parameter in parameters:
        if parameter.applies(in_force):
            active.append(parameter)
            if parameter.name in chosen:
                in_force[parameter.name] = chosen[parameter.name]
    return active


def parse_space(space: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """The entries of `space:`, ordered so that each comes after those its `when` names.

    Raises: SettingError: an entry that is no distribution, an impossible range, a condition that names no parameter,
        a value its parameter cannot have, or conditions in a circle.
    """
    parsed = {name: _parse_parameter(name, entry) for name, entry in space.items()}
    for parameter in parsed.values():
        for parent, values in parameter.when:
            _check_condition(parameter.name, parent, values, parsed)
    return _parents_first(parsed)


def check_given(parameters: Iterable[Parameter], given: Mapping[str, Any]) -> None:
    """Refuse a (part of a) configuration that the space does not hold; fixed parameters keep their value whatever it says.

    Raises: SettingError: a name that is no parameter, a value that it cannot have, or one that is not in force.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name, value in given.items():
        if name not in known:
            raise SettingError(str(name), unknown_key(str(name), known).replace("key", "parameter"))
        distribution = known[name].distribution
        if not isinstance(distribution, Fixed) and not _may_be(distribution, value):
            raise SettingError(name, f"is never {value!r} in this space; it may be {_allowed(distribution)}")
    fixed = {p.name: p.distribution.value for p in known.values() if isinstance(p.distribution, Fixed)}
    chosen = {**given, **fixed}
    in_force = {parameter.name for parameter in active_parameters(known.values(), chosen)}
    for name in given:
        if name not in in_force and all(parent in chosen for parent, _ in known[name].when):
            raise SettingError(name, "is not in force here: its condition (when) does not hold; leave it out")


def _parse_parameter(name: str, entry: Any) -> Parameter:
    if isinstance(entry, list):
        return Parameter(name, _categorical(name, entry))
    if not isinstance(entry, Mapping):
        return Parameter(name, Fixed(_scalar(name, entry)))
    rest = {key: value for key, value in entry.items() if key != "when"}
    when = _parse_condition(f"{name}.when", entry.get("when", {}))
    if "choices" in rest:
        _refuse_unknown(name, rest, {"choices"})
        return Parameter(name, _categorical(f"{name}.choices", rest["choices"]), when)
    if "value" in rest:
        _refuse_unknown(name, rest, {"value"})
        return Parameter(name, Fixed(_scalar(f"{name}.value", rest["value"])), when)
    return Parameter(name, _number(name, rest), when)


def _number(name: str, entry: Mapping[str, Any]) -> Number:
    _refuse_unknown(name, entry, {"low", "high", "scale", "step", "type", "choices", "value", "when"})
    for key in ("low", "high"):
        if key not in entry:
            raise SettingError(
                f"{name}.{key}", "is missing; a range is {low: …, high: …}, a list of values is [a, b, …]"
            )
    low, high, step = (_finite(f"{name}.{key}", entry.get(key)) for key in ("low", "high", "step"))
    assert low is not None and high is not None
    scale, kind = entry.get("scale", "linear"), entry.get("type")
    if scale not in ("linear", "log"):
        raise SettingError(f"{name}.scale", f"{scale!r} is not allowed; use linear or log")
    if kind not in (None, "integer", "float"):
        raise SettingError(f"{name}.type", f"{kind!r} is not allowed; use integer or float")
    whole = all(isinstance(value, int) for value in (low, high, step) if value is not None)
    if kind == "integer" and not whole:
        raise SettingError(name, f"an integer range needs whole numbers, not low={low:g}, high={high:g}")
    integer = kind == "integer" or (kind is None and whole)
    if low > high:
        raise SettingError(name, f"low={low:g} is above high={high:g}; swap them")
    if scale == "log" and low <= 0:
        raise SettingError(name, f"low={low:g} has no logarithm; it must be above 0 for scale: log")
    if scale == "log" and step is not None and not (integer and step == 1):
        raise SettingError(name, "a step and scale: log do not go together; leave one out")
    if step is not None and not 0 < step <= max(high - low, 0.0):
        raise SettingError(
            f"{name}.step", f"{step:g} is not allowed; it must be above 0 and at most high - low = {high - low:g}"
        )
    return Number(low, high, integer, scale == "log", step)


def _categorical(name: str, entry: Any) -> Categorical:
    if not isinstance(entry, list) or not entry:
        raise SettingError(name, f"{entry!r} is no choice; write a list of at least one value: [a, b, …]")
    choices = tuple(_scalar(f"{name}.{index}", value) for index, value in enumerate(entry))
    for index, value in enumerate(choices):
        if value in choices[:index]:  # Optuna keeps a choice's place in the list, so 1 and true would be one
            raise SettingError(
                f"{name}.{index}", f"{value!r} stands in the list twice (1 and true count as equal); keep one"
            )
    return Categorical(choices)


def _parse_condition(name: str, entry: Any) -> tuple[tuple[str, tuple[Scalar, ...]], ...]:
    if not isinstance(entry, Mapping):
        raise SettingError(name, f"{entry!r} is no condition; write when: {{parameter: [values]}}")
    for parent in entry:
        if not isinstance(parent, str):
            raise SettingError(name, f"{parent!r} is no parameter's name; write when: {{parameter: [values]}}")
    return tuple((parent, tuple(values) if isinstance(values, list) else (values,)) for parent, values in entry.items())


def _check_condition(name: str, parent: str, values: tuple[Scalar, ...], parsed: Mapping[str, Parameter]) -> None:
    key = f"{name}.when.{parent}"
    if parent not in parsed:
        raise SettingError(
            key, "names no parameter of this space: " + unknown_key(parent, parsed).replace("key", "parameter")
        )
    distribution = parsed[parent].distribution
    if isinstance(distribution, Fixed):
        return  # one configuration of a larger space: the other values are still meant
    for value in values:
        if not _may_be(distribution, value):
            raise SettingError(key, f"{parent} is never {value!r}; it may be {_allowed(distribution)}")


def _may_be(distribution: Distribution, value: Scalar) -> bool:
    if not isinstance(distribution, Number):
        return _contains(distribution.probes(), value)
    if isinstance(value, bool) or not isinstance(value, int if distribution.integer else int | float):
        return False
    if not distribution.low <= value <= distribution.high:
        return False
    steps = (value - distribution.low) / distribution.step if distribution.step else 0.0
    return abs(steps - round(steps)) < 1e-8  # 0.3 is 2.9999999999999996 steps of 0.1


def _parents_first(parsed: Mapping[str, Parameter]) -> tuple[Parameter, ...]:
    ordered: dict[str, Parameter] = {}
    waiting = dict(parsed)
    while waiting:
        ready = [p for p in waiting.values() if all(parent in ordered for parent, _ in p.when)]
        if not ready:
            names = ", ".join(waiting)
            raise SettingError(f"{next(iter(waiting))}.when", f"the conditions of {names} go in a circle; remove one")
        for parameter in ready:
            ordered[parameter.name] = waiting.pop(parameter.name)
    return tuple(ordered.values())


def _refuse_unknown(name: str, entry: Mapping[str, Any], allowed: set[str]) -> None:
    for key in entry:
        if key not in allowed:
            raise SettingError(f"{name}.{key}", unknown_key(str(key), allowed | {"when"}))


def _finite(name: str, value: Any) -> float | None:
    if value is None and name.endswith(".step"):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST <= value <= _LARGEST:
        raise SettingError(name, f"{value!r} is not a finite number")
    return value


def _scalar(name: str, value: Any) -> Scalar:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise SettingError(name, f"{value!r} is not a single value; a choice is a number, text, true, false or null")


def _contains(values: Iterable[Scalar], value: Any) -> bool:
    """Membership in which true is not 1: Python holds them equal, a YAML does not mean the same."""
    return any(isinstance(v, bool) == isinstance(value, bool) and v == value for v in values)


def _allowed(distribution: Distribution) -> str:
    if isinstance(distribution, Number):
        steps = f" in steps of {distribution.step:g}" if distribution.step else ""
        return f"{distribution.low:g}…{distribution.high:g}{steps}"
    return ", ".join(repr(value) for value in distribution.probes())
