"""What is said when Ray finds less than is asked for, or ends a run by itself; Ray is not started."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from ray import tune

from tests.studies import make_space
from tuner.errors import InputError, TunerError
from tuner.execution import ray_tune
from tuner.execution.ray_tune import RayTuneExecutor


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> Iterator[RayTuneExecutor]:
    monkeypatch.setattr(ray_tune.ray, "init", lambda **arguments: None)
    monkeypatch.setattr(ray_tune.ray, "put", lambda data: data)
    monkeypatch.setattr(ray_tune.ray, "get", lambda reference: reference)
    monkeypatch.setattr(ray_tune.ray, "cluster_resources", lambda: {"CPU": 1.0})
    made = RayTuneExecutor(make_space(resources={"cpus": 2}), None)
    yield made
    made.stop()


def test_a_trial_that_asks_for_more_than_ray_finds_is_refused(executor: RayTuneExecutor) -> None:
    with pytest.raises(InputError, match=r"asks for 2 CPUs and 0 GPUs; this machine has 1 and 0; lower resources.cpus"):
        executor.start()


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        (
            tune.TuneError("its own bug\nin two lines"),
            "Ray Tune ended the run: its own bug in two lines; the study can",
        ),
        (None, "Ray Tune ended the run before the study was finished; launch it again to go on"),
    ],
)
def test_a_run_that_ray_ends_is_told_with_the_way_to_go_on(
    executor: RayTuneExecutor, monkeypatch: pytest.MonkeyPatch, ends: Exception | None, message: str
) -> None:
    def fit() -> None:
        if ends is not None:
            raise ends

    monkeypatch.setattr(ray_tune.tune, "Tuner", lambda *given, **named: SimpleNamespace(fit=fit))
    monkeypatch.setattr(ray_tune.tune, "with_parameters", lambda trainable, **named: trainable)
    nobody: Any = None
    with pytest.raises(TunerError, match=message):
        executor.run(nobody)
