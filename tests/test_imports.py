"""Who may import what, held by import-linter (contracts in pyproject.toml)."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ONE = {"settings.epochs": 9, "settings.depth": 8, "settings.train_images": 40, "space.bn_position": "none",
       "space.batch_size": 20, "space.weight_decay": 0}  # fmt: skip
TRAIN = [
    "train",
    "search_spaces/quickstart.yaml",
    *(word for key, value in ONE.items() for word in ("--set", f"{key}={value}")),
]


def test_every_room_keeps_to_its_imports() -> None:
    lint = Path(sys.executable).parent / "lint-imports"
    ended = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(
    ("command", "unneeded"),
    [
        (["--help"], ["torch", "ray", "optuna", "sqlalchemy", "pydantic", "yaml", "plotly"]),
        (["--version"], ["torch", "ray", "optuna", "sqlalchemy", "yaml"]),
        (["validate", "search_spaces/vgg38.yaml"], ["torch", "ray", "optuna", "sqlalchemy", "storage"]),
        (["schema"], ["torch", "ray", "optuna", "sqlalchemy", "storage"]),
        (TRAIN, ["ray", "optuna", "sqlalchemy", "storage"]),
    ],
)
def test_a_command_does_not_import_what_it_does_not_need(command: list[str], unneeded: list[str]) -> None:
    """`tuner --help` answers at once, and `tuner train` runs where neither Ray nor Optuna nor a database is installed."""
    script = f"""
import sys
for name in {unneeded!r}:
    sys.modules[name] = None  # importing it fails from now on
sys.argv = ["tuner", *{command!r}]
from tuner.cli import main
main()
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
