"""The live display: what is drawn of a study in a terminal of any size, and a real launch in a real pseudo-terminal."""

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from rich.console import Console

from storage.errors import DatabaseAwayError
from storage.reading import StudyReader
from storage.standing import LaunchView, RungView, RunningTrial, Standing
from tests.cli import COMMAND, Folder
from tests.studies import make_space, simulate
from tuner.reporting.live_status import LiveStatus
from tuner.reporting.status_lines import all_lines, live_lines


def standing(num_running: int = 2, **changes: object) -> Standing:
    running = tuple(
        RunningTrial(7 + n, 1, 3, 0.25, {"learning_rate": 0.0123456, "kind": "a\nb"}, "host", "cpu", 5.0)
        for n in range(num_running)
    )
    values = {
        "name": "s",
        "space": {
            "metric": {"name": "score", "goal": "maximize"},
            "budget": {"trials": 12, "cpu_hours": 2.0},
            "settings": {"epochs": 9},
        },
        "trials": {"complete": 3, "pruned": 4, "failed": 0, "running": num_running, "interrupted": 0},
        "best": None,
        "running": running,
        "rungs": (RungView(1, 8, 3, 0.5), RungView(3, 3, 1, None)),
        "launches": (LaunchView(42, "host", True, True),),
        "last_outcome": None,
        "hours": 0.5,
        "gpu_hours": 1.5,
        "cpu_hours": 0.75,
        "epochs_per_hour": 120.0,
        "read_at": 0.0,
    }
    return Standing(**{**values, **changes})  # type: ignore[arg-type]


def drawn(study: Standing, width: int, height: int = 40) -> list[str]:
    return [line.plain for line in live_lines(study, width, height, ["Ctrl-C interrupts"])]


def test_at_80_columns_everything_is_there() -> None:
    assert drawn(standing(), 80) == [
        "study s: 9 of 12 trials: 3 complete, 4 pruned, 2 running",
        "time: 30 min 00 s spent, at most 19 min 30 s left, 120 epochs/h",
        "GPU time: 1 h 30 min spent",
        "CPU time: 45 min 00 s spent, 1 h 15 min of 2 h left",
        "launch: process 42 on host, alive",
        "rung (epoch)  compared  went on  cut-off",
        "           1         8        3   0.5000",
        "           3         3        1        -",
        "running trial  epoch  newest  parameters",
        "            7    3/9  0.2500  learning_rate 0.01235, kind a b                cpu",
        "            8    3/9  0.2500  learning_rate 0.01235, kind a b                cpu",
        "Ctrl-C interrupts",
    ]


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("height", [3, 6, 9, 40])
@pytest.mark.parametrize("num_running", [0, 1, 30])
def test_nothing_is_wider_or_higher_than_the_terminal(width: int, height: int, num_running: int) -> None:
    lines = drawn(standing(num_running), width, height)
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)


def test_running_trials_that_do_not_fit_are_counted() -> None:
    lines = drawn(standing(30), 80, 12)
    assert sum(" 3/9 " in line for line in lines) + int(lines[-2].split()[2]) == 30
    assert re.fullmatch(r"… and \d+ more", lines[-2])


def test_of_many_rungs_the_last_are_shown() -> None:
    many = standing(rungs=tuple(RungView(epoch, 5, 2, 0.5) for epoch in range(1, 40)))
    lines = all_lines(many)
    assert sum(line.split()[1:2] == ["5"] for line in lines) == 8


