"""The product from Python and notebooks: what the command line does, as two functions."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.errors import InputError

if TYPE_CHECKING:
    from tuner.reporting.frames import StudyFrames

DEFAULT_STORAGE = "sqlite:///tuner.db"


def launch(
    space: str | Path | Mapping[str, Any], *, storage: str | None = None, overrides: Sequence[str] = ()
) -> "StudyFrames":
    """Start the study of a search space, or go on with it, and return it as data frames; prints a line for each event.

    Args:
        space: path of the YAML file, the name of one that ships, or its keys and values as a dict.
        storage: database URL; TUNER_STORAGE or a SQLite file in the working folder when None.
        overrides: `KEY=VALUE` for any key of the search space.
    Raises: TunerError, StorageError: complete messages.
    """
    from tuner.launching import launch as run
    from tuner.search_space import check_search_space
    from tuner.yaml_source import read_yaml, source_of_values

    source = source_of_values(space) if isinstance(space, Mapping) else read_yaml(Path(space))
    checked = check_search_space(source.with_overrides(overrides))
    run(checked, storage_url(storage))
    return open_study(storage, checked.study)


def open_study(storage: str | None, name: str) -> "StudyFrames":
    """A study of a database, as pandas data frames that read it anew whenever they are asked for.

    Raises: DatabaseUnreachableError, StudyNotFoundError.
    """
    from tuner.reporting.frames import StudyFrames  # pandas is slow to import, and the command line does without it

    return StudyFrames(storage_url(storage), name)


def storage_url(given: str | None) -> str:
    """The database to use: what is given, else TUNER_STORAGE, else a SQLite file in the working folder.

    Raises: InputError: an empty URL is given, which says neither which database nor that none is meant.
    """
    if given is not None and not given.strip():
        raise InputError(f"storage: {given!r} is no database URL; write {DEFAULT_STORAGE}, or leave --storage out")
    return given or os.environ.get("TUNER_STORAGE") or DEFAULT_STORAGE
