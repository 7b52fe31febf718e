"""What runs on a worker, without Ray."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storage.checkpoints import Checkpoint
from storage.standing import error_line
from tests.trainers import Curve
from tuner.errors import CheckpointError
from tuner.events import EPOCH_SECONDS, Assignment, AttemptEnd, EpochReport
from tuner.execution.attempt import AttemptRunner, Broken, Job
from tuner.execution.deaths import how_it_died
from tuner.execution.last_words import LastWords
from tuner.execution.shared_data import checksum


class WritesIntoItsData(Curve):
    """What no trainer may do."""

    def __init__(self, configuration: Any, data: Any, device: str) -> None:
        super().__init__(configuration, data, device)
        self.data = data

    def train_epoch(self) -> dict[str, float]:
        self.data["deep"][0] += 1
        return super().train_epoch()


class Rubbish(Curve):
    """Returns what is no metrics."""

    def train_epoch(self) -> Any:
        return self.configuration["returns"]


class BreaksAtOnce(Curve):
    """Its constructor raises."""

    def __init__(self, configuration: Any, data: Any, device: str) -> None:
        raise OSError("no such weights")


def runner(trainer: type, data: Any = None, **configuration: Any) -> AttemptRunner:
    assignment = Assignment(0, 1, {"x": 0.3, **configuration}, epochs=2)
    return AttemptRunner(
        Job(
            assignment,
            f"tests.execution.test_attempt:{trainer.__name__}",
            cpus=1,
            gpus=0,
            checksum=checksum(data),
        ),
        data,
    )


class RunsOutOfMemory(Curve):
    """Of the host's (in Python, in torch's allocator) or of the device's, as torch tells it."""

    def train_epoch(self) -> dict[str, float]:
        import torch

        try:
            match self.configuration["memory"]:
                case "python":
                    np.zeros(1 << 60, np.uint8)
                case "torch":
                    torch.zeros(1 << 60, dtype=torch.uint8)
                case "device":
                    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        except MemoryError as error:
            raise RuntimeError("no batch could be made") from error
        raise AssertionError("all the memory in the world")


def broken(answer: EpochReport | Broken) -> str:
    assert isinstance(answer, Broken)
    return answer.traceback


def test_epochs_are_counted_and_timed_by_the_runner() -> None:
    run = runner(Curve)
    first, second = run.run_epoch(), run.run_epoch()
    assert isinstance(first, EpochReport)
    assert isinstance(second, EpochReport)
    assert (first.epoch, second.epoch) == (1, 2)
    assert first.metrics[EPOCH_SECONDS] > 0
    assert first.metrics["score"] == 0.5


def test_a_trainer_that_writes_into_the_shared_data_fails_at_its_last_epoch() -> None:
    run = runner(WritesIntoItsData, {"deep": [np.zeros(4)], "name": "x"})
    assert isinstance(run.run_epoch(), EpochReport)
    assert "the shared data set has been changed while trials ran" in broken(run.run_epoch())


@pytest.mark.parametrize("returns", [None, 3, {"score": "high"}, [1]])
def test_a_trainer_that_returns_no_metrics_is_told_what_to_return(returns: Any) -> None:
    assert "train_epoch() must return a mapping of names to numbers" in broken(
        runner(Rubbish, returns=returns).run_epoch()
    )


def test_an_error_while_a_trainer_is_made_is_an_event_like_any_other() -> None:
    assert broken(runner(BreaksAtOnce).run_epoch()).strip().endswith("OSError: no such weights")


class ForgetsALayer(Curve):
    """Its gradient flow has other layers in the second epoch."""

    def gradient_flow(self) -> dict[str, float]:
        return {"entry": 0.1, "linear": 0.2} if self.epoch == 1 else {"entry": 0.1}


def test_a_gradient_flow_must_name_the_same_layers_in_every_epoch() -> None:
    run = runner(ForgetsALayer)
    assert isinstance(run.run_epoch(), EpochReport)
    assert "must name the same layers in every epoch" in broken(run.run_epoch())


def test_the_name_of_the_wall_time_is_taken() -> None:
    assert "'seconds' is the name of an epoch's wall time" in broken(
        runner(Rubbish, returns={"seconds": 1.0}).run_epoch()
    )


def test_an_attempt_on_a_gpu_is_placed_under_the_gpus_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "NVIDIA H100 80GB HBM3")
    for gpus, device in ((0, "cpu"), (0.5, "NVIDIA H100 80GB HBM3")):
        job = Job(Assignment(0, 1, {"x": 0.3}, 2), "tests.trainers:Curve", 1, gpus)
        report = AttemptRunner(job, None).run_epoch()
        assert isinstance(report, EpochReport)
        assert report.place.device == device


def test_a_trainer_may_report_every_few_epochs_and_the_last() -> None:
    job = Job(Assignment(0, 1, {"x": 0.3, "epochs": 9}, 9), "tests.trainers:EveryFour", 1, 0)
    reporting = AttemptRunner(job, None)
    reports = [reporting.run_epoch() for _ in range(3)]
    assert [report.epoch for report in reports if isinstance(report, EpochReport)] == [4, 8, 9]


