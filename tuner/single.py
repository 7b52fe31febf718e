"""One configuration in this process: no Ray, no database, the same trainer and the same numbers."""

import traceback
from collections.abc import Callable, Mapping
from typing import Any

from tuner.errors import CheckpointError, TrainingError, TunerError
from tuner.plain_words import did_you_mean_or_use, listed, shown
from tuner.search_space import SearchSpace, best_value
from tuner.trainer_check import check_values, load_shared_data
from tuner.training.checkpoint import unpack
from tuner.training.device import num_gpus
from tuner.training.trainer import Trainer, choose_device, find_trainer, make_prepared, train_one_epoch


def train_configuration(
    space: SearchSpace, configuration: Mapping[str, Any], say: Callable[[str], None]
) -> dict[int, dict[str, float]]:
    """Train all epochs, one line each, and return epoch -> metrics.

    Raises: as `train_epochs`.
    """
    _, curve = train_epochs(space, configuration, space.epochs, say)
    values = {metrics[space.metric.name]: epoch for epoch, metrics in reversed(curve.items())}
    best = best_value(list(values), space.metric.goal)
    if best is None:
        say(f"best: no epoch has a finite {space.metric.name}")
    else:
        say(f"best: {space.metric.name} {best:.4f} at epoch {values[best]}")
    return curve


def train_epochs(
    space: SearchSpace, configuration: Mapping[str, Any], epochs: int, say: Callable[[str], None]
) -> tuple[Trainer, dict[int, dict[str, float]]]:
    """Train the first epochs, one line each; returns the trainer as it then is, and epoch -> metrics.

    Raises: InputError: a value that cannot be used, no data, or a trainer without the study's metric. TrainingError: the
        trainer raised.
    """
    check_values(space)
    data = load_shared_data(space, configuration)
    cpus = 1 if space.resources.cpus == "auto" else space.resources.cpus
    gpus = min(1, num_gpus()) if space.resources.gpus == "auto" else space.resources.gpus
    if gpus > num_gpus():
        raise space.source.error(
            ["resources", "gpus"], f"{gpus:g} GPUs, but PyTorch finds {num_gpus()} here; write auto or 0"
        )
    try:
        trainer = make_prepared(find_trainer(space.trainer), configuration, data, choose_device(gpus), cpus)
        return trainer, _train(space, trainer, epochs, say)
    except TunerError:
        raise
    except Exception as error:  # a bug in one's own training code: its traceback is what helps
        traceback.print_exc()
        raise TrainingError("the trainer failed, see the traceback above") from error


def restored_trainer(space: SearchSpace, configuration: Mapping[str, Any], content: bytes) -> Trainer:
    """A trainer on the CPU in the state that a checkpoint holds.

    Raises: InputError: a value that cannot be used, or no data. CheckpointError: the trainer cannot be given that state.
    """
    check_values(space)
    data = load_shared_data(space, configuration)
    try:
        trainer = find_trainer(space.trainer)(configuration, data, choose_device(0))
        unpack(content, trainer)
    except TunerError:
        raise
    except Exception as error:  # its code, and with it the form of its state, may have changed since
        raise CheckpointError(f"does not fit the trainer: {type(error).__name__}: {error}") from error
    return trainer


def _train(
    space: SearchSpace, trainer: Trainer, epochs: int, say: Callable[[str], None]
) -> dict[int, dict[str, float]]:
    curve: dict[int, dict[str, float]] = {}
    for epoch in range(1, epochs + 1):
        metrics = train_one_epoch(trainer, epoch, space.epochs)
        if metrics is None:
            continue
        if space.metric.name not in metrics:
            raise space.source.error(
                ["metric", "name"],
                f"the trainer gives no {shown(space.metric.name)}{did_you_mean_or_use(space.metric.name, metrics)} "
                f"one of {listed(metrics)}",
            )
        curve[epoch] = metrics
        say(f"epoch {epoch:3d}/{space.epochs}  " + "  ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
    return curve
