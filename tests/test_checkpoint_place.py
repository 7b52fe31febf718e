"""Whose checkpoints are in a folder: no launch deletes what another study goes on from, or its own under another name."""

from pathlib import Path
from typing import Any

import pytest

from tests.studies import train

KEEPING: dict[str, Any] = {"budget": {"trials": 2}, "early_stopping": {"name": "none"}, "settings": {"epochs": 2}}


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.checkpoint"))


def test_studies_of_two_working_folders_share_a_location_and_leave_each_other_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same name, the same relative URL, the same location: only the databases differ."""
    location = tmp_path / "all"
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        train("sqlite:///tuner.db", checkpoint={"location": str(location)}, **KEEPING)
    assert len(kept(location)) == 4
    assert len(list(location.iterdir())) == 2


def test_studies_of_two_schemas_of_a_postgresql_database_do_so_too(
    postgres_url: str, sqlite_url: str, tmp_path: Path
) -> None:
    for url in (postgres_url, sqlite_url):
        train(url, checkpoint={"location": str(tmp_path / "all")}, **KEEPING)
    assert len(kept(tmp_path / "all")) == 4


def test_a_folder_reached_by_another_path_keeps_its_files(sqlite_url: str, tmp_path: Path) -> None:
    """A location may change between launches; here only its name does."""
    train(sqlite_url, checkpoint={"location": str(tmp_path / "all")}, **KEEPING)
    before = kept(tmp_path / "all")
    assert len(before) == 2
    (tmp_path / "link").symlink_to(tmp_path / "all")
    train(sqlite_url, checkpoint={"location": f"file://{tmp_path}/link"}, **KEEPING)
    assert kept(tmp_path / "all") == before


def test_a_users_own_folder_stays_when_it_is_empty(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    train(sqlite_url, checkpoint={"location": str(tmp_path / "mine"), "keep": 0}, **KEEPING)
    assert list((tmp_path / "mine").iterdir()) == []


def test_files_that_no_row_knows_are_deleted_by_the_next_launch(sqlite_url: str, tmp_path: Path) -> None:
    train(sqlite_url, checkpoint={"location": str(tmp_path / "all")}, **KEEPING)
    before = kept(tmp_path / "all")
    (folder,) = (tmp_path / "all").iterdir()
    for left in ("trial-9.attempt-1.epoch-1.checkpoint", "trial-0.attempt-1.epoch-1.checkpoint.part"):
        (folder / left).write_bytes(b"left by a launch that died")
    train(sqlite_url, checkpoint={"location": str(tmp_path / "all")}, **KEEPING)
    assert kept(tmp_path / "all") == before
    assert len(list(folder.iterdir())) == 2