@pytest.mark.parametrize(
    ("memory", "end"),
    [
        ("python", AttemptEnd.OUT_OF_MEMORY),
        ("torch", AttemptEnd.OUT_OF_MEMORY),
        ("device", AttemptEnd.OUT_OF_DEVICE_MEMORY),
    ],
)
def test_training_that_runs_out_of_memory_is_told_from_other_errors(memory: str, end: AttemptEnd) -> None:
    answer = runner(RunsOutOfMemory, memory=memory).run_epoch()
    assert isinstance(answer, Broken)
    assert answer.end is end, answer.traceback


def test_an_error_while_memory_was_no_matter_is_an_ordinary_one() -> None:
    answer = runner(BreaksAtOnce).run_epoch()
    assert isinstance(answer, Broken)
    assert answer.end is AttemptEnd.RAISED


def test_a_figure_given_twice_is_refused() -> None:
    words = broken(runner(Rubbish, returns={1: 0.5, "1": 0.6}).run_epoch())
    assert "train_epoch() gave '1' twice" in words


class _Clock:
    """A time limit that says whether it runs."""

    runs = False

    def begin(self) -> None:
        self.runs = True

    def end(self) -> None:
        self.runs = False


class _SlowKeeper:
    """Notes whether the trainer's time ran while a checkpoint was on its way."""

    def __init__(self, clock: _Clock) -> None:
        self._clock = clock
        self.seen: list[bool] = []

    def write(self, *arguments: Any) -> Any:
        self.seen.append(self._clock.runs)
        raise CheckpointError("took for ever")

    def read(self, checkpoint: Any) -> bytes:
        self.seen.append(self._clock.runs)
        raise CheckpointError("took for ever")


def test_a_slow_store_of_checkpoints_is_no_hanging_trainer() -> None:
    clock = _Clock()
    keeper = _SlowKeeper(clock)
    kept = Checkpoint(1, 1, "far away", 1, "0")
    job = Job(Assignment(0, 2, {"x": 0.3, "epochs": 3}, 3, (kept,)), "tests.trainers:Curve", 1, 0)
    assert not isinstance(AttemptRunner(job, None, keeper=keeper, time_limit=clock).run_epoch(), Broken)
    assert keeper.seen == [False, False]
    assert not clock.runs


HANGS = """
import sys, time
from pathlib import Path
from tuner.execution.hanging import HangLimit

limit = HangLimit(float(sys.argv[1]), Path(sys.argv[2]))

def train_epoch():
    time.sleep(float(sys.argv[3]))

for _ in range(2):
    limit.begin()
    train_epoch()
limit.end()
time.sleep(float(sys.argv[1]))
print("the end")
"""


@pytest.mark.parametrize(("epoch_seconds", "hangs"), [(60.0, True), (0.6, False)])
def test_a_process_whose_epoch_hangs_ends_and_says_where(tmp_path: Path, epoch_seconds: float, hangs: bool) -> None:
    """Two epochs of 0.6 seconds take longer than the limit of 1, and neither hangs."""
    file = tmp_path / "hang"
    ended = subprocess.run(
        [sys.executable, "-c", HANGS, "1", str(file), str(epoch_seconds)], capture_output=True, text=True, timeout=50
    )
    assert (ended.returncode != 0) == hangs, ended.stderr
    assert ("in train_epoch" in file.read_text()) == hangs
    assert ("the end" in ended.stdout) != hangs


@pytest.mark.parametrize(
    ("ray_words", "hang", "end", "reason"),
    [
        ("End of file. Some common causes …", "", AttemptEnd.WORKER_LOST, "WorkerLost: the worker's process died"),
        ("The process receives a SIGTERM.", "", AttemptEnd.EVICTED, "Evicted: somebody asked the worker to end"),
        ("The actor died because its node has died. Node Id: 1", "", AttemptEnd.NODE_LOST, "NodeLost: the worker's machine"),
        ("1 worker(s) were killed due to the node running low on memory.", "", AttemptEnd.OUT_OF_MEMORY, "OutOfMemory: Ray"),
        (
            "the node running low on memory.\nKill: (Actor(a1): job ID=1, pid=1, actual memory used=0.09GB, …)\n"
            "Kill: (Actor(b2): job ID=1, pid=2, actual memory used=3.90GB, …)\nended: Actor(a1)",
            "",
            AttemptEnd.EVICTED,
            "Evicted: Ray ended the worker to free memory that another one had taken",
        ),
        ("Worker exits with an exit code 1.", "Timeout!\nThread 1", AttemptEnd.TIMED_OUT, "no new epoch for 5 s (trial_timeout)"),
    ],
)  # fmt: skip
def test_how_a_worker_died_is_read_from_what_ray_says_and_what_it_left(
    ray_words: str, hang: str, end: AttemptEnd, reason: str
) -> None:
    found, words = how_it_died(ray_words, LastWords("", hang), 5.0)
    assert found is end
    assert reason in error_line(words)
