"""Launches through Ray, in a folder of their own, that leave no process and no folder behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path)
    yield made
    made.wait_until_no_process_is_left()
    assert made.launch_folders() == []
