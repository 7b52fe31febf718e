"""The VGG network whose training the study explains.

Shapes: B images, C channels, H rows, W columns, F filters, K classes.
Network: entry convolution (3 -> F) + batch normalization + activation; three stages of `n` processing blocks (two 3x3
convolutions) and one reduction block (convolution, average pool 2, convolution); global average pool; linear layer.
Depth counts convolutions and the linear layer: 6 n + 8, so n = 5 gives VGG_38 and n = 0 gives VGG_08.
Source: Simonyan and Zisserman 2014, arXiv:1409.1556; batch normalization before the activation: Ioffe and Szegedy 2015,
arXiv:1502.03167; after it: Chen et al. 2019, arXiv:1905.05928; dropout after batch normalization: Li et al. 2019 (CVPR).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

NUM_STAGES = 3


@dataclass(frozen=True, slots=True)
class VggShape:
    """What fixes the network's layers; `num_classes` comes from the data."""

    depth: int
    filters: int
    num_classes: int
    bn_position: str = "none"
    dropout: float = 0.0

    @property
    def blocks_per_stage(self) -> int:
        """`n` in depth = 6 n + 8."""
        return (self.depth - 8) // 6


class Vgg(nn.Module):
    """VGG_d for images of at least 8 x 8 pixels, square or not.

    Input: float images, shape (B, 3, H, W). Output: logits, shape (B, K).
    Raises: ValueError: the depth is not 6 n + 8, or `bn_position` is unknown.
    """

    def __init__(self, shape: VggShape) -> None:
        super().__init__()
        if shape.depth < 8 or (shape.depth - 8) % 6:
            raise ValueError(f"depth={shape.depth} must be 6 n + 8: 8, 14, 20, 26, 32, 38, …")
        self.entry = nn.Sequential(
            nn.Conv2d(3, shape.filters, 3, padding=1, bias=False), nn.BatchNorm2d(shape.filters), nn.LeakyReLU()
        )
        self.stages = nn.Sequential(*(_stage(shape) for _ in range(NUM_STAGES)))
        self.classify = nn.Linear(shape.filters, shape.num_classes)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Logits of a batch, shape (B, K)."""
        features_BFHW = self.stages(self.entry(x_BCHW))
        logits: Tensor = self.classify(features_BFHW.mean(dim=(2, 3)))
        return logits


def _stage(shape: VggShape) -> nn.Sequential:
    blocks = [_processing_block(shape) for _ in range(shape.blocks_per_stage)]
    return nn.Sequential(*blocks, _reduction_block(shape))


def _processing_block(shape: VggShape) -> nn.Sequential:
    return nn.Sequential(*_convolution(shape, bias=False), *_convolution(shape, bias=False))


def _reduction_block(shape: VggShape) -> nn.Sequential:
    return nn.Sequential(*_convolution(shape, bias=True), nn.AvgPool2d(2), *_convolution(shape, bias=True))


def _convolution(shape: VggShape, *, bias: bool) -> Iterable[nn.Module]:
    """A 3x3 convolution, its activation, and batch normalization (with dropout) on the side of it that is asked for."""
    convolution = nn.Conv2d(shape.filters, shape.filters, 3, padding=1, bias=bias)
    if shape.bn_position == "none":
        return [convolution, nn.LeakyReLU()]
    normalization: list[nn.Module] = [nn.BatchNorm2d(shape.filters)]
    if shape.dropout > 0:
        normalization.append(nn.Dropout(shape.dropout))
    if shape.bn_position == "before_relu":
        return [convolution, *normalization, nn.LeakyReLU()]
    if shape.bn_position == "after_relu":
        return [convolution, nn.LeakyReLU(), *normalization]
    raise ValueError(f"bn_position={shape.bn_position!r} must be none, before_relu or after_relu")


def layer_names(model: nn.Module) -> tuple[str, ...]:
    """Names of the layers with a weight matrix or kernel, from the input on: entry, conv_1, …, linear."""
    kinds = [type(module) for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    names, num_convolutions = [], 0
    for kind in kinds:
        if kind is nn.Conv2d:
            names.append("entry" if num_convolutions == 0 else f"conv_{num_convolutions}")
            num_convolutions += 1
        else:
            names.append("linear")
    return tuple(names)


def layer_weights(model: nn.Module) -> tuple[torch.nn.Parameter, ...]:
    """The weights that `layer_names` names, in the same order."""
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    return tuple(cast(nn.Parameter, layer.weight) for layer in layers)
