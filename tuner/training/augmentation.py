"""Random crop and flip of a whole batch at once, on the device that trains, from uint8.

Shapes: B images, H rows, W columns, C channels; P padding. Padding comes before normalization, as in torchvision's
RandomCrop(padding=P) -> RandomHorizontalFlip -> ToTensor -> Normalize, so the border is black, not grey.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class EpochDraws:
    """Every random choice of one epoch, drawn at once: image order, crop offsets and flips, each of shape (N,)."""

    order: Tensor
    top: Tensor
    left: Tensor
    flip: Tensor


def draw_epoch(num_images: int, padding: int, flip: bool, seed: int) -> EpochDraws:
    """The random choices of an epoch, a function of the seed alone (so an epoch run again is the same epoch)."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(num_images, generator=generator)
    top, left = torch.randint(0, 2 * padding + 1, (2, num_images), generator=generator)
    flips = torch.rand(num_images, generator=generator) < 0.5
    return EpochDraws(order, top, left, flips if flip else torch.zeros(num_images, dtype=torch.bool))


def crop_and_flip(images_BHWC: Tensor, padding: int, top: Tensor, left: Tensor, flip: Tensor) -> Tensor:
    """Pad with black, cut each image back to its size at its own offset, mirror those marked.

    Args:
        images_BHWC: uint8 images, shape (B, H, W, C).
        top, left: offsets in 0..2 padding, shape (B,).
        flip: which to mirror, shape (B,), bool.
    Returns: uint8 images, shape (B, H, W, C).
    """
    num_images, height, width, _ = images_BHWC.shape
    device = images_BHWC.device
    if padding:
        padded = functional.pad(images_BHWC, (0, 0, padding, padding, padding, padding))
        windows = padded.unfold(1, height, 1).unfold(2, width, 1)  # a view: (B, 2P+1, 2P+1, C, H, W)
        index = torch.arange(num_images, device=device)
        images_BHWC = windows[index, top.to(device), left.to(device)].permute(0, 2, 3, 1)
    return torch.where(flip.to(device)[:, None, None, None], images_BHWC.flip(2), images_BHWC)


def normalize(images_BHWC: Tensor, mean_C: Tensor, std_C: Tensor) -> Tensor:
    """Floats of mean 0 and deviation 1 a channel, shape (B, C, H, W) in channels-last memory.

    `mean_C` and `std_C` are fractions of full brightness, as torchvision's Normalize takes them.
    """
    x_BHWC = (images_BHWC.float() / 255 - mean_C) / std_C
    return x_BHWC.permute(0, 3, 1, 2)
