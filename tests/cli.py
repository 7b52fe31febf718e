"""The command line as a user has it: a process in a folder of its own."""

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import yaml

from tests import trainers
from tests.studies import BASE

COMMAND = [sys.executable, "-m", "tuner"]


class Folder:
    """A working folder with a trainer module and search spaces; knows every process that was started from it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mark = f"TUNER_TEST={uuid.uuid4().hex}"
        self._commands: list[int] = []
        shutil.copy(trainers.__file__, path / "trainers.py")
        (path / "home").mkdir()
        name, _, value = self._mark.partition("=")
        kept = {key: text for key, text in os.environ.items() if not key.startswith(("TUNER_", "RAY_"))}
        self.environment = {
            **kept,
            name: value,
            "TUNER_CIFAR100_URL": "http://127.0.0.1:9/",
            "HOME": str(path / "home"),
            "PYTHONUNBUFFERED": "1",
        }

    def write(self, name: str, **changes: object) -> str:
        """A search space file, the base one with keys replaced."""
        values = {**BASE, "trainer": "trainers:Curve", **changes}
        (self.path / name).write_text(yaml.safe_dump(values, sort_keys=False))
        return name

    def run(self, *arguments: str, timeout: float = 240, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        with subprocess.Popen([*COMMAND, *arguments], cwd=self.path, env={**self.environment, **environment},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # fmt: skip
            self._commands.append(process.pid)
            try:
                output, error = process.communicate(timeout=timeout)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, output, error)

    def start(self, *arguments: str) -> "Running":
        """Start a command in a process group of its own, as a shell does."""
        output = open(self.path / f"output-{uuid.uuid4().hex[:6]}.txt", "w+")
        process = subprocess.Popen([*COMMAND, *arguments], cwd=self.path, env=self.environment, stdout=output,
                                   stderr=subprocess.STDOUT, text=True, process_group=0)  # fmt: skip
        self._commands.append(process.pid)
        return Running(process, Path(output.name))

    def files(self) -> set[str]:
        """What lies in the folder beside what was put there."""
        return {p.name for p in self.path.iterdir()} - {"home", "trainers.py", "__pycache__"}

    def launch_folders(self) -> list[Path]:
        """Temporary folders of launches that were started from here: Ray puts the driver's pid into a session's name, which
        one long ago may have had too."""
        pids, begun = {str(pid) for pid in self._commands}, self.path.joinpath("home").stat().st_mtime
        sessions = [path for path in Path("/tmp").glob("tuner-*/ray/session_*") if path.stat().st_mtime >= begun]
        return [path.parents[1] for path in sessions if path.name.rpartition("_")[2] in pids]

    def processes(self) -> list[str]:
        """Command lines of living processes that were started from here."""
        return list(self._processes().values())

    def pid_of(self, words: str) -> int:
        """The one living process started from here that has the words in its command line."""
        (pid,) = self.pids_of(words)
        return pid

    def pids_of(self, words: str) -> list[int]:
        """All of them."""
        return [pid for pid, command in self._processes().items() if words in command]

    def _processes(self) -> dict[int, str]:
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and self._mark.encode() in (entry / "environ").read_bytes():
                    found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
        return found

    def kill(self, pid: int) -> None:
        """kill -9 of a process that was started from here."""
        os.kill(pid, signal.SIGKILL)

    def wait_until_no_process_is_left(self, seconds: float = 20) -> None:
        """Wait; fails when the time is over."""
        deadline = time.monotonic() + seconds
        while self.processes():
            assert time.monotonic() < deadline, self.processes()
            time.sleep(0.5)


class Running:
    """A command that has been started."""

    def __init__(self, process: "subprocess.Popen[str]", output: Path) -> None:
        self.process = process
        self._output = output

    def output(self) -> str:
        """All it has printed so far."""
        return self._output.read_text()

    def wait_for(self, words: str, seconds: float = 120) -> None:
        """Wait until it has printed the words."""
        deadline = time.monotonic() + seconds
        while words not in self.output():
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.2)

    def end(self, signal_number: signal.Signals, group: bool = False) -> int:
        """Send a signal (to the whole group, as a terminal's Ctrl-C does) and wait for the exit code."""
        if group:
            os.killpg(self.process.pid, signal_number)
        else:
            self.process.send_signal(signal_number)
        return self.process.wait(timeout=60)
