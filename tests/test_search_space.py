import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.studies import make_space
from tuner.distributions import Categorical, Fixed, Number, Parameter, active_parameters, parse_space
from tuner.errors import InputError
from tuner.rungs import rule_of
from tuner.search_space import check_search_space, load_search_space
from tuner.yaml_source import parse_yaml

GOOD = """\
study: s
metric: {name: score, goal: maximize}
trainer: tests.trainers:Curve
settings:
  epochs: 9
space:
  x: {low: 0.0, high: 1.0}
  kind: [a, b]
budget: {trials: 3}
"""


def problem(text: str, *overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        check_search_space(parse_yaml(text, "space.yaml").with_overrides(overrides))
    return str(caught.value)


@pytest.mark.parametrize(
    ("entry", "distribution"),
    [
        ({"low": 0, "high": 1.5}, Number(0, 1.5, integer=False)),
        ({"low": 1e-5, "high": 1e-2, "scale": "log"}, Number(1e-5, 1e-2, integer=False, log=True)),
        ({"low": 0.0, "high": 0.5, "step": 0.1}, Number(0.0, 0.5, integer=False, step=0.1)),
        ({"low": 1, "high": 8}, Number(1, 8, integer=True)),
        ({"low": 1, "high": 8, "type": "float"}, Number(1, 8, integer=False)),
        ({"low": 2, "high": 8, "step": 2}, Number(2, 8, integer=True, step=2)),
        ({"low": 1, "high": 64, "scale": "log"}, Number(1, 64, integer=True, log=True)),
        (["a", 2, 2.5, True, None], Categorical(("a", 2, 2.5, True, None))),
        ({"choices": [1, 2]}, Categorical((1, 2))),
        (0.1, Fixed(0.1)),
        (None, Fixed(None)),
        ({"value": "x"}, Fixed("x")),
    ],
)
def test_every_form_of_an_entry_is_understood(entry: Any, distribution: object) -> None:
    assert parse_space({"p": entry}) == (Parameter("p", distribution),)


def test_numbers_without_a_point_and_words_of_yaml_1_1_are_read_as_they_look() -> None:
    values = parse_yaml(
        "{a: 1e-5, b: 1E3, c: yes, d: no, e: on, f: none, g: true, h: null, i: .inf, j: -2, k: 0.5, l: 010, m: 12:30}",
        "f",
    ).values
    assert values == {"a": 1e-5, "b": 1e3, "c": "yes", "d": "no", "e": "on", "f": "none", "g": True, "h": None,
                      "i": float("inf"), "j": -2, "k": 0.5, "l": 10, "m": "12:30"}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("study: s", "stody: s"), "space.yaml:1: stody: unknown key; did you mean 'study'?"),
        (("goal: maximize", "goal: up"), "space.yaml:2: metric.goal: 'up' is not allowed; use 'maximize' or 'minimize'"),
        (("epochs: 9", "epochs: many"), "space.yaml:5: settings.epochs: 'many' is not allowed"),
        (("epochs: 9", "epochs: 0"), "space.yaml:5: settings.epochs: 0 is not allowed"),
        (("low: 0.0, high: 1.0", "low: 2.0, high: 1.0"), "space.yaml:7: space.x: low=2 is above high=1; swap them"),
        (("low: 0.0, high: 1.0", "low: 0.0, hihg: 1.0"), "space.yaml:7: space.x.hihg: unknown key; did you mean 'high'?"),
        (("low: 0.0, high: 1.0", "low: 0.0"), "space.yaml:7: space.x.high: is missing"),
        (("low: 0.0, high: 1.0", "low: 0.0, high: 1.0, scale: log"), "space.yaml:7: space.x: low=0 has no logarithm"),
        (("low: 0.0, high: 1.0", "low: zero, high: 1.0"), "space.yaml:7: space.x.low: 'zero' is not a finite number"),
        (("low: 0.0, high: 1.0", "low: 0.0, high: 1.0, step: 2"), "space.yaml:7: space.x.step: 2 is not allowed"),
        (("low: 0.0, high: 1.0", "low: 0.0, high: .inf"), "space.yaml:7: space.x.high: inf is not a finite number"),
        (("[a, b]", "[]"), "space.yaml:8: space.kind: [] is no choice"),
        (("[a, b]", "[a, a]"), "space.yaml:8: space.kind.1: 'a' stands in the list twice"),
        (("[a, b]", "[1, true]"), "space.yaml:8: space.kind.1: true stands in the list twice (1 and true count as equal)"),
        (("high: 1.0}", "high: 1.0, when: {1: [a]}}"), "space.yaml:7: space.x.when.1: a key must be text, not 1; write it in quotes"),
        (("high: 1.0", "high: 1" + "0" * 400), "space.yaml:7: space.x.high: 1000"),
        (("study: s", "study: \x07"), "space.yaml:1: this is not YAML"),
        (("[a, b]", "[a, [b]]"), "space.yaml:8: space.kind.1: ['b'] is not a single value"),
        (("high: 1.0}", "high: 1.0, when: {kimd: [a]}}"), "space.yaml:7: space.x.when.kimd: names no parameter"),
        (("high: 1.0}", "high: 1.0, when: {kind: [c]}}"), "space.yaml:7: space.x.when.kind: kind is never 'c'"),
        (("kind: [a, b]", "kind: {choices: [a], when: {x: 0.5}}\n  y: 1"), None),
        (("budget: {trials: 3}", "budget: {}"), "space.yaml:9: budget: no limit given"),
        (("budget: {trials: 3}", "budget: {trials: 0}"), "space.yaml:9: budget.trials: 0 is not allowed; it must be at least 1"),
        (("budget: {trials: 3}", "budget: {trials: 2.5}"), "space.yaml:9: budget.trials: 2.5 is not a whole number"),
        (("budget: {trials: 3}", ""), "space.yaml: budget: no limit given"),
        (("budget: {trials: 3}", "concurrency: many"), "space.yaml:9: concurrency: 'many' is not allowed; use a whole number or 'auto'"),
        (("budget: {trials: 3}", "concurrency: 0"), "space.yaml:9: concurrency: 0 is not allowed; use at least 1 or 'auto'"),
        (("budget: {trials: 3}", "sampler: {nam: tpe}"), "space.yaml:9: sampler.nam: unknown key; did you mean 'name'?"),
        (("epochs: 9", "epochs: 9\n  x: 1"), "space.yaml:8: space.x: is under settings too"),
        (("study: s", "study: s\nstudy: t"), "space.yaml:2: study: is written twice (first in line 1)"),
        (("study: s", "study: [s"), "space.yaml:2: this is not YAML"),
        (("sampler", "sampler"), None),
        (("study: s", "study: 007"), "space.yaml:1: study: 7 is not text; write it in quotes"),
        (("study: s", "study:"), "space.yaml:1: study: null is not text"),
        (("study: s", "study: ' s'"), "space.yaml:1: study: ' s' begins or ends with a blank; remove it"),
        (("study: s", "study: ' '"), "space.yaml:1: study: ' ' is no name; write one"),
        (("study: s", 'study: "a\\tb"'), r"space.yaml:1: study: 'a\tb' holds a character that cannot be printed"),
        (("study: s", 'study: "a\\0b"'), r"space.yaml:1: study: 'a\x00b' holds a character that no database keeps"),
        (("study: s", "study: " + "s" * 201), "space.yaml:1: study: a name of 201 characters is too long; at most 200"),
        (("name: score", "name: " + "s" * 256), "space.yaml:2: metric.name: a name of 256 characters is too long"),
        (("  x:", '  "x ":'), "space.yaml:7: space.x : as the name of a parameter, 'x ' begins or ends with a blank"),
        (("goal: maximize", "goal: Maximise"), "space.yaml:2: metric.goal: 'Maximise' is not allowed; did you mean 'maximize'?"),
        (("epochs: 9", "epoch: 9"), "space.yaml:4: settings: epochs is missing; say how many"),
        (("epochs: 9", "epochs: 1" + "0" * 22), "space.yaml:5: settings.epochs: 10000000000000000000000 does not fit into 64 bits"),
        (("epochs: 9", "epochs: 100001"), "space.yaml:5: settings.epochs: 100001 is not allowed; it must be a whole number from 1 to 100000"),
        (("epochs: 9", "epochs: 9\n  deep: {a: [.nan]}"), "space.yaml:6: settings.deep.a.0: nan is not a finite number"),
        (("epochs: 9", "epochs: 9\n  seed: -9223372036854775809"), "space.yaml:6: settings.seed: -9223372036854775809 does not fit"),
        (("trials: 3", "trials: 1" + "0" * 18), "space.yaml:9: budget.trials: 1000000000000000000 is not allowed; it must be at most 10000000"),
        (("trials: 3", "hours: .inf"), "space.yaml:9: budget.hours: inf is not a finite number"),
        (("trials: 3", "hours: .nan"), "space.yaml:9: budget.hours: nan is not a finite number"),
        (("budget:", "concurrency: 10001\nbudget:"), "space.yaml:9: concurrency: 10001 is not allowed; use at most 10000 or 'auto'"),
        (("budget:", "concurrency: atuo\nbudget:"), "space.yaml:9: concurrency: 'atuo' is not allowed; did you mean 'auto'?"),
        (("budget:", "resources: {cpus: 10001}\nbudget:"), "space.yaml:9: resources.cpus: 10001 is not allowed"),
        (("budget:", "sampler: {seed: 9223372036854775808}\nbudget:"), "space.yaml:9: sampler.seed: 9223372036854775808 does not fit"),
        (("budget:", "sampler: tpee\nbudget:"), "space.yaml:9: sampler.name: 'tpee' is not allowed; did you mean 'tpe'?"),
        (("budget:", "early_stopping: {reduction_factor: 1001}\nbudget:"), "space.yaml:9: early_stopping.reduction_factor: 1001 is"),
        (("low: 0.0, high: 1.0", "low: -1e308, high: 1e308"), "space.yaml:7: space.x: the range from low=-1e+308 to high=1e+308 is too wide"),
        (("low: 0.0, high: 1.0", "low: 0, high: 1.7e308, step: 1.7e308"), "space.yaml:7: space.x: the range from low=0 to high=1.7e+308 is too wide"),
        (("low: 0.0, high: 1.0", "low: 1e-305, high: 1.0, scale: log"), "space.yaml:7: space.x: low=1e-305 is too near to 0"),
        (("low: 0.0, high: 1.0", "low: 0, high: 9007199254740993"), "space.yaml:7: space.x: whole numbers beyond 9007199254740992"),
        (("low: 0.0, high: 1.0", "low: 0.0, high: 1.0, step: 1e-16"), "space.yaml:7: space.x.step: 1e-16 makes more than 9007199254740992 values"),
        (("low: 0.0, high: 1.0", "low: 0.0, high: 1.0, step: 0.3"), "space.yaml:7: space.x.step: 0.3 does not divide the range from 0 to 1; its last value would be 0.9, so write high: 0.9"),
        (("low: 0.0, high: 1.0", "low: 0.0, high: 1.0, scale: logg"), "space.yaml:7: space.x.scale: 'logg' is not allowed; did you mean 'log'?"),
        (("high: 1.0}", "high: 1.0, when: {}}"), "space.yaml:7: space.x.when: {} is no condition; write when: {parameter: [values]}"),
        (("high: 1.0}", "high: 1.0, when: {kind: []}}"), "space.yaml:7: space.x.when.kind: [] holds no value, so the condition would never hold"),
        (("high: 1.0}", "high: 1.0, when: {kind: [[a]]}}"), "space.yaml:7: space.x.when.kind.0: ['a'] is not a single value"),
    ],
)  # fmt: skip
def test_an_error_names_file_line_key_what_was_found_and_what_is_allowed(
    change: tuple[str, str], message: str | None
) -> None:
    text = GOOD.replace(*change)
    if message is None:
        check_search_space(parse_yaml(text, "space.yaml"))
    else:
        assert problem(text).startswith(message)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("settings.epochs", "--set: 'settings.epochs' is not KEY=VALUE"),
        ("settings.epochs=none", "--set: settings.epochs: 'none' is not allowed"),
        ("study.name=x", "--set: study.name: 'study' holds 's'"),
        ("bugdet.trials=3", "--set: bugdet: unknown key; did you mean 'budget'?"),
        ("space.x=[1, ", "--set: space.x: '[1, ' is not a value (this is not YAML: expected the node"),
    ],
)
def test_an_error_in_an_override_names_it(override: str, message: str) -> None:
    assert problem(GOOD, override).startswith(message)


