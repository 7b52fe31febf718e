"""What a launch has on this machine ends with it, whatever is killed; here the launch is a few lines without Ray."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tuner.execution import footprint
from tuner.execution.footprint import Footprint, sweep
from tuner.execution.reaper import MARK

LAUNCH = """
import subprocess, sys, time
from pathlib import Path
from tuner.execution import footprint

footprint.PLACE = Path(sys.argv[1])
begun = footprint.Footprint()
begun.begin()
(begun.folder / "file").touch()
child = subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=subprocess.DEVNULL)
print(begun.folder, child.pid, begun._reaper.pid, flush=True)
time.sleep(600)
"""


@dataclass(frozen=True, slots=True)
class Launch:
    process: "subprocess.Popen[str]"
    folder: Path
    child: int
    reaper: int

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(footprint, "PLACE", tmp_path)
    return tmp_path


@pytest.fixture
def launch(place: Path) -> Iterator[Launch]:
    process = subprocess.Popen([sys.executable, "-c", LAUNCH, str(place)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    folder, child, reaper = process.stdout.readline().split()
    begun = Launch(process, Path(folder), int(child), int(reaper))
    yield begun
    begun.kill()
    process.stdout.close()
    wait_for(lambda: not is_alive(begun.child) and not is_alive(begun.reaper))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_dead_launch_leaves_nothing_and_who_reads_its_output_need_not_wait_for_that(launch: Launch) -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        os.kill(launch.reaper, number)
    launch.kill()
    assert launch.process.stdout is not None
    assert launch.process.stdout.read() == ""  # its end
    assert is_alive(launch.reaper)
    wait_for(lambda: not is_alive(launch.reaper))
    assert not is_alive(launch.child)
    assert not launch.folder.exists()


def test_what_was_killed_with_its_reaper_is_swept_and_told(launch: Launch) -> None:
    launch.kill()
    os.kill(launch.reaper, signal.SIGKILL)
    wait_for(lambda: not is_alive(launch.reaper))
    assert launch.folder.exists()
    assert sweep() == [f"removed {launch.folder}, left by a launch that was killed; processes of it that were ended: 1"]
    assert not is_alive(launch.child)
    assert not launch.folder.exists()
    assert sweep() == []


def test_neither_a_living_launch_nor_one_whose_reaper_is_at_work_is_swept(launch: Launch) -> None:
    assert sweep() == []
    launch.kill()
    assert sweep() == []
    assert (launch.folder / "file").exists()
    assert is_alive(launch.child)


def test_folders_of_others_are_not_swept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other, file = place / "tuner-notes", place / "tuner-0123456789ab"
    other.mkdir()
    file.touch()
    assert sweep() == []
    mine = place / "tuner-0123456789ac"
    mine.mkdir()
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    assert sweep() == []
    assert other.is_dir() and file.is_file() and mine.is_dir()


@pytest.mark.parametrize("outer", [None, "/tmp/tuner-of-a-launch-around-it"])
@pytest.mark.parametrize("reaper_is_there", [True, False])
def test_at_a_launchs_own_end_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch, outer: str | None, reaper_is_there: bool
) -> None:
    monkeypatch.delenv(MARK, raising=False)
    if outer is not None:
        monkeypatch.setenv(MARK, outer)
    begun = Footprint()
    begun.begin()
    assert begun._reaper is not None
    assert MARK.encode() not in Path(f"/proc/{begun._reaper.pid}/environ").read_bytes()
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    if not reaper_is_there:
        begun._reaper.kill()
        begun._reaper.wait()
    begun.end()
    assert begun._reaper.poll() is not None
    assert child.wait() == -signal.SIGKILL
    assert not begun.folder.exists()
    assert os.environ.get(MARK) == outer
    begun.end()  # nothing more to do


def test_a_process_that_gives_itself_a_title_as_rays_do_is_found_all_the_same() -> None:
    begun = Footprint()
    begun.begin()
    title = "import ray, time; ray._raylet.setproctitle('a title' * 1000); print(1, flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", title], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        begun.end()
        assert child.wait(timeout=10) == -signal.SIGKILL


def test_a_launch_that_never_began_has_nothing_to_end(place: Path) -> None:
    Footprint().end()
    assert list(place.iterdir()) == []


def test_a_folder_is_its_launchs_from_the_first_moment_on_whoever_sweeps() -> None:
    over = threading.Event()

    def sweep_on() -> None:
        while not over.is_set():
            sweep()

    thread = threading.Thread(target=sweep_on)
    thread.start()
    try:
        for _ in range(100):
            folder = Footprint().folder
            lock = footprint._make_locked(folder)
            time.sleep(0.005)
            assert os.path.samestat(os.fstat(lock), folder.stat())
            os.close(lock)
    finally:
        over.set()
        thread.join()
