"""The GPUs that PyTorch sees in this process."""

import torch


def num_gpus() -> int:
    """GPUs that PyTorch can use in this process."""
    return torch.cuda.device_count()


def device_name(device: str) -> str:
    """`cpu`, or the name of the GPU that this process computes on."""
    return "cpu" if device == "cpu" else torch.cuda.get_device_name()
