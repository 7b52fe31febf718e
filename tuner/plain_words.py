"""What pydantic found wrong, in one plain sentence: what was found, what is allowed."""

import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

_TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
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
        allowed = " or ".join(_allowed(problem) for problem in alternatives)
        return path, f"{_show(alternatives[0]['input'])} is not allowed; use {allowed}"
    return path, _sentence(problems[0], path, model)


def _sentence(problem: Any, path: tuple[str, ...], model: type[BaseModel]) -> str:
    kind, found = problem["type"], _show(problem.get("input"))
    if kind == "extra_forbidden":
        return unknown_key(path[-1], _keys_at(model, path[:-1]))
    if kind == "missing":
        return "is missing; write it"
    if kind == "model_type" and isinstance(problem["input"], str):
        return f"{found} is not {_TYPES[kind]}; write {{name: {problem['input']}}}"
    if kind in _TYPES:
        return f"{found} is not {_TYPES[kind]}"
    if kind in _BOUNDS:
        return f"{found} is not allowed; it must be {_allowed(problem)}"
    if kind == "literal_error":
        return f"{found} is not allowed; use {_allowed(problem)}"
    return str(problem["msg"]).removeprefix("Value error, ")


def _allowed(problem: Any) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"{words} {context[key]:g}"
    return str(_TYPES.get(kind) or context.get("expected") or problem["msg"])


def _keys(problem: Any) -> tuple[str, ...]:
    """The path of a problem without pydantic's names for the forms that a value may have."""
    keys = tuple(str(key) for key in problem["loc"])
    return keys[:-1] if keys and keys[-1] in _FORMS else keys


def unknown_key(key: str, allowed: Iterable[str]) -> str:
    """The sentence about a key nobody knows, with the nearest right one when there is one."""
    names = sorted(allowed)
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown key{hint} (allowed here: {', '.join(names)})"


def unknown_value(value: str, allowed: Iterable[str]) -> str:
    """The sentence about a name nobody knows, with the nearest right one when there is one."""
    names = list(allowed)
    near = difflib.get_close_matches(value, names, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{_show(value)} is not allowed; {hint}use one of {', '.join(names)}"


def _keys_at(model: type[BaseModel], path: tuple[str, ...]) -> list[str]:
    fields = model.model_fields
    for key in path:
        inner = fields[key].annotation if key in fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        fields = inner.model_fields
    return list(fields)


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
