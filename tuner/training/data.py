"""The images of a study: read once, split by seed, handed on as plain read-only arrays.

Shapes: N images, H rows, W columns, C = 3 channels; images are uint8 (N, H, W, C), labels int64 (N,).
The test split is a separate object (`load_test`) that only an evaluation asks for.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.errors import SettingError
from tuner.training.class_folders import read_class_folders
from tuner.training.settings import VggSettings, check_settings

CIFAR_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR_STD = (0.2023, 0.1994, 0.2010)
CIFAR_VALIDATION_SHARE = 0.05  # 2,500 of 50,000
DIGITS_HELD_OUT = 225  # validation and test each; 1,347 are left to train on


@dataclass(frozen=True, slots=True)
class Images:
    """Images and their labels, in a fixed order."""

    images_NHWC: NDArray[np.uint8]
    labels_N: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels_N)

    def take(self, index: NDArray[np.int64]) -> "Images":
        """Those at `index`, copied into arrays that cannot be written to."""
        return _frozen(self.images_NHWC[index], self.labels_N[index])


@dataclass(frozen=True, slots=True)
class ImageData:
    """All that trials train and validate on, and how its images are augmented. Holds no test image."""

    train: Images
    validation: Images
    class_names: tuple[str, ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    crop_padding: int
    flip: bool

    def checksum(self) -> int:
        """CRC-32 of every array: the same number as long as nobody wrote into the shared memory."""
        value = 0
        for images in (self.train, self.validation):
            for field in fields(images):
                value = zlib.crc32(np.ascontiguousarray(getattr(images, field.name)).data, value)
        return value


def load_data(configuration: Mapping[str, Any]) -> ImageData:
    """The training and validation images that a configuration names.

    Raises: SettingError: no data there, or fewer images than `train_images` asks for.
    """
    settings = check_settings(configuration)
    data = _load_digits(settings) if settings.dataset == "digits" else _load_cifar100(settings)
    if settings.crop_padding is not None:
        data = replace(data, crop_padding=settings.crop_padding)
    if settings.train_images is None or settings.train_images == len(data.train):
        return data
    if settings.train_images > len(data.train):
        raise SettingError(
            "train_images",
            f"{settings.train_images} is more than the {len(data.train)} training "
            f"images of {settings.dataset}; lower it or leave it out",
        )
    return replace(data, train=data.train.take(np.arange(settings.train_images)))


def load_test(configuration: Mapping[str, Any]) -> Images:
    """The test images, which the search never sees.

    Raises: SettingError: no data there.
    """
    settings = check_settings(configuration)
    if settings.dataset == "digits":
        images, order = _digits_in_order(settings.split_seed)
        return images.take(order[-DIGITS_HELD_OUT:])
    folder = read_class_folders(settings.data_path, "test")
    return _frozen(folder.images_NHWC, folder.labels_N)


def _load_cifar100(settings: VggSettings) -> ImageData:
    folder = read_class_folders(settings.data_path, "train")
    images = Images(folder.images_NHWC, folder.labels_N)
    order = np.random.default_rng(settings.split_seed).permutation(len(images))
    num_train = len(images) - round(CIFAR_VALIDATION_SHARE * len(images))
    return ImageData(
        images.take(order[:num_train]),
        images.take(order[num_train:]),
        folder.class_names,
        CIFAR_MEAN,
        CIFAR_STD,
        crop_padding=4,
        flip=True,
    )


def _load_digits(settings: VggSettings) -> ImageData:
    images, order = _digits_in_order(settings.split_seed)
    train = images.take(order[: -2 * DIGITS_HELD_OUT])
    brightness = train.images_NHWC[..., 0] / 255
    mean, std = float(brightness.mean()), float(brightness.std())
    return ImageData(
        train,
        images.take(order[-2 * DIGITS_HELD_OUT : -DIGITS_HELD_OUT]),
        tuple("0123456789"),
        (mean,) * 3,
        (std,) * 3,
        crop_padding=1,
        flip=False,
    )  # a mirrored digit is another sign


def _digits_in_order(split_seed: int) -> tuple[Images, NDArray[np.int64]]:
    """Scikit-learn's 1,797 bundled digits (8x8, 16 grey levels, grey repeated to 3 channels), and their shuffled order."""
    from sklearn.datasets import load_digits  # a second's import that only this data set needs

    bundle = load_digits()
    grey = np.rint(bundle.images * (255 / 16)).astype(np.uint8)
    images = _frozen(np.repeat(grey[..., None], 3, axis=3), bundle.target.astype(np.int64))
    return images, np.random.default_rng(split_seed).permutation(len(images))


def _frozen(images_NHWC: NDArray[np.uint8], labels_N: NDArray[np.int64]) -> Images:
    for array in (images_NHWC, labels_N):
        array.flags.writeable = False
    return Images(images_NHWC, labels_N)
