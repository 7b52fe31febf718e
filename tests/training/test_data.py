import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tuner.errors import SettingError
from tuner.training.class_folders import CACHE_FOLDER, read_class_folders
from tuner.training.data import load_data, load_test

CLASSES = ("apple", "bear", "cup")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small tree of the same form as CIFAR-100's: image i of class k is filled with 10 k + i."""
    for split, per_class in (("train", 20), ("test", 4)):
        for k, name in enumerate(CLASSES):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(per_class):
                pixels = np.full((32, 32, 3), 10 * k + i, np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / name / f"{i:04d}.png")
    return tmp_path


def configuration(folder: Path, **changes: Any) -> dict[str, Any]:
    return {"dataset": "cifar100", "data_dir": str(folder), "epochs": 1, **changes}


def test_digits_are_split_into_1347_225_225_and_no_image_is_in_two_splits() -> None:
    data, test = load_data({"dataset": "digits", "epochs": 1}), load_test({"dataset": "digits", "epochs": 1})
    assert (len(data.train), len(data.validation), len(test)) == (1347, 225, 225)
    assert data.train.images_NHWC.shape[1:] == (8, 8, 3)
    together = np.concatenate([s.images_NHWC.reshape(len(s), -1) for s in (data.train, data.validation, test)])
    assert len(np.unique(together, axis=0)) == 1797


def test_class_folders_are_read_in_the_order_of_their_names(folder: Path) -> None:
    images = read_class_folders(folder, "train")
    assert images.class_names == CLASSES
    assert images.labels_N.tolist() == [0] * 20 + [1] * 20 + [2] * 20
    assert images.images_NHWC[:, 5, 5, 1].tolist() == [10 * k + i for k in range(3) for i in range(20)]


def test_the_split_keeps_every_image_once_and_follows_its_seed(folder: Path) -> None:
    first, same = load_data(configuration(folder)), load_data(configuration(folder, seed=5))
    other = load_data(configuration(folder, split_seed=1))
    assert (len(first.train), len(first.validation)) == (57, 3)
    assert np.array_equal(first.validation.images_NHWC, same.validation.images_NHWC)
    assert not np.array_equal(first.train.images_NHWC, other.train.images_NHWC)
    both = np.concatenate([first.train.labels_N, first.validation.labels_N])
    assert np.bincount(both).tolist() == [20, 20, 20]


def test_a_subset_is_the_beginning_of_the_whole_with_the_same_validation(folder: Path) -> None:
    whole, part = load_data(configuration(folder)), load_data(configuration(folder, train_images=10))
    assert np.array_equal(part.train.images_NHWC, whole.train.images_NHWC[:10])
    assert np.array_equal(part.validation.labels_N, whole.validation.labels_N)
    with pytest.raises(SettingError, match="more than the 57 training images"):
        load_data(configuration(folder, train_images=58))


def test_images_are_decoded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read_class_folders(folder, "train")
    monkeypatch.setattr(Image, "open", lambda path: pytest.fail(f"{path} was decoded again"))
    again = read_class_folders(folder, "train")
    assert np.array_equal(first.images_NHWC, again.images_NHWC)
    assert again.class_names == CLASSES


def test_a_damaged_cache_is_made_anew(folder: Path) -> None:
    first = read_class_folders(folder, "train")
    cache = folder / CACHE_FOLDER / "train.npz"
    whole = bytearray(cache.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    cache.write_bytes(whole)
    assert np.array_equal(read_class_folders(folder, "train").images_NHWC, first.images_NHWC)
    cache.write_bytes(whole[:1000])
    assert np.array_equal(read_class_folders(folder, "train").images_NHWC, first.images_NHWC)
    assert [p.name for p in (folder / CACHE_FOLDER).iterdir()] == ["train.npz"]


def test_a_changed_image_is_decoded_again(folder: Path) -> None:
    read_class_folders(folder, "train")
    path = folder / "train" / "cup" / "0000.png"
    Image.fromarray(np.full((32, 32, 3), 200, np.uint8)).save(path)
    os.utime(path, ns=(1, 1))
    assert read_class_folders(folder, "train").images_NHWC[40, 0, 0, 0] == 200


def test_training_data_hold_no_test_image_and_reading_them_opens_none(folder: Path) -> None:
    for path in (folder / "test").rglob("*.png"):
        path.write_bytes(b"not to be read")
    load_data(configuration(folder))
    with pytest.raises(SettingError, match="no image that can be read"):
        load_test(configuration(folder))


def test_missing_or_broken_data_are_named(folder: Path) -> None:
    with pytest.raises(SettingError, match=r"nowhere has neither class folders.*--set settings.data_dir"):
        load_data(configuration(Path("nowhere")))
    Image.fromarray(np.zeros((16, 32, 3), np.uint8)).save(folder / "train" / "bear" / "0003.png")
    with pytest.raises(SettingError, match=r"0003.png is 32x16 pixels"):
        load_data(configuration(folder))
    (folder / "train" / "empty").mkdir()
    with pytest.raises(SettingError, match="'empty' has no image"):
        load_data(configuration(folder))


def test_arrays_cannot_be_written_to(folder: Path) -> None:
    data = load_data(configuration(folder))
    with pytest.raises(ValueError, match="read-only"):
        data.train.images_NHWC[0] = 0
