"""What is installed is what was tried: the wheel holds what a user needs, and works without the repository."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tuner.shipped import shipped_names

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this repository, unpacked; built from a copy, since building leaves files behind."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "tuner", "storage", "search_spaces", "tests", "benchmarks"):
        subprocess.run(["cp", "-r", ROOT / name, source], check=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
         "--disable-pip-version-check", "--wheel-dir", folder, source],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "unpacked")
    return folder / "unpacked"


def test_the_wheel_holds_code_migrations_and_search_spaces_and_nothing_else(unpacked: Path) -> None:
    files = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    assert {name.partition("/")[0] for name in files if ".dist-info/" not in name} == {
        "tuner",
        "storage",
        "search_spaces",
    }
    expected = {
        path.relative_to(ROOT).as_posix()
        for folder, pattern in (
            ("tuner", "*.py"),
            ("storage", "*.py"),
            ("search_spaces", "*.yaml"),
            ("tuner/reporting/templates", "*"),
        )
        for path in (ROOT / folder).rglob(pattern)
    }
    assert expected <= files
    assert {"storage/migrations/script.py.mako", "tuner/py.typed", "storage/py.typed"} <= files


def test_an_installed_tuner_finds_the_search_spaces_that_ship(unpacked: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True)

    where = run("-c", "import tuner, storage; print(tuner.__file__, storage.__file__)").stdout.split()
    assert all(Path(file).is_relative_to(unpacked) for file in where)
    for name in shipped_names():
        ended = run("-m", "tuner", "validate", name)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.startswith(f"{name}: right. Study ")
    assert list(tmp_path.iterdir()) == []
