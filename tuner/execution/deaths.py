"""How a worker died, from what Ray says of it and what it left behind."""

import re

from tuner.events import AttemptEnd
from tuner.execution.last_words import LastWords

# the words of Ray 2.60 (ActorDiedError, ActorUnavailableError), seen by killing workers and nodes in each of these ways
_OUT_OF_MEMORY = ("running low on memory",)
_USED = re.compile(r"Actor\((\w+)\): .*?actual memory used=([\d.]+)GB")
_ENDED = re.compile(r"ended: Actor\((\w+)\)")  # added by ray_repairs
_NODE = ("its node has died", "is temporarily unavailable")
_SIGNAL = ("The process receives a SIGTERM",)


def how_it_died(ray_words: str, left: LastWords, timeout_seconds: float | None) -> tuple[AttemptEnd, str]:
    """What ended an attempt whose worker is gone, and the words to keep of it; their last line names the reason."""
    if left.hang:
        limit = "trial_timeout" if timeout_seconds is None else f"{timeout_seconds:g} s (trial_timeout)"
        return AttemptEnd.TIMED_OUT, f"{left.hang.rstrip()}\nTimeout: no new epoch for {limit}; above is where it hung"
    if any(words in ray_words for words in _OUT_OF_MEMORY):
        if not _took_most_memory(ray_words):
            why = "Evicted: Ray ended the worker to free memory that another one had taken"
            return AttemptEnd.EVICTED, f"{ray_words}\n{why}"
        why = "OutOfMemory: Ray ended the worker, since its machine had no memory left"
        return AttemptEnd.OUT_OF_MEMORY, f"{ray_words}\n{why}"
    if any(words in ray_words for words in _NODE):
        return AttemptEnd.NODE_LOST, f"{ray_words}\nNodeLost: the worker's machine died or is out of reach"
    if any(words in ray_words for words in _SIGNAL):
        return AttemptEnd.EVICTED, f"{ray_words}\nEvicted: somebody asked the worker to end (SIGTERM)"
    why = "WorkerLost: the worker's process died (kill -9, a crash, or the kernel's out-of-memory killer)"
    return AttemptEnd.WORKER_LOST, f"{ray_words}\n{why}"


def _took_most_memory(ray_words: str) -> bool:
    """Ray ends several workers at once when memory runs out, and says how much each of them had."""
    used = {actor: float(gigabytes) for actor, gigabytes in _USED.findall(ray_words)}
    ended = _ENDED.search(ray_words)
    return ended is None or ended[1] not in used or used[ended[1]] >= max(used.values())
