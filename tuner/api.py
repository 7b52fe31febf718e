"""The product from Python: what the command line does, as two functions."""

import os
from collections.abc import Sequence
from pathlib import Path

from storage.reading import StudyReader, StudyView

DEFAULT_STORAGE = "sqlite:///tuner.db"


def launch(space: str | Path, *, storage: str | None = None, overrides: Sequence[str] = ()) -> StudyView:
    """Start the study of a search space file, or go on with it, and return it as it then stands.

    Args:
        space: path of the YAML file, or the name of one that ships.
        storage: database URL; TUNER_STORAGE or a SQLite file in the working folder when None.
        overrides: `KEY=VALUE` for any key of the file.
    Raises: TunerError, StorageError: complete messages.
    """
    from tuner.launching import launch as run
    from tuner.search_space import load_search_space

    checked = load_search_space(Path(space), tuple(overrides))
    run(checked, storage_url(storage))
    return open_study(storage, checked.study)


def open_study(storage: str | None, name: str) -> StudyView:
    """A study as the database holds it.

    Raises: DatabaseUnreachableError, StudyNotFoundError.
    """
    return StudyReader(storage_url(storage)).study(name)


def storage_url(given: str | None) -> str:
    """The database to use: what is given, else TUNER_STORAGE, else a SQLite file in the working folder."""
    return given or os.environ.get("TUNER_STORAGE") or DEFAULT_STORAGE
