"""Ray's own guard of a machine's memory ends a worker: what then becomes of the trial."""

import re
from pathlib import Path

import pytest

from storage.reading import StudyReader
from tests.cli import Folder
from tests.studies import optuna_trials

MEBIBYTE = 1 << 20


def memory(name: str) -> int:
    """A line of /proc/meminfo, in bytes."""
    found = re.search(rf"^{name}: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.chaos
def test_a_worker_that_ray_ends_for_its_memory_is_tried_alone_and_then_infeasible(folder: Folder) -> None:
    assert memory("MemAvailable") > 8192 * MEBIBYTE, "this test needs 8 GB of free memory"
    limit = memory("MemTotal") - memory("MemAvailable") + 2500 * MEBIBYTE
    space = folder.write(
        "space.yaml", trainer="trainers:Hungry", settings={"epochs": 3, "sleep": 0.2}, early_stopping={"name": "none"},
        space={"x": [0.1, 0.2], "megabytes": [0, 4000]}, sampler={"name": "grid", "seed": 0}, concurrency=2,
    )  # fmt: skip
    ended = folder.run(
        "launch", space,
        RAY_memory_usage_threshold=f"{limit / memory('MemTotal'):.4f}", RAY_memory_monitor_refresh_ms="100",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    url = f"sqlite:///{folder.path}/tuner.db"
    for trial in StudyReader(url).study("s").trials:
        hungry = trial.parameters["megabytes"] > 0
        assert (trial.state, sorted(trial.values)) == (("pruned", [1]) if hungry else ("complete", [1, 2, 3]))
        printed = folder.run("logs", "s", str(trial.number)).stdout
        assert printed.count("OutOfMemory: Ray ended the worker") == (2 if hungry else 0)
    assert [t.constraints for t in optuna_trials(url) if t.params["megabytes"]] == [{"memory": 1.0}] * 2
