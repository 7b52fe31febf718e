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


def first_problem(error: ValidationError, model: type[BaseModel]) -> tuple[tuple[str, ...], str]:
    """The first error of a failed validation.

    Returns: the path of keys to the offending entry, and the sentence about it.
    """
    problem = error.errors(include_url=False)[0]
    path = tuple(str(key) for key in problem["loc"])
    kind, found, context = problem["type"], problem.get("input"), problem.get("ctx", {})
    if kind == "extra_forbidden":
        return path, unknown_key(path[-1], _keys_at(model, path[:-1]))
    if kind == "missing":
        return path, "is missing; write it"
    if kind in _TYPES:
        return path, f"{_show(found)} is not {_TYPES[kind]}"
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return path, f"{_show(found)} is not allowed; it must be {words} {context[key]:g}"
    if kind == "literal_error":
        return path, f"{_show(found)} is not allowed; use {context['expected']}"
    return path, problem["msg"].removeprefix("Value error, ")


def unknown_key(key: str, allowed: Iterable[str]) -> str:
    """The sentence about a key nobody knows, with the nearest right one when there is one."""
    names = sorted(allowed)
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown key{hint} (allowed here: {', '.join(names)})"


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
