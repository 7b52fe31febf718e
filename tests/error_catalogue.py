"""Runs every case of tests/error_cases.py through the product and writes docs/errors.md: `python -m tests.error_catalogue`."""

import contextlib
import importlib
import io
import os
import re
import shlex
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from unittest import mock

from tests.error_cases import CASES, SPACE, Case
from tuner.training.class_folders import CACHE_FOLDER

PAGE = Path(__file__).parent.parent / "docs" / "errors.md"
HOW = "python -m tests.error_catalogue"
HEAD = f"""\
<!-- Made by `{HOW}` from tests/error_cases.py, by running each command. Do not edit. -->
# What goes wrong, and what you see then

Every mistake is told in one line: where, what was found, what is allowed, what to do; nothing is started and nothing
written. The exit code is 2 for bad input, 1 when training broke, 75 when the database did not answer. The commands below
were run in a folder with this `space.yaml`, or with the line shown in it, on a machine with two CPUs and no GPU:

```yaml
{SPACE}```
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a user sees of a case, and what the command left behind: file name -> content before and after."""

    exit_code: object
    error: str
    output: str
    before: dict[str, object]
    after: dict[str, object]


def run(case: Case, folder: Path) -> Outcome:
    """Run a case in this process, in an empty folder, as on a machine with two CPUs and no GPU."""
    from tuner.cli import main

    _write_files(case, folder)
    kept = case.prepare(folder) if case.prepare else None
    before = _contents(folder)
    error, output, exit_code = io.StringIO(), io.StringIO(), object()
    try:
        with (
            _as_if_started_in(folder, shlex.split(case.arguments)),
            contextlib.redirect_stderr(error),
            contextlib.redirect_stdout(output),
        ):
            main()
    except SystemExit as end:
        exit_code = end.code
    finally:
        if kept is not None:
            kept.close()
    return Outcome(exit_code, _plain(error.getvalue(), folder), output.getvalue(), before, _contents(folder))


def _write_files(case: Case, folder: Path) -> None:
    old, new = case.change or ("", "")
    assert old in SPACE, case
    for name, content in {"space.yaml": SPACE.replace(old, new, 1), **case.files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


@contextlib.contextmanager
def _as_if_started_in(folder: Path, arguments: list[str]) -> Iterator[None]:
    from tuner import launching

    environment = {name: value for name, value in os.environ.items() if not name.startswith("TUNER_")}
    environment["TUNER_CIFAR100_URL"] = "http://127.0.0.1:9/"  # nothing is downloaded in a test
    before, modules = Path.cwd(), set(sys.modules)
    os.chdir(folder)
    importlib.invalidate_caches()
    try:
        with (
            mock.patch.dict(os.environ, environment, clear=True),
            mock.patch.object(sys, "argv", ["tuner", *arguments]),
            mock.patch.object(sys, "path", ["", *sys.path]),
            mock.patch.object(sys, "dont_write_bytecode", True),
            mock.patch("os.cpu_count", return_value=2),
            mock.patch("torch.cuda.device_count", return_value=0),
            mock.patch("tuner.training.trainer.prepare_process"),  # else this process would flush denormals for ever
            mock.patch("storage.engine._BUSY_SECONDS", 0.2),
            mock.patch.object(launching, "_ray_tune", side_effect=AssertionError("this case is no error")),
        ):
            yield
    finally:
        os.chdir(before)
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).parent in (folder, Path()):
                del sys.modules[name]


def _contents(folder: Path) -> dict[str, object]:
    """What lies in a folder; images that were decoded stay decoded beside them, whatever is then said of them."""
    return {
        str(path.relative_to(folder)): _content(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and CACHE_FOLDER not in path.parts and not path.name.endswith(("-wal", "-shm"))
    }


def _content(path: Path) -> object:
    """The rows of a database (its bytes may differ after mere reading), the bytes of any other file."""
    if path.suffix == ".db":
        with contextlib.suppress(sqlite3.DatabaseError), contextlib.closing(sqlite3.connect(path)) as connection:
            return list(connection.iterdump())
    return path.read_bytes()


def _plain(text: str, folder: Path) -> str:
    text = text.replace(f"{folder}/", "").replace(str(folder), ".")
    return re.sub(rf"process {os.getpid()} on {re.escape(socket.gethostname())}", "process 4242 on laptop", text)


def page(outcomes: dict[Case, Outcome]) -> str:
    """docs/errors.md."""
    parts = [HEAD]
    for group, cases in groupby(CASES, key=lambda case: case.group):
        parts.append(f"\n## {group}\n")
        parts += [_entry(case, outcomes[case]) for case in cases]
    return "".join(parts)


def _entry(case: Case, outcome: Outcome) -> str:
    parts = [f"**{case.did}**", *_what_was_there(case)]
    error = f"… the traceback …\n{outcome.error.splitlines()[-1]}" if case.traceback else outcome.error.strip()
    code = "" if outcome.exit_code == 2 else f"\n(exit code {outcome.exit_code})"
    return "\n\n".join(["", *parts, f"```console\n$ tuner {_short(case.arguments)}\n{error}{code}\n```\n"])[1:]


def _what_was_there(case: Case) -> list[str]:
    """The changed lines of the search space, and modules of the user's own (as text: ruff would reformat a Python block)."""
    parts = []
    if case.change:
        changed = [line for line in SPACE.replace(*case.change, 1).splitlines() if line not in SPACE.splitlines()]
        parts += [_fence("yaml", _short("\n".join(changed)))] if changed else ["(that line left out)"]
    return parts + [_fence("text", str(text).strip()) for name, text in case.files.items() if name.endswith(".py")]


def _fence(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def _short(text: str) -> str:
    text = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= 300 else f"{text[:100]} … {text[-40:]}"


def run_all() -> dict[Case, Outcome]:
    """Every case, each in a folder of its own."""
    outcomes = {}
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            outcomes[case] = run(case, Path(folder).resolve())
    return outcomes


if __name__ == "__main__":
    PAGE.write_text(page(run_all()))
    print(f"{PAGE.name}: {len(CASES)} cases")
