"""Whatever stands in a file or after `--set`: it is taken, or refused in one plain line; never a traceback.

`FUZZ_EXAMPLES=20000 pytest tests/test_fuzz.py` looks longer, at other examples each time.
"""

import copy
import json
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.studies import BASE
from tuner.errors import LONGEST_MESSAGE, InputError
from tuner.rungs import rule_of
from tuner.sampling import make_sampler, propose
from tuner.search_space import SearchSpace, check_search_space
from tuner.trainer_check import check_values
from tuner.yaml_source import YamlSource, parse_yaml

NAME = "space.yaml"
LONGER = "FUZZ_EXAMPLES" in os.environ
fuzz = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "300")),
    derandomize=not LONGER,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
FILES = sorted((Path(__file__).parent.parent / "search_spaces").rglob("*.yaml"))
TEXTS = [path.read_text() for path in FILES] + [yaml.safe_dump(BASE, sort_keys=False)]
TREES = [yaml.safe_load(text) for text in TEXTS]
WORDS = sorted({word for text in TEXTS for word in text.replace(",", " ").replace(":", " ").split()})


@pytest.fixture(autouse=True, scope="module")
def denormals() -> Iterator[None]:
    """Trainers that other tests made have set this process to take denormal numbers for zero; hypothesis draws some."""
    flushed = sys.float_info.min / 2 == 0.0
    if flushed:
        torch.set_flush_denormal(False)
    yield
    if flushed:
        torch.set_flush_denormal(True)


odd_scalars = st.one_of(
    st.sampled_from([10**22, -(10**22), 10**400, -(10**400), 2**63, 2**63 - 1, 2**53, -1, 0, 1, 5e-324, 1e308, -1e308,
                     1e-310, float("nan"), float("inf"), float("-inf"), -0.0, True, False, None, "", " ", "none", "auto",
                     "null", "true", "1e-5", "007", "1_000", "0x10", "2001-01-01", "12:30", "a" * 5000, "a\nb", "\x00",
                     "\x1b[31m", "\u202e", "\ud800", "é", "日本", "🙂", "a.b", ".", "=", "*", "&a", "vgg", "os:path",
                     "tests.trainers:Curve", "tests.trainers:Shared", "postgresql://me:s3cret@host/db"]),
    st.sampled_from(WORDS), st.integers(), st.floats(), st.text(max_size=8),
)  # fmt: skip
odd_keys = st.one_of(
    st.sampled_from(WORDS), st.text(max_size=5), st.sampled_from(["when", "choices", "value", "step", "", "a.b", "x"])
)
odd_values = st.recursive(
    odd_scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(odd_keys | st.integers() | st.none(), inner, max_size=3)
    ),
    max_leaves=6,
)
snippets = st.one_of(
    st.text(max_size=3),
    st.sampled_from(["\n", "\t", ":", ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "<<: ", "!!int ", "!x ", "%", "---\n", "...\n",
                     "'", '"', "\\", "|", ">", "#", ",", "? ", "\x00", "\x07", "\x85", "\u2028", "\ufeff", "[" * 200, "9" * 5000]),
    st.sampled_from([line + "\n" for text in TEXTS for line in text.splitlines()]),
)  # fmt: skip


def checked_or_refused(source: YamlSource) -> SearchSpace | None:
    """The space, or None when it was refused as it should be."""
    try:
        space = check_search_space(source)
        check_values(space)
        rule_of(space)
    except InputError as error:
        refused_in_one_line(str(error))
        return None
    return space


def refused_in_one_line(message: str) -> None:
    assert message.startswith((NAME, "--set")), message
    assert message.isprintable(), message
    assert len(message) <= LONGEST_MESSAGE, message
    assert "s3cret" not in message


def accepted_or_refused_in_one_line(text: str, *assignments: str) -> None:
    try:
        source = parse_yaml(text, NAME).with_overrides(assignments)
    except InputError as error:
        refused_in_one_line(str(error))
        return
    space = checked_or_refused(source)
    if space is not None:
        kept = json.loads(json.dumps(space.as_json(), allow_nan=False))
        again = check_search_space(YamlSource(NAME, kept, {}, {}))
        assert again.as_json() == kept == space.as_json()
        assert again.parameters == space.parameters


