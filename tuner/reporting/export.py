"""A study as a folder of files: a table each, and its search space."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pandas as pd

from storage.errors import StorageError
from tuner.errors import InputError
from tuner.reporting.columns import PARAMETER
from tuner.reporting.export_formats import Write, write_csv, write_json, write_parquet
from tuner.reporting.frames import StudyFrames
from tuner.yaml_writer import write_yaml

_TRIALS_AT_ONCE = 100  # whose gradient flow is in memory: 190,000 rows where each has 50 epochs and 38 layers


_WRITERS: dict[str, Write] = {"csv": write_csv, "parquet": write_parquet, "json": write_json}


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    read: Callable[[StudyFrames], Iterable[pd.DataFrame]]


def export_study(frames: StudyFrames, folder: Path, kind: str) -> list[str]:
    """Write a study into a new folder, which is there in whole or not at all.

    Every trial that a file names has its row in `trials`, also when the study runs meanwhile.

    Args:
        frames: the study.
        folder: to be made; an empty one that is there is replaced.
        kind: of the files: csv, parquet or json.
    Returns: the names of the files.
    Raises: InputError: the folder holds files, or cannot be written. StorageError: the study or its database is gone.
    """
    _refuse(folder)
    target = folder.resolve()
    unfinished = target.with_name(f".{target.name}.{uuid4().hex[:8]}")
    try:
        unfinished.mkdir()
        for table in _TABLES:
            _WRITERS[kind](unfinished / f"{table.name}.{kind}", table.read(frames))
        (unfinished / "space.yaml").write_text(write_yaml(frames.space), encoding="utf-8")
        names = sorted(path.name for path in unfinished.iterdir())
        unfinished.rename(target)
    except StorageError:  # some are OSErrors
        raise
    except OSError as error:
        raise InputError(
            f"export: {folder} cannot be written ({error.strerror or error}); nothing is left there"
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return names


def _refuse(folder: Path) -> None:
    if folder.is_dir():
        is_used = "not empty" if any(folder.iterdir()) else "where you are" if folder.resolve() == Path.cwd() else ""
        if is_used:
            raise InputError(f"export: {folder} is there already and {is_used}; name a new folder, or remove it first")
    elif folder.exists() or folder.is_symlink():
        raise InputError(f"export: {folder} is there already and no folder; name a new folder")
    elif not folder.resolve().parent.is_dir():
        raise InputError(f"export: folder {folder.parent} does not exist; make it or name another folder")
    if not os.access(folder.resolve().parent, os.W_OK):
        raise InputError(f"export: folder {folder.parent} cannot be written to; name another folder")


def _gradient_flow(study: StudyFrames) -> Iterator[pd.DataFrame]:
    trials = study.trials_with_gradient_flow
    for begin in range(0, max(len(trials), 1), _TRIALS_AT_ONCE):
        yield study.gradient_flow_of(trials[begin : begin + _TRIALS_AT_ONCE])


def _trials(study: StudyFrames) -> Iterator[pd.DataFrame]:
    """A value or a parameter that is missing becomes <NA>, and so does a reason where nothing was stopped or failed."""
    trials = study.trials.reset_index()
    numbers = [n for n in trials if n == "value" or (n.startswith(PARAMETER) and trials[n].dtype == "float64")]
    yield trials.astype(dict.fromkeys(numbers, "Float64")).assign(reason=trials["reason"].replace("", None))


def _decisions(study: StudyFrames) -> Iterator[pd.DataFrame]:
    yield study.decisions.astype({"cutoff": "Float64"})


_TABLES = (  # trials last: what the others name is in it
    _Table("epochs", lambda study: [study.epochs]),
    _Table("decisions", _decisions),
    _Table("attempts", lambda study: [study.attempts]),
    _Table("launches", lambda study: [study.launches]),
    _Table("gradient_flow", _gradient_flow),
    _Table("trials", _trials),
)