def test_the_display_shows_what_the_database_holds_and_says_when_it_does_not_answer(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate(make_space(), database_url)
    output = io.StringIO()
    display = LiveStatus(database_url, "s", hint="", console=Console(file=output, width=80, force_terminal=True))

    def away(reader: StudyReader, name: str) -> Standing:
        raise DatabaseAwayError("the database does not answer: connection refused")

    with display:
        display.open()
        with monkeypatch.context() as patch:
            patch.setattr(StudyReader, "standing", away)
            display.refresh()
        assert "the database does not answer" in output.getvalue()
        output.truncate(0)
        assert not display.refresh().is_running
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", output.getvalue())
    assert "does not answer" not in text
    for line in all_lines(StudyReader(database_url).standing("s")):
        assert line[:80] in text


def test_a_process_that_leaves_at_once_gives_the_cursor_back(
    sqlite_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    simulate(make_space(), sqlite_url)
    display = LiveStatus(sqlite_url, "s", hint="", console=Console(width=80, force_terminal=True))
    with display:
        display.open()
        sys.stdout.flush()
        assert "\x1b[?25l" in capfd.readouterr().out
        display.leave()
        assert capfd.readouterr().out.startswith("\x1b[?25h")


# -- in a pseudo-terminal -------------------------------------------------------------------------------------------------


class Terminal:
    """A command in a terminal of 80 columns and 24 lines."""

    def __init__(self, folder: Folder, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        environment = {**folder.environment, "TERM": "xterm-256color"}
        environment.pop("COLUMNS", None)
        self.process = subprocess.Popen([*COMMAND, *arguments], cwd=folder.path, env=environment, stdin=slave,
                                        stdout=slave, stderr=slave, start_new_session=True)  # fmt: skip
        os.close(slave)
        self.text = ""

    def read_until(self, words: str, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while words not in self.text:
            assert time.monotonic() < deadline, self.text
            if select.select([self._master], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self._master, 65536).decode(errors="replace")
                except OSError:  # the other end is closed
                    assert words in self.text, self.text
                    return

    def end(self) -> int:
        deadline = time.monotonic() + 60
        while self.process.poll() is None or select.select([self._master], [], [], 0)[0]:
            assert time.monotonic() < deadline, self.text
            try:
                if select.select([self._master], [], [], 0.2)[0]:
                    self.text += os.read(self._master, 65536).decode(errors="replace")
            except OSError:
                break
        os.close(self._master)
        return self.process.wait(timeout=30)

    def lines(self) -> list[str]:
        """All lines ever written, without what moves the cursor or colours."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.text).replace("\r", "\n").split("\n")


def test_a_launch_and_a_watcher_show_the_same_and_ctrl_c_leaves_both_terminals_clean(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    space = folder.write("space.yaml", settings={"epochs": 9, "sleep": 0.3}, budget={"trials": 100})
    launch = Terminal(folder, "launch", space)
    launch.read_until("running trial")
    watcher = Terminal(folder, "status", "s", "--watch")
    watcher.read_until("running trial")
    launch.read_until("rung (epoch)")
    launch.read_until("pruned after epoch")  # ends of trials scroll by above
    watcher.process.send_signal(signal.SIGINT)
    assert watcher.end() == 0
    launch.process.send_signal(signal.SIGINT)
    assert launch.end() == 130
    assert launch.lines()[-3:] == ["interrupted; launch again to go on", "", ""]
    for terminal in (launch, watcher):
        assert "Traceback" not in terminal.text
        assert terminal.text.rfind("\x1b[?25h") > terminal.text.rfind("\x1b[?25l") >= 0  # the cursor is shown again
        assert max(map(len, terminal.lines())) <= 80
        assert any(line.startswith("study s: ") and "running" in line for line in terminal.lines())
    folder.wait_until_no_process_is_left()
    piped = folder.run("status", "s", "--watch")  # nobody runs it: said once
    assert piped.returncode == 0
    assert piped.stdout.count("study s:") == 1


def test_what_cannot_be_watched_is_said(folder_with_study: Folder) -> None:
    both = folder_with_study.run("status", "s", "--watch", "--json")
    assert (
        both.stderr == "error: status: --watch and --json exclude each other; ask for --json again and again instead\n"
    )
    nameless = folder_with_study.run("status", "--watch")
    assert nameless.stderr == "error: status: --watch follows one study; name it (in this database: s)\n"
    assert (both.returncode, nameless.returncode) == (2, 2)


@pytest.fixture
def folder_with_study(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    simulate(make_space(), f"sqlite:///{folder.path}/tuner.db")
    return folder
