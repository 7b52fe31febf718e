"""What Ray 2.60 does wrong where no option of its helps, mended here."""

from typing import Any

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
