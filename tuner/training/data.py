"""The images of a study: read once, split by seed, handed on as plain read-only arrays.

Shapes: N images, H rows, W columns, C = 3 channels; images are uint8 (N, H, W, C), labels int64 (N,).
The test split is a separate object (`load_test`) that only an evaluation asks for.
"""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.errors import SettingError
from tuner.plain_words import shown
from tuner.training.cifar_archive import read_cifar100
from tuner.training.class_folders import ClassFolders, read_class_folders
from tuner.training.settings import VggSettings, check_settings

CIFAR_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR_STD = (0.2023, 0.1994, 0.2010)
VALIDATION_SHARE = 0.05  # 2,500 of CIFAR-100's 50,000
SMALLEST_SIDE = 8  # pixels: the network halves its images three times
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

    Raises: SettingError: no data there, none that the network can take, or fewer images than `train_images` asks for.
    """
    settings = check_settings(configuration)
    with _readable(settings):
        data = _LOADERS[settings.dataset](settings)
    if settings.crop_padding is not None:
        data = replace(data, crop_padding=settings.crop_padding)
    if settings.flip is not None:
        data = replace(data, flip=settings.flip)
    _refuse_unusable(data, settings)
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
    read = read_cifar100 if settings.dataset == "cifar100" else read_class_folders
    with _readable(settings):
        return _images(read(settings.data_path, "test"))


@contextmanager
def _readable(settings: VggSettings) -> Iterator[None]:
    """What the file system says against `data_dir`, said of that key."""
    try:
        yield
    except OSError as error:
        path = shown(str(settings.data_path))
        raise SettingError(
            "data_dir", f"{path} cannot be read ({error.strerror or error}); name another folder"
        ) from error


def _refuse_unusable(data: ImageData, settings: VggSettings) -> None:
    height, width = data.train.images_NHWC.shape[1:3]
    if min(height, width) < SMALLEST_SIDE:
        raise SettingError(
            "data_dir",
            f"the images of {settings.data_path} have {width}x{height} pixels; the network needs 8x8 at least",
        )
    if len(data.train) < 2:
        raise SettingError(
            "data_dir",
            f"{settings.data_path} leaves {len(data.train)} training images beside {len(data.validation)} to validate "
            "with; at least 2 are needed",
        )
    if data.crop_padding >= min(height, width):
        raise SettingError(
            "crop_padding", f"{data.crop_padding} pixels would move images of {width}x{height} out of sight; lower it"
        )


def _load_cifar100(settings: VggSettings) -> ImageData:
    folder = read_cifar100(settings.data_path, "train")
    train, validation = _split(folder, settings.split_seed)
    return ImageData(train, validation, folder.class_names, CIFAR_MEAN, CIFAR_STD, crop_padding=4, flip=True)


def _load_folder(settings: VggSettings) -> ImageData:
    """One's own images; mean and deviation are those of all images below train."""
    folder = read_class_folders(settings.data_path, "train")
    if (settings.data_path / "validation").is_dir():
        train, validation = _images(folder), _images(read_class_folders(settings.data_path, "validation"))
    else:
        train, validation = _split(folder, settings.split_seed)
    mean, std = _mean_and_std(folder.images_NHWC)
    crop_padding = 4 if min(folder.images_NHWC.shape[1:3]) >= 32 else 1
    return ImageData(train, validation, folder.class_names, mean, std, crop_padding, flip=True)


def _images(folder: ClassFolders) -> Images:
    return _frozen(folder.images_NHWC, folder.labels_N)


def _split(folder: ClassFolders, split_seed: int) -> tuple[Images, Images]:
    """A twentieth of the training images, at least one, is held out for validation."""
    images = Images(folder.images_NHWC, folder.labels_N)
    order = np.random.default_rng(split_seed).permutation(len(images))
    num_train = len(images) - max(1, round(VALIDATION_SHARE * len(images)))
    return images.take(order[:num_train]), images.take(order[num_train:])


def _mean_and_std(images_NHWC: NDArray[np.uint8]) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Of each channel, as fractions of full brightness; counted by brightness, so that no copy in floats is made."""
    brightness = np.arange(256) / 255
    means, deviations = [], []
    for channel in range(3):
        share = np.bincount(images_NHWC[..., channel].ravel(), minlength=256) / images_NHWC[..., channel].size
        mean = float(share @ brightness)
        means.append(mean)
        deviations.append(max(float(np.sqrt(share @ (brightness - mean) ** 2)), 1 / 255))  # a channel may be constant
    return (means[0], means[1], means[2]), (deviations[0], deviations[1], deviations[2])


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


_LOADERS = {"cifar100": _load_cifar100, "digits": _load_digits, "folder": _load_folder}
