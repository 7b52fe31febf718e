"""Checkpoints as files: in a folder, or behind a URL (s3://, gs://, file://) that pyarrow's file systems reach.

A file appears under its name whole or not at all, and is read only when its SHA-256 is the recorded one.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from pyarrow import fs

from storage.checkpoints import Checkpoint
from tuner.errors import CheckpointDamagedError, CheckpointError, InputError

_NAME = re.compile(r"trial-(\d+)\.attempt-(\d+)\.epoch-(\d+)\.checkpoint")
_UNFINISHED = ".part"


class CheckpointFiles:
    """The checkpoints of one study.

    Args:
        base: a folder or a URL; made when the first checkpoint is written.
        our_parent: whether the folder around it is the product's too, to be removed when it is empty.
    Raises: InputError: a URL that no file system answers to.
    """

    def __init__(self, base: str, *, our_parent: bool = False) -> None:
        self.base = base.rstrip("/")
        self._our_parent = our_parent
        try:
            self._system, self._root = _file_system(self.base)
        except (ValueError, OSError, NotImplementedError) as error:
            raise InputError(
                f"checkpoint.location: {base!r} cannot be used: {error}; name a folder, or a URL like s3://BUCKET/PATH"
            ) from error
        self._local = isinstance(self._system, fs.LocalFileSystem)

    def write(self, trial: int, attempt: int, epoch: int, content: bytes) -> Checkpoint:
        """Write one checkpoint.

        Raises: CheckpointError: it could not be written; nothing half-written stays.
        """
        name = f"trial-{trial}.attempt-{attempt}.epoch-{epoch}.checkpoint"
        path = f"{self._root}/{name}"
        written = path + _UNFINISHED if self._local else path  # an object of a store appears whole by itself
        try:
            self._system.create_dir(self._root, recursive=True)
            with self._system.open_output_stream(written) as stream:
                stream.write(content)
            if self._local:
                _flush_to_disk(written)  # else a power failure could leave an empty file under the name
                self._system.move(written, path)
                _flush_to_disk(self._root)
        except OSError as error:
            self._delete(written)
            raise CheckpointError(f"cannot be written to {self.base}: {_reason(error)}") from error
        return Checkpoint(epoch, attempt, f"{self.base}/{name}", len(content), hashlib.sha256(content).hexdigest())

    @staticmethod
    def read(checkpoint: Checkpoint) -> bytes:
        """The content of a checkpoint, wherever its study kept it then.

        Raises: CheckpointDamagedError: it is not there, or not what was written. CheckpointError: it is out of reach now.
        """
        try:
            system, path = _file_system(checkpoint.location)
            with system.open_input_stream(path) as stream:
                content: bytes = stream.read()
        except FileNotFoundError as error:
            # where its folder is missing too, it may be a disk that is not mounted, or another machine's
            kind = CheckpointDamagedError if _has_folder(system, path) else CheckpointError
            raise kind(f"cannot be read from {checkpoint.location}: {_reason(error)}") from error
        except (OSError, ValueError) as error:
            raise CheckpointError(f"cannot be read from {checkpoint.location}: {_reason(error)}") from error
        if hashlib.sha256(content).hexdigest() != checkpoint.sha256:
            raise CheckpointDamagedError(f"{checkpoint.location} is damaged: its SHA-256 is not the recorded one")
        return content

    def found(self) -> dict[str, tuple[int, int]]:
        """Location -> (trial, attempt) of every file there, half-written ones of dead launches included."""
        selector = fs.FileSelector(self._root, allow_not_found=True)
        try:
            names = [entry.base_name for entry in self._system.get_file_info(selector)]
        except OSError:
            return {}  # out of reach now; the next launch looks again
        matches = {name: _NAME.match(name) for name in names}  # those with .part at the end too
        return {f"{self.base}/{name}": (int(m[1]), int(m[2])) for name, m in matches.items() if m}

    def remove_if_empty(self) -> None:
        """Leave no empty folder of ours behind."""
        if not self._local:
            return
        folder = Path(self._root)
        with contextlib.suppress(OSError):  # not empty, or never made
            folder.rmdir()
            if self._our_parent:
                folder.parent.rmdir()

    def _delete(self, path: str) -> None:
        try:
            self._system.delete_file(path)
        except OSError:
            return  # it was never made


def delete_files(locations: Iterable[str]) -> None:
    """Delete checkpoints; what is gone or out of reach now is left to a later launch."""
    for location in locations:
        try:
            system, path = _file_system(location)
            system.delete_file(path)
        except (OSError, ValueError):
            continue


def _file_system(location: str) -> tuple[fs.FileSystem, str]:
    if "://" not in location:
        return fs.LocalFileSystem(), str(Path(location).absolute())
    system, path = fs.FileSystem.from_uri(location)
    return system, path


def _has_folder(system: fs.FileSystem, path: str) -> bool:
    return bool(system.get_file_info(path.rpartition("/")[0]).type == fs.FileType.Directory)


def _flush_to_disk(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    words = str(error).strip().splitlines() or [type(error).__name__]
    return words[0]
