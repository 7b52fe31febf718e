"""A trained model as a plain PyTorch file, and the line of code that loads it."""

import os
from pathlib import Path

import torch

from tuner.errors import InputError
from tuner.training.trainer import Trainer
from tuner.training.vgg_trainer import VggTrainer


def check_can_write(file: Path) -> None:
    """Say before anything is trained whether the file can be made.

    Raises: InputError: something of this name is there, or its folder is not.
    """
    if file.exists() or file.is_symlink():
        raise InputError(f"{file}: is there already; name a new file, or remove it first")
    if not file.parent.is_dir():
        raise InputError(f"{file}: folder {file.parent} does not exist; make it or name another file")
    if not os.access(file.parent, os.W_OK):
        raise InputError(f"{file}: folder {file.parent} cannot be written to; name another file")


def save_weights(trainer: Trainer, file: Path) -> str:
    """Write the weights, in whole or not at all: a VGG's own `state_dict()`, all of another trainer's.

    Returns: one line of Python that loads them.
    Raises: InputError: the file cannot be written.
    """
    weights = trainer.model.state_dict() if isinstance(trainer, VggTrainer) else trainer.state_dict()
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with open(unfinished, "wb") as stream:
            torch.save(weights, stream)
        unfinished.replace(file)
    except OSError as error:
        raise InputError(f"{file}: cannot be written ({error})") from error
    finally:
        unfinished.unlink(missing_ok=True)
    load = f'torch.load({str(file)!r}, map_location="cpu", weights_only=True)'
    if isinstance(trainer, VggTrainer):
        return (
            "import torch; from tuner.training.vgg import Vgg, VggShape; "
            f"model = Vgg({trainer.shape!r}); model.load_state_dict({load})"
        )
    return f"import torch; state = {load}"
