"""A YAML file as plain values, with the line of every key kept for error messages, and `--set` applied."""

import math
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuner.errors import InputError, SettingError
from tuner.plain_words import IN_QUOTES, shown
from tuner.yaml_loader import DEEPEST, KeyPath, YamlTextError, load_yaml

LARGEST_FILE = 1_000_000  # characters; a search space has some thousand
SPACE_IN_PYTHON = "search space"  # what errors call one that is no file
_INTEGERS = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class YamlSource:
    """The values of a file, where each key stands, and the text of every `--set` by its key."""

    name: str
    values: dict[str, Any]
    lines: Mapping[KeyPath, int]
    overridden: Mapping[KeyPath, str]

    def error(self, path: Iterable[str], message: str) -> InputError:
        """The error about one key: file and line (or `--set`), key, and what is wrong with it."""
        path = tuple(path)
        if message.endswith(IN_QUOTES) and path in self.overridden:
            message += f": --set '{'.'.join(path)}=\"{self.overridden[path]}\"'"
        where = self._where(path)
        return InputError(f"{where}: {_dotted(path)}: {message}" if path else f"{where}: {message}")

    def _where(self, path: KeyPath) -> str:
        above = [path[:length] for length in range(len(path), 0, -1)]
        if any(given in self.overridden for given in above):
            return "--set"
        for given in above:
            if given in self.lines:
                return f"{self.name}:{self.lines[given]}"
        return "--set" if any(given[: len(path)] == path for given in self.overridden if path) else self.name

    def with_overrides(self, assignments: Iterable[str]) -> "YamlSource":
        """The same with `KEY=VALUE` set for each assignment; KEY is a path with dots, VALUE is YAML.

        Raises: InputError: no `=`, a value that is no YAML, a path through something that is no mapping.
        """
        values, overridden = _deep_copy(self.values), dict(self.overridden)
        for assignment in assignments:
            key, equals, text = assignment.partition("=")
            path = tuple(key.split("."))
            if not equals or not all(path) or len(path) > DEEPEST:
                raise InputError(
                    f"--set: {shown(assignment)} is not KEY=VALUE; write for example --set settings.epochs=3"
                )
            try:
                value, _ = load_yaml(text)
            except YamlTextError as error:
                raise InputError(
                    f"--set: {_dotted(path)}: {shown(text)} is not a value ({error.message}); quote it if it is text"
                ) from error
            inner = values
            for step in path[:-1]:
                inner = inner.setdefault(step, {})
                if not isinstance(inner, dict):
                    raise InputError(
                        f"--set: {_dotted(path)}: {shown(step)} holds {shown(inner)}, which has no keys of its own"
                    )
            inner[path[-1]] = value
            overridden[path] = text
        return YamlSource(self.name, values, self.lines, overridden)

    def refuse_what_no_database_keeps(self) -> None:
        """Refuse values that would come back from a database as others, or not at all.

        Raises: InputError: a key that is no text, a text with a NUL or half a character, a number beyond 64 bits, NaN, inf.
        """
        self._refuse_inside((), self.values)

    def _refuse_inside(self, path: KeyPath, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                if not isinstance(key, str):
                    raise self.error((*path, str(key)), f"a key must be text, not {shown(key)}; {IN_QUOTES}")
                self._refuse_inside(path, key)
                self._refuse_inside((*path, key), inner)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                self._refuse_inside((*path, str(index)), inner)
        elif isinstance(value, str):
            if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value):
                raise self.error(path, f"{shown(value)} holds a character that no database keeps; remove it")
        elif isinstance(value, int):
            if value not in _INTEGERS:
                raise self.error(path, f"{shown(value)} does not fit into 64 bits; use a smaller number")
        elif isinstance(value, float) and not math.isfinite(value):
            raise self.error(path, f"{shown(value)} is not a finite number")


def read_yaml(path: Path) -> YamlSource:
    """Read a file whose top level is a mapping.

    Raises: InputError: it cannot be read, not YAML, a key twice, no mapping.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(LARGEST_FILE + 1)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not text in UTF-8 ({error.reason} at byte {error.start})") from error
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path}: cannot be read ({words}); give the path of a search space (a YAML file)") from error
    if len(text) > LARGEST_FILE:
        raise InputError(f"{path}: is longer than {LARGEST_FILE} characters, which no search space is")
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> YamlSource:
    """The same from text; `name` stands for the file in errors."""
    try:
        values, lines = load_yaml(text)
    except YamlTextError as error:
        line = "" if error.line is None else f":{error.line}"
        raise InputError(f"{name}{line}: {error.message}") from error
    if not isinstance(values, dict):
        found = "is empty" if values is None else f"is {shown(values)}"
        raise InputError(f"{name}: {found}; a search space is a mapping (study:, metric:, space:, …)")
    return YamlSource(name, values, lines, {})


def source_of_values(values: Mapping[str, Any], name: str = SPACE_IN_PYTHON) -> YamlSource:
    """The same from values written in Python; NumPy's numbers become plain ones, tuples lists.

    Raises: InputError: a key that is no text, or a value that a YAML file could not hold.
    """
    return YamlSource(name, {key: _plain(value, (key,)) for key, value in values.items()}, {}, {})


def _plain(value: Any, path: tuple[Any, ...]) -> Any:
    """`value`, found at `path`, as YAML would have given it."""
    where = f"{SPACE_IN_PYTHON}: {'.'.join(map(str, path))}"
    if not isinstance(path[-1], str):
        raise InputError(f"{where}: the key {path[-1]!r} is not text; write {str(path[-1])!r}")
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {key: _plain(inner, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, (*path, str(index))) for index, inner in enumerate(value)]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    if value is None:
        return None
    raise InputError(
        f"{where}: {textwrap.shorten(repr(value), 60)} is a {type(value).__name__}; write a number, text, True, False, None, "
        "or a list or dict of them"
    )


def _deep_copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _deep_copy(inner) for key, inner in value.items()}
    return [_deep_copy(inner) for inner in value] if isinstance(value, list) else value


def _dotted(path: KeyPath) -> str:
    """A path of keys as `--set` takes it, shortened."""
    text = ".".join(path)
    return text if len(text) <= 120 else f"{text[:80]}…{text[-39:]}"


def locate(source: YamlSource, error: SettingError, under: KeyPath) -> InputError:
    """A setting's error, with the file and line of the key it names below `under`."""
    return source.error((*under, *error.key.split(".")), error.message)
