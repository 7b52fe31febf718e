"""A YAML file as plain values, with the line of every key kept for error messages; and plain values as YAML.

Differs from PyYAML's own loader where that one surprises: `1e-5` is a number, `yes` and `no` are text (as in YAML 1.2), a
key written twice is an error.
"""

import math
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tuner.errors import InputError, SettingError

KeyPath = tuple[str, ...]


SPACE_IN_PYTHON = "search space"  # what errors call one that is no file


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


class _Dumper(yaml.SafeDumper):
    """Quotes text that PyYAML or the loader above would read as something else; writes 1e-05 as 1.0e-05, which both take."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.yaml_implicit_resolvers = {
    first: [*yaml.SafeDumper.yaml_implicit_resolvers.get(first, []), *_Loader.yaml_implicit_resolvers.get(first, [])]
    for first in {*yaml.SafeDumper.yaml_implicit_resolvers, *_Loader.yaml_implicit_resolvers}
}


def _write_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Between other quotes readers change some kinds of line ends."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _write_text)


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

    Raises: InputError: no such file, not YAML, a key twice, no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; give the path of a search space (a YAML file)") from error
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


def source_of_values(values: Mapping[str, Any]) -> YamlSource:
    """The same from values written in Python; NumPy's numbers become plain ones, tuples lists.

    Raises: InputError: a key that is no text, or a value that a YAML file could not hold.
    """
    return YamlSource(SPACE_IN_PYTHON, {key: _plain(value, (key,)) for key, value in values.items()}, {})


def write_yaml(values: Mapping[str, Any]) -> str:
    """Plain values as a YAML file, keys in their order; what is read back is equal, floats to the last bit."""
    text: str = yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf)
    return text


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


def locate(source: YamlSource, error: SettingError, under: KeyPath) -> InputError:
    """A setting's error, with the file and line of the key it names below `under`."""
    return source.error((*under, *error.key.split(".")), error.message)