def test_conditions_in_a_circle_are_refused() -> None:
    circle = {"a": {"choices": [1, 2], "when": {"b": 1}}, "b": {"choices": [1, 2], "when": {"a": 1}}}
    with pytest.raises(InputError, match="in a circle"):
        parse_space(circle)


def test_a_parameter_is_in_force_only_where_its_condition_and_its_parents_hold() -> None:
    parameters = parse_space({
        "c": {"low": 0.0, "high": 1.0, "when": {"b": True}},
        "b": {"choices": [True, False], "when": {"a": ["x"]}},
        "a": ["x", "y"],
    })  # fmt: skip
    assert [p.name for p in parameters] == ["a", "b", "c"]
    assert [p.name for p in active_parameters(parameters, {"a": "x", "b": True, "c": 0.5})] == ["a", "b", "c"]
    assert [p.name for p in active_parameters(parameters, {"a": "x", "b": False})] == ["a", "b"]
    assert [p.name for p in active_parameters(parameters, {"a": "y", "b": True})] == ["a"]


def test_overrides_reach_every_key() -> None:
    space = check_search_space(parse_yaml(GOOD, "f").with_overrides(
        ["study=small", "settings.epochs=3", "space.x=0.5", "budget.hours=1.5", "early_stopping={name: none}"]))  # fmt: skip
    assert (space.study, space.epochs, space.budget.hours, space.early_stopping.name) == ("small", 3, 1.5, "none")
    assert Parameter("x", Fixed(0.5)) in space.parameters


