"""The JSON Schema accepts the files that are right, refuses those that are not, and describes every key."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.studies import BASE
from tuner.schema import search_space_schema
from tuner.training.settings import VggSettings
from tuner.yaml_source import parse_yaml

ROOT = Path(__file__).parent.parent
FILES = sorted([*ROOT.glob("search_spaces/**/*.yaml"), *ROOT.glob("docs/examples/*.yaml")])
VALIDATOR = Draft202012Validator(search_space_schema())
VGG = yaml.safe_load((ROOT / "search_spaces" / "vgg38.yaml").read_text())


def problems(values: Any) -> list[str]:
    return [error.json_path for error in VALIDATOR.iter_errors(values)]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(VALIDATOR.schema)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_file_that_ships_is_right(file: Path) -> None:
    assert problems(parse_yaml(file.read_text(), file.name).values) == []


@pytest.mark.parametrize(
    "entry",
    [
        1, 0.5, "a", True, None, [1, "a", None], {"low": 1, "high": 8}, {"low": 1e-5, "high": 1.0, "scale": "log"},
        {"low": 0.0, "high": 0.5, "step": 0.1, "type": "float", "when": {"kind": ["a"]}},
        {"choices": [1, 2], "when": {"kind": "a"}}, {"value": None},
    ],
)  # fmt: skip
def test_every_form_of_an_entry_is_right(entry: Any) -> None:
    assert problems({**BASE, "space": {"p": entry}}) == []


@pytest.mark.parametrize(
    "entry",
    [
        [], [1, 1], [[1]], {}, {"low": 1}, {"low": "one", "high": 2}, {"low": 1, "hihg": 2}, {"low": 0, "high": 1, "step": 0},
        {"low": 0, "high": 1, "scale": "log"}, {"low": 1, "high": 2, "scale": "log10"}, {"choices": []},
        {"value": [1]}, {"value": 1, "low": 1}, {"choices": [1], "when": ["kind"]},
    ],
)  # fmt: skip
def test_what_is_no_entry_is_wrong(entry: Any) -> None:
    assert problems({**BASE, "space": {"p": entry}}) == ["$.space.p"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"bugdet": {"trials": 1}}, "$"),
        ({"study": ""}, "$.study"),
        ({"metric": {"name": "score", "goal": "up"}}, "$.metric.goal"),
        ({"trainer": "resnet"}, "$.trainer"),
        ({"settings": {}}, "$.settings"),
        ({"settings": {"epochs": 0}}, "$.settings.epochs"),
        ({"budget": {}}, "$"),
        ({"sampler": "tpee"}, "$.sampler"),
        ({"budget": {"trials": 0}}, "$.budget.trials"),
        ({"concurrency": "many"}, "$.concurrency"),
        ({"stop_when": ["bored"]}, "$.stop_when[0]"),
        ({"sampler": {"nam": "tpe"}}, "$.sampler"),
    ],
)
def test_a_wrong_key_or_value_is_wrong(change: dict[str, Any], where: str) -> None:
    assert problems({**BASE, **change}) == [where]


@pytest.mark.parametrize("key", [key for key in BASE if key not in ("sampler", "early_stopping")])
def test_a_key_that_must_be_there_is_missed(key: str) -> None:
    assert problems({name: value for name, value in BASE.items() if name != key}) == ["$"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"settings": {**VGG["settings"], "flters": 8}}, "$.settings"),
        ({"settings": {**VGG["settings"], "filters": 0}}, "$.settings.filters"),
        ({"settings": {"epochs": 3}}, "$.settings"),
        ({"space": {"dropuot": [0.1]}}, "$.space"),
        ({"space": {"data_dir": ["a", "b"]}}, "$.space"),
        ({"metric": {"name": "accuracy", "goal": "maximize"}}, "$.metric.name"),
    ],
)
def test_what_the_trainer_vgg_does_not_know_is_wrong(change: dict[str, Any], where: str) -> None:
    assert problems({**VGG, **change}) == [where]


def test_every_key_is_described() -> None:
    """A key without a description raises a KeyError; so does, here, a description without a key."""
    from tuner import schema

    described = set()
    for key, value in VALIDATOR.schema["properties"].items():
        described.add(key)
        reference = next((form["$ref"] for form in [value, *value.get("anyOf", [])] if "$ref" in form), "")
        held = VALIDATOR.schema["$defs"].get(reference.rpartition("/")[2], value)
        described |= {f"{key}.{inner}" for inner in held.get("properties", {})}
    described |= {f"settings.{name}" for name in VggSettings.model_fields}
    assert described == set(schema._DESCRIPTIONS)


def test_a_name_alone_will_do_and_a_grid_needs_no_budget() -> None:
    assert problems({**BASE, "sampler": "random", "early_stopping": "none"}) == []
    without = {name: value for name, value in BASE.items() if name != "budget"}
    assert problems({**without, "sampler": "grid"}) == []
    assert problems({**without, "sampler": {"name": "grid", "seed": 1}}) == []
    assert problems({**BASE, "enqueue": [{"x": 0.5, "kind": None}]}) == []
