"""What Ray 2.60 does wrong where no option of its helps, mended here."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray._private.ray_constants import PROCESS_TYPE_GCS_SERVER, PROCESS_TYPE_RAYLET
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import ActorDiedError, OutOfMemoryError


def survive_out_of_memory() -> None:
    """Let Tune take a worker that Ray ended for its memory as one that died: it knows no OutOfMemoryError, and ends the whole
    run with "Caught unexpected exception"."""
    task_failed = RayActorManager._actor_task_failed
    if hasattr(task_failed, "knows_out_of_memory"):
        return

    def actor_task_failed(self: Any, tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, OutOfMemoryError):
            actor, _ = self._live_actors_to_ray_actors_resources[tracked_actor_task._tracked_actor]
            died = ActorDiedError()
            died.error_msg = f"{exception}\nended: Actor({actor._actor_id.hex()})"
            exception = died
        task_failed(self, tracked_actor_task, exception)

    actor_task_failed.knows_out_of_memory = True  # type: ignore[attr-defined]
    setattr(RayActorManager, task_failed.__name__, actor_task_failed)


@contextmanager
def deaf_to_sigterm() -> Iterator[None]:
    """Processes that are started inside never hear SIGTERM, which Slurm, systemd and `timeout` send to each single one: Ray's
    server would end before the launch, and Ray then ends the launch with exit code 1 before it can say a word."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def hear_sigterm() -> None:
    """A worker and what it starts are ended by SIGTERM as usual, though its parents are deaf to it."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def dead_part() -> str | None:
    """Which of the processes without which a Ray of one machine does nothing has died: Tune would wait for ever."""
    node = ray._private.worker._global_node
    dead: set[str] = {kind for kind, _ in node.dead_processes()} if node is not None else set()
    return next((kind for kind in (PROCESS_TYPE_RAYLET, PROCESS_TYPE_GCS_SERVER) if kind in dead), None)


def shut_down() -> None:
    """End Ray at once: it would wait a second for each of its processes to heed a SIGTERM. Nothing of it is to be kept."""
    node = ray._private.worker._global_node
    if node is not None:
        kill = node.kill_all_processes
        node.kill_all_processes = lambda **_: kill(check_alive=False, allow_graceful=False)
    ray.shutdown()
