"""The examples work as they are, in a folder that holds nothing else, and keep what a trainer promises."""

import importlib.util
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from storage.reading import StudyReader
from tests.cli import Folder
from tuner.search_space import load_search_space

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
ONE = {
    "sklearn_digits": {"hidden_units": 32, "activation": "relu", "learning_rate": 0.01, "l2_penalty": 1e-4},
    "torch_digits": {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9, "width": 4, "batch_size": 64},
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path)
    yield made
    made.wait_until_no_process_is_left()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks on busy cores: several threads would wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trainer_class(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, load_search_space(EXAMPLES / f"{name}.yaml").trainer.partition(":")[2])


@pytest.mark.parametrize("name", ONE)
def test_an_example_is_validated_launched_and_learns(folder: Folder, name: str) -> None:
    (folder.path / "trainers.py").unlink()
    for ending in (".py", ".yaml"):
        shutil.copy(EXAMPLES / f"{name}{ending}", folder.path)
    validated = folder.run("validate", f"{name}.yaml")
    assert validated.returncode == 0, validated.stderr
    fixed = [word for key, value in ONE[name].items() for word in ("--set", f"space.{key}={value}")]
    ended = folder.run("launch", f"{name}.yaml", "--set", "settings.epochs=3", "--trials", "1", *fixed)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert ended.stderr == ""
    (trial,) = StudyReader(f"sqlite:///{folder.path}/tuner.db").study(name.replace("_", "-")).trials
    assert trial.state == "complete"
    assert len(trial.values) == 3
    assert (
        trial.values[3] > 0.5 if name == "sklearn_digits" else trial.values[3] < 0.5
    )  # chance is 0.1, or an error of 0.9


@pytest.mark.parametrize("name", ONE)
def test_an_example_that_goes_on_from_a_state_equals_one_that_was_not_interrupted(name: str) -> None:
    make = trainer_class(name)
    configuration = {"epochs": 4, "seed": 3, **ONE[name]}
    data = make.load_data(configuration)
    whole = make(configuration, data, "cpu")
    expected = [whole.train_epoch() for _ in range(4)]
    first = make(configuration, data, "cpu")
    begun = [first.train_epoch() for _ in range(2)]
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = make(configuration, data, "cpu")
    second.load_state_dict(torch.load(file, weights_only=True))
    assert begun + [second.train_epoch() for _ in range(2)] == expected


def test_the_torch_example_refuses_a_width_it_cannot_use(folder: Folder) -> None:
    for ending in (".py", ".yaml"):
        shutil.copy(EXAMPLES / f"torch_digits{ending}", folder.path)
    ended = folder.run("validate", "torch_digits.yaml", "--set", "space.width=[4, 6]")
    assert ended.returncode == 2
    assert ended.stderr == "error: --set: space.width: 6 cannot be used; it must be a multiple of 4: 4, 8, 12, …\n"


def test_the_torch_example_tells_the_gradient_flow_of_its_layers() -> None:
    make = trainer_class("torch_digits")
    configuration = {"seed": 0, **ONE["torch_digits"]}
    trainer = make(configuration, make.load_data(configuration), "cpu")
    trainer.train_epoch()
    flow = trainer.gradient_flow()
    assert len(flow) == 4
    assert all(value > 0 for value in flow.values())
