"""The README is kept true: its bash blocks are run, in order, after its quickstart; what it promises of that one is checked."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import yaml

from storage.reading import StudyReader
from tests.cli import COMMAND, Folder
from tests.studies import optuna_trials
from tuner.search_space import check_search_space
from tuner.trainer_check import check_values
from tuner.yaml_source import parse_yaml

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.mark.quickstart
@pytest.mark.timeout(900)
def test_the_quickstart_finds_a_network_that_learns_and_the_commands_after_it_work(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    (tmp_path / "search_spaces").symlink_to(ROOT / "search_spaces")
    assert "$(BIN)/tuner launch search_spaces/quickstart.yaml" in (ROOT / "Makefile").read_text()
    ended = folder.run("launch", "search_spaces/quickstart.yaml", timeout=800)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert ended.stdout.rstrip().splitlines()[-2] == "database: sqlite:///tuner.db"
    trials = StudyReader(f"sqlite:///{tmp_path}/tuner.db").study("quickstart").trials
    assert len(trials) == 12
    assert max(max(t.values.values()) for t in trials) > 0.70
    dead = [t for t in trials if t.parameters["bn_position"] == "none"]
    assert dead
    for trial in dead:
        assert max(trial.values.values()) < 0.16  # chance is 0.1; 225 images make it noisy
        assert trial.state == "pruned"
    states = Counter(t.state.name for t in optuna_trials(f"sqlite:///{tmp_path}/tuner.db", "quickstart"))
    assert states["COMPLETE"] >= 1
    assert states["COMPLETE"] + states["PRUNED"] == 12

    tuner = " ".join(COMMAND)
    commands = [line for block in blocks("bash") for line in block.splitlines() if line.strip()]
    assert len(commands) >= 4
    for command in commands:
        script = f'tuner() {{ {tuner} "$@"; }}; {command}'
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=folder.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout.strip(), command
    folder.wait_until_no_process_is_left()


def test_the_file_shown_is_a_right_search_space() -> None:
    (shown,) = blocks("yaml")
    check_values(check_search_space(parse_yaml(shown, "README.md")))


def test_every_setting_of_the_trainer_is_told() -> None:
    from tuner.training.settings import VggSettings

    for name in VggSettings.model_fields:
        assert f"`{name}`" in README, name


def test_the_small_launch_shown_is_accepted() -> None:
    (command,) = (line for block in blocks("sh") for line in block.splitlines() if "study=small" in line)
    overrides = re.findall(r"--set (\S+)", command)
    text = (ROOT / "search_spaces" / "vgg38.yaml").read_text()
    space = check_search_space(parse_yaml(text, "vgg38.yaml").with_overrides(overrides))
    assert (space.study, space.epochs, space.settings["train_images"]) == ("small", 3, 2000)
    assert yaml.safe_load(text)["study"] == "vgg38-cifar100"
