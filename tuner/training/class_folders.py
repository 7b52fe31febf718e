"""A tree of class folders, `<folder>/<split>/<class>/*.png`, decoded once into one array file beside it.

The cache is written under another name and renamed, so a reader never sees half of it; its zip container checks every
member's CRC-32; it is made anew when any image's name, size or time of change differs, or when it is damaged.
"""

import hashlib
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from tuner.errors import SettingError

CACHE_FOLDER = ".tuner_cache"
_SUFFIXES = {".png", ".jpg", ".jpeg"}


@dataclass(frozen=True, slots=True)
class ClassFolders:
    """Decoded images, shape (N, H, W, 3) uint8, labels (N,) int64, and the class behind each label."""

    images_NHWC: NDArray[np.uint8]
    labels_N: NDArray[np.int64]
    class_names: tuple[str, ...]


def read_class_folders(folder: Path, split: str) -> ClassFolders:
    """The images of one split, classes and files in the order of their names.

    Labels count the classes of `train`, so every other split must have the same ones, and images of the same size.

    Raises: SettingError: nothing there, a class without an image, an image that cannot be read or of another size, a class
        that only one of the splits has.
    """
    root = folder / split
    files = _list_images(root)
    if split != "train":
        _refuse_unlike_train(folder / "train", root, files)
    fingerprint = _fingerprint(files)
    cache = folder / CACHE_FOLDER / f"{split}.npz"
    cached = _read_cache(cache, fingerprint)
    if cached is None:
        cached = _decode(root, files)
        _write_cache(cache, fingerprint, cached)
    return cached


def _refuse_unlike_train(train: Path, root: Path, files: dict[str, list[os.DirEntry[str]]]) -> None:
    train_files = _list_images(train)
    for name in sorted(set(files) ^ set(train_files)):
        here, there = (root, train) if name in files else (train, root)
        raise SettingError("data_dir", f"class {name!r} has a folder in {here}, but none in {there.name}; both need it")
    first, wanted = (_decode_image(next(_walk(split))[2].path).shape for split in (files, train_files))
    if first != wanted:
        raise SettingError(
            "data_dir",
            f"the images of {root} have {first[1]}x{first[0]} pixels, those of {train.name} {wanted[1]}x{wanted[0]}; "
            "all must have one size",
        )


def _list_images(root: Path) -> dict[str, list[os.DirEntry[str]]]:
    if not root.is_dir():
        raise SettingError(
            "data_dir",
            f"no images: {root} is not a folder. Put class folders there "
            f"({root}/<class>/*.png), or name the folder that has them: "
            "--set settings.data_dir=FOLDER",
        )
    files = {}
    for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
        if entry.is_dir():
            images = [file for file in os.scandir(entry.path) if Path(file.name).suffix.lower() in _SUFFIXES]
            files[entry.name] = sorted(images, key=lambda file: file.name)
    empty = [name for name, images in files.items() if not images]
    if not files or empty:
        found = f"class folder {empty[0]!r} has no image" if empty else "there is no class folder"
        raise SettingError("data_dir", f"no images: {found} in {root}; wanted {root}/<class>/*.png")
    return files


def _walk(files: dict[str, list[os.DirEntry[str]]]) -> Iterator[tuple[int, str, os.DirEntry[str]]]:
    for label, (class_name, images) in enumerate(files.items()):
        for image in images:
            yield label, class_name, image


def _fingerprint(files: dict[str, list[os.DirEntry[str]]]) -> str:
    digest = hashlib.sha256()
    for _, class_name, image in _walk(files):
        status = image.stat()
        digest.update(f"{class_name}/{image.name}:{status.st_size}:{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _decode(root: Path, files: dict[str, list[os.DirEntry[str]]]) -> ClassFolders:
    labels = [label for label, _, _ in _walk(files)]
    images_NHWC: NDArray[np.uint8] | None = None
    for position, (_, _, entry) in enumerate(_walk(files)):
        image_HWC = _decode_image(entry.path)
        if images_NHWC is None:
            images_NHWC = np.empty((len(labels), *image_HWC.shape), np.uint8)
        if image_HWC.shape != images_NHWC.shape[1:]:
            raise SettingError(
                "data_dir",
                f"{entry.path} is {image_HWC.shape[1]}x{image_HWC.shape[0]} pixels, the images "
                f"before it {images_NHWC.shape[2]}x{images_NHWC.shape[1]}; all must have one size",
            )
        images_NHWC[position] = image_HWC
    assert images_NHWC is not None, f"_list_images refuses an empty {root}"
    return ClassFolders(images_NHWC, np.array(labels, np.int64), tuple(files))


def _decode_image(path: str) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"), np.uint8)
    except (UnidentifiedImageError, OSError) as error:
        raise SettingError(
            "data_dir", f"{path} is no image that can be read ({error}); replace or remove it"
        ) from error


def _read_cache(cache: Path, fingerprint: str) -> ClassFolders | None:
    try:
        with np.load(cache, allow_pickle=False) as arrays:
            if str(arrays["fingerprint"]) != fingerprint:
                return None
            return ClassFolders(arrays["images"], arrays["labels"], tuple(arrays["class_names"].tolist()))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None  # absent or damaged: it is only a copy, decode again


def _write_cache(cache: Path, fingerprint: str, folders: ClassFolders) -> None:
    partial = cache.with_name(f"{cache.name}.{os.getpid()}.part")
    try:
        cache.parent.mkdir(exist_ok=True)
        with open(partial, "wb") as file:
            np.savez(
                file,
                fingerprint=np.array(fingerprint),
                images=folders.images_NHWC,
                labels=folders.labels_N,
                class_names=np.array(folders.class_names),
            )
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, cache)
    except OSError:  # a read-only or full disk: the study goes on, the next one decodes again
        partial.unlink(missing_ok=True)
