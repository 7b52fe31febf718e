"""All that can be said against a launch before anything is started or written."""

import os
from collections.abc import Mapping
from typing import Any

from storage import launches
from storage.engine import check_can_launch, open_existing, studies_of_others
from storage.errors import DatabaseUnreachableError, StudyChangedError, StudyNotFoundError
from storage.store import StudyStore
from tuner.errors import InputError
from tuner.rungs import rule_of
from tuner.sampling import check_sampler
from tuner.search_space import SearchSpace, check_search_space
from tuner.trainer_check import check_travels, check_values
from tuner.yaml_source import source_of_values

_MAY_CHANGE = ("budget", "resources", "concurrency", "enqueue", "max_retries", "trial_timeout", "repeats", "checkpoint")
_MAY_CHANGE_SETTINGS = ("data_dir",)  # the data may lie elsewhere; that they are the same is checked by their checksum


def check_launch(space: SearchSpace, storage: str) -> None:
    """Check the space, the machine and the database.

    Raises: InputError, StorageError: complete messages.
    """
    rule_of(space)
    check_sampler(space)
    check_values(space)
    check_travels(space)
    check_can_launch(storage)
    cpus = space.resources.cpus
    if cpus != "auto" and cpus > (os.cpu_count() or 1):
        raise space.source.error(
            ["resources", "cpus"], f"{cpus} CPUs for a trial, but this machine has {os.cpu_count()}; lower it"
        )
    gpus = space.resources.gpus
    limits = space.budget.model_dump(exclude_none=True)
    if set(limits) == {"gpu_hours"} and (gpus == 0 or _num_gpus() == 0):
        raise space.source.error(["budget"], "gpu_hours alone never end without a GPU; add trials: N or hours: H")
    if gpus != "auto" and gpus > 0 and gpus > _num_gpus():
        raise space.source.error(
            ["resources", "gpus"],
            f"{gpus:g} GPUs for a trial, but PyTorch finds {_num_gpus()} here; write auto or 0 to train on CPUs",
        )


def refuse_changed_space(space: SearchSpace, storage: str, fingerprint: str | None) -> None:
    """Refuse to go on with a study under a file that makes new trials incomparable with its old ones.

    Raises: StudyChangedError: names the keys that differ.
    """
    try:
        database = open_existing(storage, older=True)
    except DatabaseUnreachableError as error:
        if space.study in studies_of_others(storage):
            raise StudyChangedError(foreign_study(space.study)) from error
        return  # no study yet
    store = StudyStore(database, space.study)
    try:
        with store.transaction() as transaction:
            newest = launches.newest_space(transaction.connection, transaction.study_id)
            foreign = newest is None and transaction.is_foreign(space.metric.goal)
    except StudyNotFoundError:
        return
    finally:
        store.close()
    if foreign:
        raise StudyChangedError(foreign_study(space.study))
    if newest is None:
        return  # a launch ended right after it made the study
    differing = differences(_with_defaults(newest.content), space.as_json())
    if differing:
        raise StudyChangedError(
            f"{space.source.name}: study {space.study!r} was begun with other values: {'; '.join(differing)}. Trials would not be "
            "comparable. Restore them, or begin another study: --set study=NAME"
        )
    if newest.data_fingerprint != fingerprint:
        raise StudyChangedError(
            f"{space.source.name}: the data of study {space.study!r} have changed since it was begun. Restore "
            "them, or begin another study: --set study=NAME"
        )


def foreign_study(name: str) -> str:
    """The sentence about a study of this name that another program made."""
    return (f"study {name!r} in this database was not made by this product, and trials of two makers are not comparable; "
            "give yours another name: --set study=NAME")  # fmt: skip


def _with_defaults(content: dict[str, Any]) -> dict[str, Any]:
    """A recorded file with what later versions of the product added; one that they refuse stays as it is."""
    try:
        return check_search_space(source_of_values(content, "the study's recorded file")).as_json()
    except InputError:
        return content


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What makes trials under two checked files incomparable, each key with both values; empty when nothing does."""
    found = []
    for key in sorted(set(old) | set(new)):
        if key in _MAY_CHANGE or old.get(key) == new.get(key):
            continue
        if key in ("settings", "space"):
            before, after = old.get(key, {}), new.get(key, {})
            inner = [name for name in sorted(set(before) | set(after)) if before.get(name) != after.get(name)]
            found += [
                f"{key}.{name} was {before.get(name, 'absent')}, is {after.get(name, 'absent')}"
                for name in inner
                if not (key == "settings" and name in _MAY_CHANGE_SETTINGS)
            ]
        else:
            found.append(f"{key} was {old.get(key)}, is {new.get(key)}")
    return found


def _num_gpus() -> int:
    from tuner.training.device import num_gpus  # imports torch, which only this question needs

    return num_gpus()