def test_one_configuration_needs_a_value_for_every_entry_in_force() -> None:
    with pytest.raises(InputError, match=r"x, kind still open; .* --set space.x=0.0 --set space.kind=a"):
        make_space().fixed_configuration()
    child = {"low": 1, "high": 4, "when": {"kind": ["a"]}}
    with pytest.raises(InputError, match="depth still open"):
        make_space(space={"x": 0.5, "kind": "a", "depth": child}).fixed_configuration()
    not_in_force = make_space(space={"x": 0.5, "kind": "b", "depth": child})
    assert not_in_force.fixed_configuration() == {"epochs": 9, "x": 0.5, "kind": "b"}


@pytest.mark.parametrize("name", ["quickstart", "vgg38"])
def test_the_search_spaces_that_ship_are_right(name: str) -> None:
    from tuner.trainer_check import check_values

    space = load_search_space(Path(__file__).parent.parent / "search_spaces" / f"{name}.yaml")
    check_values(space)
    assert [p.name for p in space.parameters] == ["bn_position", "batch_size", "weight_decay", "dropout"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("settings.flters=8", "--set: settings.flters: unknown key; did you mean 'filters'?"),
        ("settings.depth=37", "--set: settings.depth: 37 is no depth of this network; use 6 n + 8"),
        (
            "settings.dataset=mnist",
            "--set: settings.dataset: 'mnist' is not allowed; use 'cifar100', 'digits' or 'folder'",
        ),
        ("space.dropout=1.5", "--set: space.dropout: 1.5 is not allowed; it must be below 1"),
        ("space.bn_position=before", "--set: space.bn_position: 'before' is not allowed"),
        ("space.batch_size={low: 1, high: 9}", "--set: space.batch_size: 1 is not allowed; it must be at least 2"),
        (
            "space.train_images=[10, 20]",
            "--set: space.train_images: all trials share one data set; write it under settings",
        ),
        ("space.momentum=[0.9]", "--set: space.momentum: unknown key"),
        ("trainer=resnet", "--set: trainer: 'resnet' is no trainer"),
        ("trainer=nowhere:Trainer", "--set: trainer: module 'nowhere'"),
        ("trainer=tests.trainers:Nothing", "--set: trainer: module 'tests.trainers' has no 'Nothing'"),
    ],
)
def test_what_the_trainer_does_not_know_is_refused_before_anything_starts(override: str, message: str) -> None:
    from tuner.trainer_check import check_values

    path = Path(__file__).parent.parent / "search_spaces" / "vgg38.yaml"
    with pytest.raises(InputError) as caught:
        check_values(load_search_space(path, (override,)))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("range_", [(0.0, 0.5, 0.1), (0.1, 0.7, 0.2), (1e-3, 7e-3, 1e-3), (0, 9, 3), (-0.3, 0.3, 0.1)])
