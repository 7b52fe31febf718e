import numpy as np
import torch
from torchvision.transforms import v2

from tuner.training.augmentation import crop_and_flip, draw_epoch, normalize

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)


def test_a_batch_is_cropped_flipped_and_normalized_as_torchvision_does_each_image() -> None:
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8))
    draws = draw_epoch(20, padding=4, flip=True, seed=1)
    ours = normalize(crop_and_flip(images, 4, draws.top, draws.left, draws.flip), torch.tensor(MEAN), torch.tensor(STD))
    to_float, standardize = v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)
    for i, image in enumerate(images):
        padded = v2.functional.pad(image.permute(2, 0, 1), [4])
        cropped = v2.functional.crop(padded, int(draws.top[i]), int(draws.left[i]), 32, 32)
        flipped = v2.functional.horizontal_flip(cropped) if draws.flip[i] else cropped
        torch.testing.assert_close(ours[i], standardize(to_float(flipped)), atol=1e-6, rtol=0)


def test_an_epochs_draws_are_a_function_of_its_seed() -> None:
    first, same, other = (draw_epoch(100, 4, True, seed) for seed in (5, 5, 6))
    assert torch.equal(first.order, same.order)
    assert torch.equal(first.top, same.top)
    assert not torch.equal(first.order, other.order)
    assert sorted(first.order.tolist()) == list(range(100))


def test_every_offset_occurs_and_half_of_the_images_are_mirrored() -> None:
    draws = draw_epoch(10_000, padding=4, flip=True, seed=0)
    assert set(draws.top.tolist()) == set(draws.left.tolist()) == set(range(9))
    assert 0.47 < draws.flip.float().mean() < 0.53
    assert not draw_epoch(100, 4, False, 0).flip.any()
