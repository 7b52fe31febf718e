"""Gradient flow: mean |dL/dW| of each layer's weight, averaged over an epoch's steps (figures 2, 4 and 6 of the study)."""

from collections.abc import Sequence

import torch
from torch import Tensor


class GradientFlow:
    """Adds up one epoch on the device, without waiting for it; `means()` waits once, at the epoch's end."""

    def __init__(self, names: Sequence[str], weights: Sequence[torch.nn.Parameter]) -> None:
        self._names = tuple(names)
        self._weights = tuple(weights)
        self._sizes = torch.tensor([w.numel() for w in self._weights], dtype=torch.float64)
        self._sum: Tensor | None = None
        self._num_steps = 0

    def add_step(self) -> None:
        """Take in the gradients that the last backward pass left, before the optimizer changes anything."""
        sums = torch.stack([torch.linalg.vector_norm(_gradient(w), ord=1) for w in self._weights])
        self._sum = sums if self._sum is None else self._sum + sums
        self._num_steps += 1

    def means(self) -> dict[str, float]:
        """Layer name -> mean |dL/dW| over all added steps; empty when there was none."""
        if self._sum is None:
            return {}
        values = self._sum.double().cpu() / self._sizes / self._num_steps
        return dict(zip(self._names, values.tolist(), strict=True))


def _gradient(weight: torch.nn.Parameter) -> Tensor:
    if weight.grad is None:
        raise RuntimeError("gradient flow is read after backward() and before zero_grad(); this layer has no gradient")
    return weight.grad