def test_a_step_divides_as_it_is_written_and_not_as_floats_do(range_: tuple[float, float, float]) -> None:
    low, high, step = range_
    parse_space({"x": {"low": low, "high": high, "step": step}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f: is empty; a search space is a mapping"),
        ("# only words", "f: is empty; a search space is a mapping"),
        ("[1]", "f: is [1]; a search space is a mapping"),
        ("a: &a [*a]", "f:1: an alias (*) stands inside what it repeats, which has no end"),
        ("[" * 1000, "f:1: is nested deeper than 30 levels"),
        ("a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in itertools.pairwise("abcdefghi")),
         "f:4: holds more than 10000 values, each alias (*) counted as what it repeats"),
        ("{a: !!timestamp 2001-01-01}", "f:1: this is not YAML: the tag !!timestamp is not known; leave it out"),
        ("{a: !!int x}", "f:1: this is not YAML: 'x' is no whole number"),
        ("a: 1" + "0" * 5000, "f:1: this is not YAML: a number of 5001 digits"),
        ("a: 1\n\x07", "f:2: this is not YAML: the character U+0007 may not stand here"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_search_space_is_refused_at_once(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_yaml(text, "f")
    assert str(caught.value).startswith(message)


def test_an_alias_repeats_what_it_names() -> None:
    assert parse_yaml("{a: &x [1, 2], b: *x, c: {<<: {d: 1}, e: 2}}", "f").values == {
        "a": [1, 2],
        "b": [1, 2],
        "c": {"d": 1, "e": 2},
    }


def test_a_number_given_where_text_belongs_says_how_to_quote_it() -> None:
    assert problem(GOOD, "study=007") == """--set: study: 7 is not text; write it in quotes: --set 'study="007"'"""
    assert check_search_space(parse_yaml(GOOD, "f").with_overrides(['study="007"'])).study == "007"


def test_a_name_alone_stands_for_the_mapping() -> None:
    space = check_search_space(parse_yaml(GOOD, "f").with_overrides(["sampler=random", "early_stopping=none"]))
    assert (space.sampler.name, space.early_stopping.name) == ("random", "none")


def test_rungs_above_the_epochs_are_refused_by_who_compares_trials_and_not_by_who_trains_one() -> None:
    space = make_space(early_stopping={"min_epochs": 10})
    with pytest.raises(InputError, match=r"space.yaml:\d+: early_stopping.min_epochs: 10 is not within the 9 epochs"):
        rule_of(space)
    one = make_space(early_stopping={"min_epochs": 10}, space={"x": 0.5})
    assert one.fixed_configuration() == {"epochs": 9, "x": 0.5}


def test_a_file_that_never_ends_or_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"study: \xff")
    (tmp_path / "long").write_text("# " + "x" * 1_000_000)
    for path, message in [
        (tmp_path / "latin", "is not text in UTF-8"),
        (tmp_path / "long", "is longer than 1000000 characters"),
        (tmp_path, "is a folder"),
        (Path("/dev/zero"), "is longer than"),
    ]:
        with pytest.raises(InputError, match=message):
            load_search_space(path)


def test_a_message_is_one_line_without_control_characters_and_passwords() -> None:
    message = str(InputError("a\nb\x1b[31m postgresql://me:s3cret@host/db?password=s3cret " + "x" * 1000 + " do this"))
    assert message.startswith(r"a b\x1b[31m postgresql://me:***@host/db?password=***")
    assert message.endswith("x do this")
    assert len(message) <= 500
