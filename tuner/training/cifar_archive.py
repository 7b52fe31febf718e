"""CIFAR-100 as torchvision's archive has it: packed, unpacked, or downloaded when there is nothing.

Its files are pickles, so they are read by an unpickler that makes arrays and plain containers and nothing else.
Images of a split come in the archive's order; class folders hold the same images in the order of their names.
Source: Krizhevsky 2009, Learning multiple layers of features from tiny images.
"""

import hashlib
import http.client
import os
import pickle
import sys
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from tuner.errors import SettingError
from tuner.training.class_folders import ClassFolders, read_class_folders

PACKED, UNPACKED = "cifar-100-python.tar.gz", "cifar-100-python"
TIMEOUT_SECONDS = 20.0  # of connecting, and of every wait for more
MD5 = "eb9058c3a382ffc7106e4002c42a8d85"
_URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
_SIDE = 32
_CHUNK_BYTES = 1 << 20


def read_cifar100(folder: Path, split: str) -> ClassFolders:
    """The images of one split: from class folders, else from the archive, which is downloaded when it is not there.

    Args:
        folder: holds train/<class>/*.png and test/<class>/*.png, or the archive, packed or unpacked.
        split: train or test.
    Raises: SettingError: nothing there and nothing to be had, or something damaged.
    """
    if any((folder / name).is_dir() for name in ("train", "test")):
        return read_class_folders(folder, split)
    if not (folder / UNPACKED).is_dir() and not (folder / PACKED).is_file():
        _download(folder)
    return _read(folder, split)


def archive_url() -> str:
    """Where the archive is downloaded from: TUNER_CIFAR100_URL (a mirror) or its authors' page."""
    return os.environ.get("TUNER_CIFAR100_URL") or _URL


def _read(folder: Path, split: str) -> ClassFolders:
    source = folder / UNPACKED if (folder / UNPACKED).is_dir() else folder / PACKED
    try:
        with _members(source) as member:
            content, meta = _unpickle(member(split)), _unpickle(member("meta"))
        rows = np.asarray(content["data"])
        labels_N = np.asarray(content["fine_labels"], np.int64)
        names = tuple(str(name) for name in meta["fine_label_names"])
        if rows.dtype != np.uint8 or rows.shape != (len(labels_N), 3 * _SIDE * _SIDE) or not len(labels_N):
            raise ValueError(f"images of shape {rows.shape} and {len(labels_N)} labels")
        if not 0 <= labels_N.min() <= labels_N.max() < len(names):
            raise ValueError(f"labels beyond its {len(names)} classes")
    except Exception as error:  # whatever a damaged file makes of unpacking
        raise SettingError(
            "data_dir",
            f"{source} is damaged or not CIFAR-100 ({type(error).__name__}: {error}); remove it, and it is downloaded again",
        ) from error
    images_NHWC = np.ascontiguousarray(rows.reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1))
    return ClassFolders(images_NHWC, labels_N, names)


@contextmanager
def _members(source: Path) -> Iterator[Any]:
    """A function from a member's name to its open file."""
    if source.is_dir():
        yield lambda name: open(source / name, "rb")
        return
    with tarfile.open(source, "r:gz") as archive:
        yield lambda name: archive.extractfile(f"{UNPACKED}/{name}")


class _PlainUnpickler(pickle.Unpickler):
    """Makes arrays and plain containers; a pickle that asks for anything else is refused before it can run."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in (("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")):
            return np._core.multiarray._reconstruct  # type: ignore[attr-defined]
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        if (module, name) == ("_codecs", "encode"):  # how newer pickles hold bytes
            return __import__("_codecs").encode
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _unpickle(file: IO[bytes]) -> dict[str, Any]:
    with file:
        content = _PlainUnpickler(file, encoding="latin1").load()
    if not isinstance(content, dict):
        raise ValueError(f"a {type(content).__name__} where a mapping belongs")
    return content


def _download(folder: Path) -> None:
    """Put the archive into the folder, whole and checked, or leave everything as it was.

    Raises: SettingError: what went wrong, and both ways to get the images.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    partial = folder / f"{PACKED}.{os.getpid()}.part"
    try:
        with urllib.request.urlopen(archive_url(), timeout=TIMEOUT_SECONDS) as response:
            print(f"downloading {archive_url()} to {folder}", file=sys.stderr, flush=True)
            folder.mkdir(parents=True, exist_ok=True)
            digest = hashlib.md5(usedforsecurity=False)
            with open(partial, "wb") as file:
                while chunk := response.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
        if digest.hexdigest() != MD5:
            raise OSError("what came is not the archive (another MD5 checksum)")
        os.replace(partial, folder / PACKED)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise SettingError(
            "data_dir",
            f"no images: {folder} has neither class folders (train/<class>/*.png) nor {PACKED}, and downloading "
            f"{archive_url()} failed: {reason}. Put either there, or name the folder that has them: "
            "--set settings.data_dir=FOLDER",
        ) from error
    finally:
        partial.unlink(missing_ok=True)
        if not (folder / PACKED).exists():
            _remove_empty(made)


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders that were made in vain, the deepest first."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:  # never made, or somebody put something there meanwhile
            continue
