"""How long does it take to look at a study?

Studies of 100 trials × 100 epochs and of 2,000 × 50, each epoch with 6 figures and 38 layers, every trial at every rung of ASHA; in
SQLite in a temporary folder, filled in bulk (filling.py). Measured: reading all of it (`read_study`); drawing each section of a
report and the size of its figures as JSON; `tuner report` and its file; the first view of `tuner dashboard` in a real browser, from
the address to the first figure drawn (without a browser it is left out); `tuner export`. Seeds: sampler 0.
Goals on 2 cores, 2,000 × 50: a report in under 60 s, the dashboard's first view in under 5 s; a report of 100 × 100 below 8 MB.

Command: make viewing-benchmark          (python -m benchmarks.viewing [--studies TRIALSxEPOCHS …])
"""

import argparse
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import plotly
import sqlalchemy as sa

from benchmarks.filling import NAME, begin_study, configurations, fill, make_space
from storage.launches import end_launch
from tuner.reporting.frames import StudyFrames
from tuner.reporting.sections import SECTIONS
from tuner.reporting.study_data import StudyData, read_study

ROOT = Path(__file__).parent.parent
REPEATS = 3
_COMMAND = [sys.executable, "-m", "tuner"]
_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
Results = list[tuple[str, float, str]]


def measure_study(trials: int, epochs: int, folder: Path) -> Results:
    """Everything, on a new study of so many trials of so many epochs."""
    url = f"sqlite:///{folder}/study.db"
    _fill(url, trials, epochs)
    study, results = _measure_reading(url)
    results += _measure_drawing(study)
    results += _measure_commands(url, folder)
    return [(f"{trials}x{epochs}_{name}", number, unit) for name, number, unit in results]


def _fill(url: str, trials: int, epochs: int) -> None:
    space = make_space(epochs=epochs)
    store, launch_id = begin_study(url, space)
    fill(store, space, configurations(space, trials), launch_id)
    with store.transaction() as transaction:
        end_launch(transaction.connection, launch_id, "finished")
    store.close()


def _measure_reading(url: str) -> tuple[StudyData, Results]:
    """Of the first view trials and standing, of a report all."""
    frames, seconds = _timed(lambda: StudyFrames(url, NAME))
    _, first = _timed(lambda: (frames.trials, frames.standing), REPEATS)
    study, whole = _timed(lambda: read_study(frames), REPEATS)
    return study, [("open", seconds, "s"), ("trials_and_standing", first, "s"), ("read_study", whole, "s")]


def _measure_drawing(study: StudyData) -> Results:
    """Seconds to draw a section and to write its figures as JSON, and the size of that."""
    results: Results = []
    for section in SECTIONS:
        figures, drawing = _timed(lambda draw=section.draw: draw(study))
        texts, writing = _timed(lambda drawn=figures: [figure.to_json() for figure in drawn])
        results += [(f"draw_{section.key}", drawing, "s"), (f"json_{section.key}", writing, "s")]
        results.append((f"size_{section.key}", sum(len(text.encode()) for text in texts) / 1e6, "MB"))
    for name, unit in (("draw", "s"), ("json", "s"), ("size", "MB")):
        total = sum(number for what, number, _ in results if what.startswith(f"{name}_"))
        results.append((f"all_sections_{name}", total, unit))
    return results


def _measure_commands(url: str, folder: Path) -> Results:
    """The commands as users have them, each in a process of its own."""
    results: Results = []
    if _has_command("report"):
        page = folder / "report.html"
        _, seconds = _timed(lambda: _run("report", NAME, "--storage", url, "--output", str(page)))
        results += [("report", seconds, "s"), ("report_size", page.stat().st_size / 1e6, "MB")]
    for kind in ("csv", "json", "parquet"):
        files = str(folder / kind)
        _, seconds = _timed(lambda: _run("export", NAME, "--storage", url, "--output", files, "--format", kind))  # noqa: B023
        results.append((f"export_{kind}", seconds, "s"))
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return results + (_measure_dashboard(url, browser) if browser and _has_command("dashboard") else [])


def _measure_dashboard(url: str, browser: str) -> Results:
    """From the command to its address; from the address to a figure, at first and once more."""
    from playwright.sync_api import sync_playwright

    command = [*_COMMAND, "dashboard", "--port", "0", "--storage", url]
    with (
        subprocess.Popen(command, env=_ENVIRONMENT, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process,
        sync_playwright() as playwright,
    ):
        try:
            address, start = _timed(lambda: _first_address(process))
            page = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"]).new_page()

            def see() -> None:
                page.goto(address)
                page.wait_for_selector(".js-plotly-plot .main-svg", timeout=120_000)

            _, first = _timed(see)
            _, again = _timed(see, REPEATS)
        finally:
            process.send_signal(signal.SIGINT)
    return [("dashboard_start", start, "s"), ("dashboard_first_view", first, "s"), ("dashboard_next_view", again, "s")]


def _first_address(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://\S+", line):
            return found[0]
    raise RuntimeError("tuner dashboard ended without an address")


def _timed(do: Callable[[], Any], repeats: int = 1) -> tuple[Any, float]:
    """What it gives, and the median of its seconds."""
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        found = do()
        seconds.append(time.perf_counter() - begin)
    return found, statistics.median(seconds)


def _has_command(name: str) -> bool:
    return subprocess.run([*_COMMAND, name, "--help"], env=_ENVIRONMENT, cwd=ROOT, capture_output=True).returncode == 0


def _run(*arguments: str) -> None:
    subprocess.run([*_COMMAND, *arguments], env=_ENVIRONMENT, cwd=ROOT, check=True, stdout=subprocess.PIPE)


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", nargs="+", default=["100x100", "2000x50"], metavar="TRIALSxEPOCHS")
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, pandas {pd.__version__}, "
          f"plotly {plotly.__version__}, sqlalchemy {sa.__version__}, load {os.getloadavg()[0]:.1f}")  # fmt: skip
    results: Results = []
    for size in given.studies:
        trials, epochs = map(int, size.split("x"))
        with tempfile.TemporaryDirectory() as folder:
            results += measure_study(trials, epochs, Path(folder))
        print(f"{size} measured, load {os.getloadavg()[0]:.1f}", flush=True)
    for name, number, unit in results:
        print(f"result: {name} {number:.3f} {unit}")


if __name__ == "__main__":
    main()
