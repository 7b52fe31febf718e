"""Where a study's checkpoints are, when its file does not say; and no file there that no row knows."""

import hashlib
import os
import re
from pathlib import Path

from storage.checkpoints import locations_in_use, running_attempts
from storage.engine import parse_url
from storage.store import StudyStore
from tuner.checkpoint_files import CheckpointFiles, delete_files
from tuner.search_space import SearchSpace


def checkpoint_files(space: SearchSpace, storage: str) -> CheckpointFiles | None:
    """The study's folder of checkpoints; None when it keeps none. Makes nothing.

    `auto` is a folder beside a SQLite file, and in the working folder for a PostgreSQL database.
    Raises: InputError: a URL that no file system answers to.
    """
    if space.checkpoint.every == "never":
        return None
    base = space.checkpoint.location
    url = parse_url(storage)
    if base == "auto":
        sqlite = url.get_backend_name() == "sqlite"
        base = f"{Path(str(url.database)).absolute()}.checkpoints" if sqlite else os.path.abspath("tuner-checkpoints")
    elif "://" not in base:
        base = os.path.abspath(base)
    # two databases may hold studies of one name and share a folder
    where = url.set(query={}).render_as_string(hide_password=True) + "\n" + space.study
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", space.study)[:40]
    return CheckpointFiles(f"{base}/{readable}-{hashlib.sha256(where.encode()).hexdigest()[:8]}")


def sweep(store: StudyStore, files: CheckpointFiles | None) -> None:
    """Delete files that no row knows: written just before their launch died, or dropped just before it could delete them.

    Those of attempts that run are left alone: a checkpoint is written before its epoch is recorded.
    """
    if files is None:
        return
    found = files.found()  # before the rows are read: what is written later belongs to an attempt that runs
    if found:
        with store.transaction() as transaction:
            used = locations_in_use(transaction.connection, transaction.study_id)
            running = running_attempts(transaction.connection, transaction.study_id)
        delete_files(place for place, owner in found.items() if place not in used and owner not in running)
    files.remove_if_empty()
