"""What runs on a worker, without Ray."""

from typing import Any

import numpy as np
import pytest

from tests.trainers import Curve
from tuner.events import EPOCH_SECONDS, Assignment, EpochReport
from tuner.execution.attempt import AttemptRunner, Broken, Job


class Data:
    """Shared data with a checksum."""

    def __init__(self) -> None:
        self.array = np.zeros(4)

    def checksum(self) -> float:
        return float(self.array.sum())


class WritesIntoItsData(Curve):
    """What no trainer may do."""

    def __init__(self, configuration: Any, data: Data, device: str) -> None:
        super().__init__(configuration, data, device)
        self.data = data

    def train_epoch(self) -> dict[str, float]:
        self.data.array += 1
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
            checksum=data and data.checksum(),
        ),
        data,
    )


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
    run = runner(WritesIntoItsData, Data())
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
