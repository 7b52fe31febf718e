"""What is wrong with a value, in one plain sentence: what was found, what is allowed, which was probably meant."""

import difflib
import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

IN_QUOTES = "write it in quotes"  # the end of a sentence; whoever knows the option it came from adds how
_MOST_NAMES = 30

_TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "list_type": "a list",
    "tuple_type": "a list",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_FORMS = {"constrained-int", "constrained-float", "int", "float", "literal['auto']"}


def first_problem(error: ValidationError, model: type[BaseModel]) -> tuple[tuple[str, ...], str]:
    """What to tell of a failed validation: an unknown key before all else, since it is often the one that is missing.

    Returns: the path of keys to the offending entry, and the sentence about it.
    """
    problems = sorted(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
    path = _keys(problems[0])
    alternatives = [problem for problem in problems if _keys(problem) == path]
    if len(alternatives) > 1:  # one for each form that the value may have
        found = alternatives[0]["input"]
        allowed = " or ".join(_allowed(problem) for problem in alternatives)
        return path, not_allowed(found, allowed, [name for problem in alternatives for name in _names(problem)])
    return path, _sentence(problems[0], path, model)


def _sentence(problem: Any, path: tuple[str, ...], model: type[BaseModel]) -> str:
    kind, found = problem["type"], problem.get("input")
    if kind == "extra_forbidden":
        return unknown_key(path[-1], _keys_at(model, path[:-1]))
    if kind == "missing":
        return "is missing; write it"
    if kind == "string_type" and isinstance(found, bool | int | float):
        return f"{shown(found)} is not text; {IN_QUOTES}"
    if kind in _TYPES:
        return f"{shown(found)} is not {_TYPES[kind]}"
    if kind in _BOUNDS:
        return f"{shown(found)} is not allowed; it must be {_allowed(problem)}"
    if kind == "string_too_short":
        return "is empty; write its name"
    if kind == "literal_error":
        return not_allowed(found, _allowed(problem), _names(problem))
    return str(problem["msg"]).removeprefix("Value error, ")


def _allowed(problem: Any) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"{words} {_number(context[key])}"
    return str(_TYPES.get(kind) or context.get("expected") or problem["msg"])


def _number(value: Any) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _names(problem: Any) -> list[str]:
    """The words of which a value may be one."""
    return re.findall(r"'([^']*)'", problem["ctx"]["expected"]) if problem["type"] == "literal_error" else []


def _keys(problem: Any) -> tuple[str, ...]:
    """The path of a problem without pydantic's names for the forms that a value may have."""
    keys = tuple(str(key) for key in problem["loc"])
    return keys[:-1] if keys and keys[-1] in _FORMS else keys


def unknown_key(key: str, allowed: Iterable[str]) -> str:
    """The sentence about a key nobody knows, with the nearest right one when there is one."""
    names = sorted(allowed)
    return f"unknown key{did_you_mean(key, names)} (allowed here: {listed(names)})"


def not_allowed(found: Any, allowed: str, names: Iterable[str]) -> str:
    """The sentence about a value that is none of those allowed, with the nearest of `names` when there is one."""
    return f"{shown(found)} is not allowed{did_you_mean_or_use(found, names)} {allowed}"


def did_you_mean(found: Any, names: Iterable[str]) -> str:
    """`; did you mean 'NAME'?`, or nothing when no name is near."""
    by_lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(found.lower()[:200], by_lower, n=1, cutoff=0.6) if isinstance(found, str) else []
    return f"; did you mean {by_lower[near[0]]!r}?" if near else ""


def did_you_mean_or_use(found: Any, names: Iterable[str]) -> str:
    """What comes before the list of all that is allowed: the nearest name, when there is one, and the word `use`."""
    near = did_you_mean(found, names)
    return f"{near} Use" if near else "; use"


def name_problem(text: str, longest: int) -> str | None:
    """What keeps a text from being a name in every database and on every terminal; None when nothing does."""
    if not text.strip():
        return f"{shown(text)} is no name; write one"
    if not text.isprintable():
        return f"{shown(text)} holds a character that cannot be printed; remove it"
    if text != text.strip():
        return f"{shown(text)} begins or ends with a blank; remove it"
    if len(text) > longest:
        return f"a name of {len(text)} characters is too long; at most {longest} are kept"
    return None


def listed(names: Iterable[str]) -> str:
    """Names one after another, not too many of them, none too long."""
    texts = [name if len(name) <= 60 else f"{name[:59]}…" for name in names]
    return ", ".join(texts if len(texts) <= _MOST_NAMES else [*texts[:_MOST_NAMES], f"… {len(texts)} in all"])


def shown(value: Any) -> str:
    """A value as a YAML file has it, short enough for a line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value[:100] if isinstance(value, str) else value)
    return text if len(text) <= 60 else text[:57] + "..."


def _keys_at(model: type[BaseModel], path: tuple[str, ...]) -> list[str]:
    fields = model.model_fields
    for key in path:
        inner = fields[key].annotation if key in fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        fields = inner.model_fields
    return list(fields)