@st.composite
def mutated_trees(draw: st.DrawFn) -> str:
    tree = copy.deepcopy(draw(st.sampled_from(TREES)))
    for _ in range(draw(st.integers(1, 3))):
        _mutate(draw, tree)
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=draw(st.booleans()))


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _mutate(draw: st.DrawFn, tree: Any) -> None:
    places = list(_places(tree))
    holder, key = draw(st.sampled_from(places)) if places else (tree, draw(odd_keys))
    kind = draw(st.sampled_from(["replace", "delete", "rename", "add"]))
    if kind == "replace" or not places:
        holder[key] = draw(odd_values)
    elif kind == "delete":
        del holder[key]
    elif kind == "add" or isinstance(holder, list):
        (holder.append if isinstance(holder, list) else lambda value: holder.update({draw(odd_keys): value}))(
            draw(odd_values)
        )
    else:
        position = draw(st.integers(0, len(str(key))))
        letters = str(key)
        holder[letters[:position] + draw(st.sampled_from(["", "x", " "])) + letters[position + 1 :]] = holder.pop(key)


def _places(tree: Any) -> Any:
    for key, inner in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield tree, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


@st.composite
def mutated_texts(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, len(text)))
        end = draw(st.sampled_from([begin, begin, begin + 1, begin + 5, len(text)]))
        text = text[:begin] + draw(snippets) + text[end:]
    return text


@st.composite
def assignments(draw: st.DrawFn) -> str:
    keys = ["study", "metric.name", "trainer", "settings.epochs", "settings.depth", "space", "space.x", "space.dropout.when",
            "sampler", "sampler.seed", "early_stopping.min_epochs", "stop_when", "concurrency", "budget", "budget.hours",
            "resources.gpus", "space.weight_decay.low"]  # fmt: skip
    odd_key = st.text(max_size=10) | st.lists(st.sampled_from(WORDS), max_size=4).map(".".join)
    key = draw(st.integers(0, 9).flatmap(lambda n: odd_key if n == 0 else st.sampled_from(keys)))
    value = draw(odd_values.map(lambda v: json.dumps(v)) | odd_scalars.map(str) | snippets)
    return f"{key}{'' if draw(st.integers(0, 20)) == 0 else '='}{value}"


edges = st.sampled_from([0, 1, 2, 8, -1, 0.0, 0.1, 0.3, 0.5, 1.0, 1e-5, 2**53, 2**53 - 1, -(2**53), 2**62, 1e16, 1e300, -1e300,
                         1.7e308, -1.7e308, 2.3e-308, 1e-320, 5e-324, 1e-16])  # fmt: skip
ranges = st.fixed_dictionaries(
    {"low": edges | st.floats(), "high": edges | st.floats()},
    optional={
        "step": edges | st.none(),
        "scale": st.sampled_from(["linear", "log", "logg"]),
        "type": st.sampled_from(["integer", "float", None]),
        "when": st.sampled_from([{}, {"k": [1]}, {"k": "a"}, {"k": []}, {"x": [0.1]}, {"y": 1}]),
    },
)


@fuzz
@given(mutated_trees())
def test_any_value_under_any_key_is_taken_or_refused_in_one_line(text: str) -> None:
    accepted_or_refused_in_one_line(text)


@fuzz
@given(mutated_texts())
def test_a_file_damaged_anywhere_is_taken_or_refused_in_one_line(text: str) -> None:
    accepted_or_refused_in_one_line(text)


@fuzz
@given(st.sampled_from(TEXTS), st.lists(assignments(), min_size=1, max_size=3))
def test_any_assignment_is_taken_or_refused_in_one_line(text: str, given_: list[str]) -> None:
    accepted_or_refused_in_one_line(text, *given_)


@fuzz
@given(ranges)
def test_any_range_is_refused_in_one_line_or_drawn_from(entry: dict[str, Any]) -> None:
    space = checked_or_refused(YamlSource(NAME, {**BASE, "space": {"k": [1, "a"], "x": entry}}, {}, {}))
    if space is None:
        return
    study = optuna.create_study()
    low, high = space.parameters[-1].distribution.probes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Optuna warns where it changes what it was given
        for number in range(3):
            chosen = propose(study, make_sampler("random", 0, number), space.parameters).chosen
            assert low <= chosen.get("x", low) <= high


@pytest.mark.parametrize("text", TEXTS, ids=[*(path.name for path in FILES), "base"])
def test_the_files_that_are_mutated_are_right(text: str) -> None:
    space = check_search_space(parse_yaml(text, NAME))
    check_values(space)
    accepted_or_refused_in_one_line(text)
