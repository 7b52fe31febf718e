"""`dataset: folder`: one's own images, of any size that the network takes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tuner.errors import SettingError
from tuner.training.data import load_data, load_test
from tuner.training.vgg_trainer import VggTrainer


def write_images(
    folder: Path, split: str, *classes: str, per_class: int = 20, size: tuple[int, int] = (12, 10)
) -> None:
    """Images of `size` (width, height); class k is brighter than k - 1."""
    rng = np.random.default_rng(0)
    for k, name in enumerate(classes):
        (folder / split / name).mkdir(parents=True)
        for i in range(per_class):
            pixels = rng.integers(60 * k, 60 * k + 50, (size[1], size[0], 3), np.uint8)
            Image.fromarray(pixels).save(folder / split / name / f"{i}.png")


def configuration(folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "dataset": "folder",
        "data_dir": str(folder),
        "epochs": 1,
        "depth": 8,
        "filters": 4,
        "batch_size": 10,
        **changes,
    }


def test_a_twentieth_is_held_out_where_there_is_no_validation_folder(tmp_path: Path) -> None:
    write_images(tmp_path, "train", "cat", "dog", "emu")
    data = load_data(configuration(tmp_path))
    assert (len(data.train), len(data.validation)) == (57, 3)
    assert data.train.images_NHWC.shape[1:] == (10, 12, 3)
    assert (data.class_names, data.crop_padding, data.flip) == (("cat", "dog", "emu"), 1, True)
    every = np.concatenate([data.train.images_NHWC, data.validation.images_NHWC])
    assert data.mean == pytest.approx(tuple(every.mean(axis=(0, 1, 2)) / 255))
    assert data.std == pytest.approx(tuple(every.std(axis=(0, 1, 2)) / 255))
    other = load_data(configuration(tmp_path, split_seed=1, flip=False, crop_padding=2))
    assert not np.array_equal(data.validation.images_NHWC, other.validation.images_NHWC)
    assert (other.crop_padding, other.flip) == (2, False)


def test_validation_and_test_folders_are_taken_as_they_are(tmp_path: Path) -> None:
    for split, per_class in (("train", 4), ("validation", 2), ("test", 3)):
        write_images(tmp_path, split, "cat", "dog", per_class=per_class, size=(40, 40))
    data = load_data(configuration(tmp_path))
    assert (len(data.train), len(data.validation), len(load_test(configuration(tmp_path)))) == (8, 4, 6)
    assert data.crop_padding == 4


def test_the_network_trains_on_images_that_are_not_square(tmp_path: Path) -> None:
    write_images(tmp_path, "train", "cat", "dog", "emu")
    settings = configuration(tmp_path, epochs=6, learning_rate=0.02, bn_position="after_relu")
    trainer = VggTrainer(settings, load_data(settings), "cpu")
    curve = [trainer.train_epoch() for _ in range(6)]
    assert curve[-1]["train_loss"] < 0.8 * curve[0]["train_loss"]


@pytest.mark.parametrize(("split", "dataset"), [("validation", "folder"), ("test", "folder"), ("test", "cifar100")])
def test_every_split_must_have_the_same_classes(split: str, dataset: str, tmp_path: Path) -> None:
    write_images(tmp_path, "train", "cat", "dog")
    write_images(tmp_path, split, "cat", "emu")
    load = load_data if split == "validation" else load_test
    with pytest.raises(SettingError, match=r"class 'dog' has a folder in .*/train, but none in " + split):
        load(configuration(tmp_path, dataset=dataset))


@pytest.mark.parametrize("dataset", ["folder", "cifar100"])
def test_images_too_small_for_the_network_are_refused(dataset: str, tmp_path: Path) -> None:
    write_images(tmp_path, "train", "cat", size=(20, 7))
    with pytest.raises(SettingError, match="have 20x7 pixels; the network needs 8x8 at least"):
        load_data(configuration(tmp_path, dataset=dataset))


@pytest.mark.parametrize(("split", "dataset"), [("validation", "folder"), ("test", "folder"), ("test", "cifar100")])
def test_all_splits_must_have_one_size(split: str, dataset: str, tmp_path: Path) -> None:
    write_images(tmp_path, "train", "cat")
    write_images(tmp_path, split, "cat", size=(10, 12))
    load = load_data if split == "validation" else load_test
    with pytest.raises(SettingError, match=f"{split} have 10x12 pixels, those of train 12x10; all must have one size"):
        load(configuration(tmp_path, dataset=dataset))


def test_images_are_not_moved_out_of_sight(tmp_path: Path) -> None:
    write_images(tmp_path, "train", "cat")
    with pytest.raises(SettingError, match="crop_padding: 10 pixels would move images of 12x10 out of sight"):
        load_data(configuration(tmp_path, crop_padding=10))
    assert load_data(configuration(tmp_path, crop_padding=9)).crop_padding == 9


def test_the_folder_must_be_named() -> None:
    with pytest.raises(SettingError, match="data_dir: is missing; dataset: folder needs"):
        load_data({"dataset": "folder", "epochs": 1})


@pytest.mark.parametrize(("per_class", "validation"), [(1, False), (2, False), (1, True)])
def test_two_images_must_be_left_to_train_on(per_class: int, validation: bool, tmp_path: Path) -> None:
    write_images(tmp_path, "train", "cat", per_class=per_class)
    if validation:
        write_images(tmp_path, "validation", "cat")
    with pytest.raises(SettingError, match=r"training images beside .* at least 2 are needed"):
        load_data(configuration(tmp_path))


def test_a_path_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"data_dir: .* cannot be read \(File name too long\)"):
        load_data(configuration(tmp_path / ("x" * 300)))


def test_a_channel_without_any_difference_is_no_division_by_zero(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "train" / "cat").mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 7, np.uint8)).save(tmp_path / "train" / "cat" / f"{number}.png")
    assert load_data(configuration(tmp_path)).std == (1 / 255,) * 3
