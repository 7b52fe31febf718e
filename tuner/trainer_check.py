"""What a trainer says to a search space, before anything is started."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tuner.distributions import active_parameters
from tuner.errors import InputError, SettingError
from tuner.plain_words import did_you_mean_or_use, shown
from tuner.search_space import SearchSpace
from tuner.training.trainer import (
    check_configuration,
    check_trainer,
    data_settings,
    load_data,
    metrics_of,
    own_module,
)
from tuner.yaml_source import locate


def check_values(space: SearchSpace) -> None:
    """Check settings, and both ends or all choices of every parameter, each as part of a whole configuration.

    Raises: InputError: file, line and key, what was found, what is allowed.
    """
    with _located(space):
        check_trainer(space.trainer)
    given = metrics_of(space.trainer)
    if given is not None and space.metric.name not in given:
        raise space.source.error(
            ["metric", "name"],
            f"{shown(space.metric.name)} is not given by trainer {space.trainer}"
            f"{did_you_mean_or_use(space.metric.name, given)} one of {', '.join(given)}",
        )
    examples = {p.name: p.distribution.example() for p in space.parameters}
    in_force = {p.name: examples[p.name] for p in active_parameters(space.parameters, examples)}
    _try(space, in_force)
    for parameter in space.parameters:
        if parameter.name in data_settings(space.trainer):
            raise space.source.error(
                ["space", parameter.name], "all trials share one data set; write it under settings"
            )
        for value in parameter.distribution.probes():
            _try(space, {**in_force, parameter.name: value})


def check_travels(space: SearchSpace) -> None:
    """Check that the trainer's own module can be sent to the workers.

    Raises: InputError: why it cannot.
    """
    with _located(space):
        own_module(space.trainer)


def load_shared_data(space: SearchSpace, configuration: Mapping[str, Any]) -> Any:
    """The data that all trials of a study share, loaded as the configuration says.

    Raises: InputError: file, line and key, what was found, what is allowed. TrainingError: one's own load_data raised.
    """
    try:
        return load_data(space.trainer, configuration)
    except SettingError as error:
        raise locate(space.source, error, ("settings",)) from error


def fingerprint(data: Any) -> str | None:
    """What tells data from others: their checksum, where their class has one; what is kept of them in the database."""
    return str(data.checksum()) if hasattr(data, "checksum") else None


def _try(space: SearchSpace, values: Mapping[str, Any]) -> None:
    try:
        with _located(space):
            check_configuration(space.trainer, {**space.settings, **values})
    except SettingError as error:
        raise locate(space.source, error, ("space" if error.key in values else "settings",)) from error


@contextmanager
def _located(space: SearchSpace) -> Iterator[None]:
    """What is said of the trainer as a whole is said of the file's line that names it."""
    try:
        yield
    except SettingError:
        raise
    except InputError as error:
        raise space.source.error(["trainer"], str(error).removeprefix("trainer: ")) from error
