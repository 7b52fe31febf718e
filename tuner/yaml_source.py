"""A YAML file as plain values, with the line of every key kept for error messages.

Differs from PyYAML's own loader where that one surprises: `1e-5` is a number, `yes` and `no` are text (as in YAML 1.2), a
key written twice is an error.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tuner.errors import InputError, SettingError

KeyPath = tuple[str, ...]


class _Loader(yaml.SafeLoader):
    """Safe, with the scalars of YAML 1.2's core schema."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag.rpartition(":")[2] not in ("bool", "int", "float", "timestamp")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?\d+$"), list("-+0123456789"))
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value))  # 010 is ten, not eight
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^(?:[-+]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][-+]?\d+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"),
    list("-+.0123456789"),
)


@dataclass(frozen=True, slots=True)
class YamlSource:
    """The values of a file and where each key stands."""

    name: str
    values: dict[str, Any]
    lines: Mapping[KeyPath, int]
    overridden: frozenset[KeyPath] = frozenset()

    def error(self, path: Iterable[str], message: str) -> InputError:
        """The error about one key: file and line (or `--set`), key, and what is wrong with it."""
        path = tuple(path)
        where = self._where(path)
        return InputError(f"{where}: {'.'.join(path)}: {message}" if path else f"{where}: {message}")

    def _where(self, path: KeyPath) -> str:
        for length in range(len(path), 0, -1):
            if path[:length] in self.overridden:
                return "--set"
            if path[:length] in self.lines:
                return f"{self.name}:{self.lines[path[:length]]}"
        return "--set" if any(given[: len(path)] == path for given in self.overridden if path) else self.name

    def with_overrides(self, assignments: Iterable[str]) -> "YamlSource":
        """The same with `KEY=VALUE` set for each assignment; KEY is a path with dots, VALUE is YAML.

        Raises: InputError: no `=`, a value that is no YAML, a path through something that is no mapping.
        """
        values, overridden = _deep_copy(self.values), set(self.overridden)
        for assignment in assignments:
            key, equals, text = assignment.partition("=")
            path = tuple(key.split("."))
            if not equals or not all(path):
                raise InputError(f"--set: {assignment!r} is not KEY=VALUE; write for example --set settings.epochs=3")
            try:
                value = yaml.load(text, _Loader)
            except yaml.YAMLError as error:
                raise InputError(f"--set: {key}: {text!r} is not a YAML value; quote it if it is text") from error
            inner = values
            for step in path[:-1]:
                inner = inner.setdefault(step, {})
                if not isinstance(inner, dict):
                    raise InputError(f"--set: {key}: {step!r} holds {inner!r}, which has no keys of its own")
            inner[path[-1]] = value
            overridden.add(path)
        return YamlSource(self.name, values, self.lines, frozenset(overridden))


def read_yaml(path: Path) -> YamlSource:
    """Read a file whose top level is a mapping.

    Raises: InputError: it cannot be read, not YAML, a key twice, no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> YamlSource:
    """The same from text; `name` stands for the file in errors."""
    loader = None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        lines: dict[KeyPath, int] = {}
        if root is not None:
            _note_lines(root, (), lines, name)
        values = loader.construct_document(root) if root is not None else None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{name}{line}: this is not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{name}: this is not YAML: {error}") from error
    finally:
        if loader is not None:
            loader.dispose()
    if not isinstance(values, dict):
        raise InputError(
            f"{name}: a search space is a mapping (study:, metric:, space:, …), not {type(values).__name__}"
        )
    return YamlSource(name, values, lines)


def _note_lines(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], name: str) -> None:
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*path, str(index))] = item.start_mark.line + 1
            _note_lines(item, (*path, str(index)), lines, name)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise InputError(f"{name}:{line}: a key must be a word, not a list or a mapping")
        inner = (*path, str(key.value))
        if inner in lines:
            raise InputError(
                f"{name}:{line}: {'.'.join(inner)}: is written twice (first in line {lines[inner]}); keep one"
            )
        lines[inner] = line
        _note_lines(value, inner, lines, name)


def _deep_copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _deep_copy(inner) for key, inner in value.items()}
    return [_deep_copy(inner) for inner in value] if isinstance(value, list) else value


def locate(source: YamlSource, error: SettingError, under: KeyPath) -> InputError:
    """A setting's error, with the file and line of the key it names below `under`."""
    return source.error((*under, *error.key.split(".")), error.message)
