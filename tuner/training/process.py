"""What the process that trains needs set: as many threads as a trial has CPUs, and in PyTorch no denormal numbers."""

import os
import sys

from threadpoolctl import threadpool_limits


def prepare_process(cpus: float) -> None:
    """Set what is loaded now; to be called again when PyTorch has been imported since: who needs none need not wait for it.

    Threads follow the CPUs: two on one busy core run at a tenth of one thread's speed, and sums come out alike only with as
    many as before. What a trial before this one held of a GPU is given back, to those that share it.
    """
    threads = max(1, int(cpus))
    os.environ["OMP_NUM_THREADS"] = str(threads)  # read when a library is loaded
    threadpool_limits(threads)
    if "torch" in sys.modules:
        _prepare_torch(threads)


def _prepare_torch(threads: int) -> None:
    """Denormal numbers count as zero: a network whose gradients vanish would otherwise train many times slower than a
    healthy one, for numbers that change nothing."""
    import torch

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
