"""Distributions of a search space as plain values, and the conditions (`when:`) between parameters."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tuner.errors import SettingError
from tuner.plain_words import did_you_mean, listed, not_allowed, shown, unknown_key

_LARGEST = sys.float_info.max
_WIDEST = 1e300  # samplers widen a range by half a step on both sides, which must not overflow
_SMALLEST = 1e-300  # well above the numbers (below 2e-308) that lose digits, and count as zero in a process that trains
_MOST_VALUES = 2**53  # whole numbers up to it are exact as floats, which samplers draw
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
    when = _parse_condition(f"{name}.when", entry["when"]) if "when" in entry else ()
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
    for key, value, names in (("scale", scale, ("linear", "log")), ("type", kind, ("integer", "float"))):
        if value not in names and not (key == "type" and value is None):
            raise SettingError(f"{name}.{key}", not_allowed(value, " or ".join(names), names))
    whole = all(isinstance(value, int) for value in (low, high, step) if value is not None)
    if kind == "integer" and not whole:
        raise SettingError(name, f"an integer range needs whole numbers, not low={low}, high={high}")
    number = Number(low, high, kind == "integer" or (kind is None and whole), scale == "log", step)
    _check_range(name, number)
    return number


def _check_range(name: str, number: Number) -> None:
    low, high, step = number.low, number.high, number.step
    if low > high:
        raise SettingError(name, f"low={low:g} is above high={high:g}; swap them")
    if high - low > _WIDEST:
        raise SettingError(name, f"the range from low={low:g} to high={high:g} is too wide to be drawn from; narrow it")
    if number.log and low <= 0:
        raise SettingError(name, f"low={low:g} has no logarithm; it must be above 0 for scale: log")
    if number.log and low < _SMALLEST:
        raise SettingError(name, f"low={low:g} is too near to 0 for scale: log; use {_SMALLEST:g} or more")
    if number.integer and max(abs(low), abs(high)) > _MOST_VALUES:
        raise SettingError(
            name, f"whole numbers beyond {_MOST_VALUES} cannot be told apart; narrow low={low}, high={high}"
        )
    if step is not None:
        _check_step(name, number, step)


def _check_step(name: str, number: Number, step: float) -> None:
    low, high = number.low, number.high
    if number.log and not (number.integer and step == 1):
        raise SettingError(name, "a step and scale: log do not go together; leave one out")
    if not 0 < step <= high - low:
        raise SettingError(
            f"{name}.step", f"{step:g} is not allowed; it must be above 0 and at most high - low = {high - low:g}"
        )
    if (high - low) / step > _MOST_VALUES:
        raise SettingError(
            f"{name}.step", f"{step:g} makes more than {_MOST_VALUES} values; enlarge it, or leave it out"
        )
    # in decimals, as written: in floats 0.1 does not divide 0.5. Optuna counts so too, and would lower `high` by itself
    exact_low, exact_high, exact_step = (Decimal(str(value)) for value in (low, high, step))
    rest = (exact_high - exact_low) % exact_step
    if rest:
        last = float(exact_high - rest)
        raise SettingError(
            f"{name}.step",
            f"{step:g} does not divide the range from {low:g} to {high:g}; its last value would be {last:g}, so write "
            f"high: {last:g}",
        )


def _categorical(name: str, entry: Any) -> Categorical:
    if not isinstance(entry, list) or not entry:
        raise SettingError(name, f"{shown(entry)} is no choice; write a list of at least one value: [a, b, …]")
    choices = tuple(_scalar(f"{name}.{index}", value) for index, value in enumerate(entry))
    for index, value in enumerate(choices):
        if value in choices[:index]:  # Optuna keeps a choice's place in the list, so 1 and true would be one
            raise SettingError(
                f"{name}.{index}", f"{shown(value)} stands in the list twice (1 and true count as equal); keep one"
            )
    return Categorical(choices)


def _parse_condition(name: str, entry: Any) -> tuple[tuple[str, tuple[Scalar, ...]], ...]:
    if not isinstance(entry, Mapping) or not entry:
        raise SettingError(
            name, f"{shown(entry)} is no condition; write when: {{parameter: [values]}}, or leave it out"
        )
    return tuple((parent, _parse_values(f"{name}.{parent}", values)) for parent, values in entry.items())


def _parse_values(name: str, values: Any) -> tuple[Scalar, ...]:
    if values == []:
        raise SettingError(name, "[] holds no value, so the condition would never hold; write at least one")
    if isinstance(values, list):
        return tuple(_scalar(f"{name}.{index}", value) for index, value in enumerate(values))
    return (_scalar(name, values),)


def _check_condition(name: str, parent: str, values: tuple[Scalar, ...], parsed: Mapping[str, Parameter]) -> None:
    key = f"{name}.when.{parent}"
    if parent not in parsed:
        raise SettingError(
            key, f"names no parameter of this space{did_you_mean(parent, parsed)} (there are: {listed(parsed)})"
        )
    distribution = parsed[parent].distribution
    if isinstance(distribution, Fixed):
        return  # one configuration of a larger space: the other values are still meant
    for value in values:
        if not _may_be(distribution, value):
            raise SettingError(key, f"{parent} is never {shown(value)}; it may be {_allowed(distribution)}")


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
            raise SettingError(
                f"{next(iter(waiting))}.when", f"the conditions of {listed(waiting)} go in a circle; remove one"
            )
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
        raise SettingError(name, f"{shown(value)} is not a finite number")
    return value


def _scalar(name: str, value: Any) -> Scalar:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise SettingError(name, f"{shown(value)} is not a single value; a choice is a number, text, true, false or null")


def _contains(values: Iterable[Scalar], value: Any) -> bool:
    """Membership in which true is not 1: Python holds them equal, a YAML does not mean the same."""
    return any(isinstance(v, bool) == isinstance(value, bool) and v == value for v in values)


def _allowed(distribution: Distribution) -> str:
    if isinstance(distribution, Number):
        steps = f" in steps of {distribution.step:g}" if distribution.step else ""
        return f"{distribution.low:g}…{distribution.high:g}{steps}"
    return listed(map(shown, distribution.probes()))
