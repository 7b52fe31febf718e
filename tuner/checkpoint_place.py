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


def check_place(space: SearchSpace, storage: str) -> None:
    """Refuse a place for checkpoints that cannot be one. Makes nothing.

    Raises: InputError: a URL that no file system answers to.
    """
    CheckpointFiles(_base(space, storage))


def checkpoint_files(space: SearchSpace, storage: str, identity: str) -> CheckpointFiles | None:
    """The study's own folder of checkpoints; None when it keeps none. Makes nothing.

    `auto` is a folder beside a SQLite file, and in the working folder for a PostgreSQL database. Within it the study is told
    by its first launch, which no other study of the world had, whatever its name or its database's URL. Copies of a SQLite
    file have that launch in common: each has the folder of its own path.

    Args:
        identity: what `storage.launches.name_for_ever` says of the study.
    """
    if space.checkpoint.every == "never":
        return None
    named = [space.study, identity]
    path = _sqlite_file(storage)
    if path is not None:
        named.append(str(path.resolve()))
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", space.study)[:40]
    folder = f"{readable}-{hashlib.sha256(chr(10).join(named).encode()).hexdigest()[:12]}"
    return CheckpointFiles(f"{_base(space, storage)}/{folder}", our_parent=space.checkpoint.location == "auto")


def sweep(store: StudyStore, files: CheckpointFiles | None) -> None:
    """Delete files that no row knows: written just before their launch died, or dropped just before it could delete them.

    Those of attempts that run are left alone: a checkpoint is written before its epoch is recorded. Files are told by their
    names, which a study gives once: their folder may have been reached by another path when they were written.
    """
    if files is None:
        return
    found = files.found()  # before the rows are read: what is written later belongs to an attempt that runs
    if found:
        with store.transaction() as transaction:
            used = {
                place.rpartition("/")[2] for place in locations_in_use(transaction.connection, transaction.study_id)
            }
            running = running_attempts(transaction.connection, transaction.study_id)
        delete_files(
            place for place, owner in found.items() if place.rpartition("/")[2] not in used and owner not in running
        )
    files.remove_if_empty()


def _base(space: SearchSpace, storage: str) -> str:
    location = space.checkpoint.location
    if location == "auto":
        path = _sqlite_file(storage)
        return os.path.abspath("tuner-checkpoints") if path is None else f"{path.absolute()}.checkpoints"
    return location if "://" in location else os.path.abspath(location)


def _sqlite_file(storage: str) -> Path | None:
    url = parse_url(storage)
    return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None
