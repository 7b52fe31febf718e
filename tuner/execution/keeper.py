"""Keeps checkpoints for workers: an actor on the driver's machine writes them into a folder there, so that a cluster needs
no shared file system; behind a URL, workers write themselves."""

from dataclasses import dataclass
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from storage.checkpoints import Checkpoint
from tuner.checkpoint_files import CheckpointFiles
from tuner.errors import CheckpointError
from tuner.execution.saving import Keeper

_SECONDS = 600.0  # for one checkpoint on its way over a network


def start_keeper(base: str) -> Keeper:
    """The keeper of a folder or URL, as workers are given it."""
    if "://" in base:
        return CheckpointFiles(base)
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(_Actor).options(
        num_cpus=0, max_restarts=-1, max_task_retries=3, max_concurrency=4, scheduling_strategy=here
    )
    return _FarKeeper(actor.remote(base))


class _Actor:
    """Runs on the driver's machine. An error travels as a value: Ray would wrap it into one of its own."""

    def __init__(self, base: str) -> None:
        self._files = CheckpointFiles(base)

    def write(self, trial: int, attempt: int, epoch: int, content: bytes) -> Checkpoint | CheckpointError:
        try:
            return self._files.write(trial, attempt, epoch, content)
        except CheckpointError as error:
            return error

    def read(self, checkpoint: Checkpoint) -> bytes | CheckpointError:
        try:
            return self._files.read(checkpoint)
        except CheckpointError as error:
            return error


@dataclass(frozen=True, slots=True)
class _FarKeeper:
    """The worker's end."""

    actor: Any

    def write(self, trial: int, attempt: int, epoch: int, content: bytes) -> Checkpoint:
        answer = _answer_of(self.actor.write.remote(trial, attempt, epoch, content))
        assert isinstance(answer, Checkpoint)
        return answer

    def read(self, checkpoint: Checkpoint) -> bytes:
        answer = _answer_of(self.actor.read.remote(checkpoint))
        assert isinstance(answer, bytes)
        return answer


def _answer_of(reference: Any) -> Any:
    try:
        answer = ray.get(reference, timeout=_SECONDS)
    except ray.exceptions.RayError as error:
        raise CheckpointError(f"did not reach the driver's machine: {type(error).__name__}") from error
    if isinstance(answer, CheckpointError):
        raise answer
    return answer
