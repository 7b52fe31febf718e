"""What the process that trains needs set, and the GPUs it sees."""

import torch

from tuner.training.threads import limit_threads


def num_gpus() -> int:
    """GPUs that PyTorch can use in this process."""
    return torch.cuda.device_count()


def device_name(device: str) -> str:
    """`cpu`, or the name of the GPU that this process computes on."""
    return "cpu" if device == "cpu" else torch.cuda.get_device_name()


def prepare_process(cpus: float) -> None:
    """Threads follow the CPUs a trial is given: two threads on one busy core run at a tenth of one thread's speed. What a
    trial before this one held of a GPU is given back, to those that share it.

    Denormal numbers count as zero: a network whose gradients vanish would otherwise train many times slower than a
    healthy one, for numbers that change nothing.
    """
    limit_threads(cpus)
    torch.set_num_threads(max(1, int(cpus)))
    torch.set_flush_denormal(True)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
