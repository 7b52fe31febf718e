"""YAML text to plain values and the line of every key, safe against whatever is in the text.

Differs from PyYAML's own loader where that one surprises: `1e-5` is a number, `yes`, `no` and dates are text (as in YAML
1.2's core schema), a key written twice is an error. Nesting, size and aliases are bounded before anything is built, so no text can
make it run long or fill the memory.
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml

KeyPath = tuple[str, ...]

DEEPEST = 30  # lists and mappings inside each other
MOST_NODES = 10_000  # values and keys, those that an alias repeats counted again
LONGEST_INTEGER = 4000  # digits; Python itself refuses to read more than 4300


class YamlTextError(Exception):
    """The text is not YAML, or asks for too much. `line` counts from 1; None where there is none."""

    def __init__(self, line: int | None, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def load_yaml(text: str) -> tuple[Any, Mapping[KeyPath, int]]:
    """The value of a text and the line, from 1, of every key and every entry of a list.

    Raises: YamlTextError: what is wrong and where; the message holds no line end.
    """
    loader = None
    try:
        loader = Loader(text)
        root = loader.get_single_node()
        if root is None:
            return None, {}
        lines: dict[KeyPath, int] = {}
        _note_lines(root, (), lines)
        return loader.construct_document(root), lines
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise YamlTextError(line, f"this is not YAML: {error.problem or error.context}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlTextError(
            line, f"this is not YAML: the character U+{error.character:04X} may not stand here"
        ) from error
    finally:
        if loader is not None:
            loader.dispose()


class Loader(yaml.SafeLoader):
    """Safe, with the scalars of YAML 1.2's core schema and no other tags, and with bounds."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._num_nodes = 0
        self._sizes: dict[int, int] = {}  # of finished nodes, by id; they live as long as the document

    def compose_node(self, parent: Any, index: Any) -> Any:
        line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
        is_alias = self.check_event(yaml.AliasEvent)
        if self._depth >= DEEPEST:
            raise YamlTextError(line, f"is nested deeper than {DEEPEST} levels; a search space needs a few")
        begin = self._num_nodes
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        if not is_alias:
            self._num_nodes += 1
            self._sizes[id(node)] = self._num_nodes - begin
        elif id(node) not in self._sizes:
            raise YamlTextError(line, "an alias (*) stands inside what it repeats, which has no end; write it out")
        else:
            self._num_nodes += self._sizes[id(node)]
        if self._num_nodes > MOST_NODES:
            raise YamlTextError(
                line, f"holds more than {MOST_NODES} values, each alias (*) counted as what it repeats; make it smaller"
            )
        return node


def _integer(loader: yaml.SafeLoader, node: yaml.Node) -> int:
    digits = str(loader.construct_scalar(node))  # type: ignore[arg-type]
    if not re.fullmatch(r"[-+]?[0-9]+", digits):
        raise yaml.constructor.ConstructorError(None, None, f"{digits[:60]!r} is no whole number", node.start_mark)
    if len(digits) > LONGEST_INTEGER:
        problem = f"a number of {len(digits)} digits; at most {LONGEST_INTEGER} are read"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return int(digits)  # 010 is ten, not eight


def _float(loader: yaml.SafeLoader, node: yaml.Node) -> float:
    digits = str(loader.construct_scalar(node))  # type: ignore[arg-type]
    try:
        return float(re.sub(r"^([-+]?)\.(inf|nan)$", r"\1\2", digits.lower()))
    except ValueError:
        problem = f"{digits[:60]!r} is no number"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None


def _boolean(loader: yaml.SafeLoader, node: yaml.Node) -> bool:
    word = str(loader.construct_scalar(node)).lower()  # type: ignore[arg-type]
    if word not in ("true", "false"):
        raise yaml.constructor.ConstructorError(None, None, f"{word[:60]!r} is not true or false", node.start_mark)
    return word == "true"


def _unknown(loader: yaml.SafeLoader, node: yaml.Node) -> None:
    problem = f"the tag {node.tag[:60].replace(_CORE, '!!')} is not known; leave it out"
    raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


_CORE = "tag:yaml.org,2002:"
Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.removeprefix(_CORE) in ("null", "merge")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(f"{_CORE}bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
Loader.add_implicit_resolver(f"{_CORE}int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
Loader.add_implicit_resolver(
    f"{_CORE}float",
    re.compile(
        r"^(?:[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+.0123456789"),
)
Loader.yaml_constructors = {
    key: constructor
    for key, constructor in yaml.SafeLoader.yaml_constructors.items()
    if key is not None and key.removeprefix(_CORE) in ("null", "str", "seq", "map")
}
Loader.add_constructor(None, _unknown)
Loader.add_constructor(f"{_CORE}int", _integer)
Loader.add_constructor(f"{_CORE}float", _float)
Loader.add_constructor(f"{_CORE}bool", _boolean)


def _note_lines(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int]) -> None:
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*path, str(index))] = item.start_mark.line + 1
            _note_lines(item, (*path, str(index)), lines)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise YamlTextError(line, "a key must be a word, not a list or a mapping")
        inner = (*path, str(key.value))
        if inner in lines:
            raise YamlTextError(line, f"{'.'.join(inner)}: is written twice (first in line {lines[inner]}); keep one")
        lines[inner] = line
        _note_lines(value, inner, lines)
