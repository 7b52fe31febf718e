"""No process of a launch and no file of it outlives it, whatever is killed: through real Ray."""

import signal
import time
from pathlib import Path

import pytest

from tests.cli import Folder

FORGETFUL = {
    "trainer": "trainers:Forgetful", "concurrency": 1, "early_stopping": {"name": "none"}, "budget": {"trials": 2},
    "settings": {"epochs": 8, "sleep": 0.4, "diary": "diary.txt"},
}  # fmt: skip


def test_a_driver_killed_in_mid_epoch_takes_everything_with_it(folder: Folder) -> None:
    running = folder.start("launch", folder.write("space.yaml", **FORGETFUL))
    running.wait_for("epoch   2/8")
    assert folder.pid_of("sleep 600")
    (made,) = folder.launch_folders()
    assert running.end(signal.SIGKILL) == -signal.SIGKILL
    time.sleep(10)
    begun = (folder.path / "diary.txt").read_text()
    folder.wait_until_no_process_is_left()
    assert (folder.path / "diary.txt").read_text() == begun  # no epoch was begun after ten seconds
    assert not made.exists()


@pytest.mark.chaos
def test_what_was_killed_with_its_reaper_goes_with_the_next_launch_which_leaves_nothing(folder: Folder) -> None:
    space = folder.write("space.yaml", **FORGETFUL)
    running = folder.start("launch", space)
    running.wait_for("epoch   2/8")
    forgotten = folder.pid_of("sleep 600")
    (made,) = folder.launch_folders()
    folder.kill(folder.pid_of("reaper.py"))
    assert running.end(signal.SIGKILL) == -signal.SIGKILL
    assert made.exists()
    ended = folder.run("launch", space)
    assert ended.returncode == 0, ended.stderr
    assert f"removed {made}, left by a launch that was killed; " in ended.stdout
    assert folder.processes() == []  # of this launch neither, though its trainers forgot some too
    assert folder.launch_folders() == []
    assert not Path(f"/proc/{forgotten}").exists()


@pytest.mark.chaos
def test_a_launch_whose_ray_is_killed_ends_and_is_gone_on_with(folder: Folder) -> None:
    """Tune would wait for ever for trials that nothing can run."""
    space = folder.write("space.yaml", **FORGETFUL)
    running = folder.start("launch", space)
    running.wait_for("epoch   2/8")
    folder.kill(folder.pid_of("raylet/raylet"))
    assert running.process.wait(timeout=120) == 75, running.output()
    assert "Ray's raylet on this machine died" in running.output()
    ended = folder.run("launch", space)
    assert ended.returncode == 0, ended.stderr
    folder.wait_until_no_process_is_left()
    assert folder.launch_folders() == []
