"""What the rest of the product knows of training: one class, found by name."""

import inspect
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tuner.errors import InputError, TrainingError, TunerError
from tuner.import_path import import_object, look_in_working_folder
from tuner.training.own_module import OwnModule, pack
from tuner.training.process import prepare_process

Configuration = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _BuiltIn:
    """Where the parts of a trainer of ours lie; checking it and loading its data must not cost the import of torch."""

    trainer: str
    check_configuration: str
    load_data: str
    data_settings: str
    metrics: str


_BUILT_IN = {
    "vgg": _BuiltIn(
        "tuner.training.vgg_trainer:VggTrainer",
        "tuner.training.settings:check_settings",
        "tuner.training.data:load_data",
        "tuner.training.settings:DATA_SETTINGS",
        "tuner.training.settings:METRICS",
    )
}


def make_prepared(
    make: "type[Trainer]", configuration: Configuration, data: Any, device: str, cpus: float
) -> "Trainer":
    """Make a trainer in a process set for so many CPUs; torch may come with its class, or only when it is made."""
    prepare_process(cpus)
    had_torch = "torch" in sys.modules
    trainer = make(configuration, data, device)
    if not had_torch:
        prepare_process(cpus)
    return trainer


class Trainer(Protocol):
    """One configuration in training. The executor counts epochs and calls `train_epoch` once for each.

    With an attribute `report_every = k`, `train_epoch` may return None after epochs that are no multiple of k and not the
    last: such a trainer has figures every k epochs, and is compared at the first of them at or after a rung.
    Three more methods are used when a class has them: `check_configuration(configuration)`, static, raises SettingError
    or InputError before anything is started; `load_data(configuration)`, static, runs once in the driver, and every
    trial is given what it returns, its arrays read-only (None without it); `gradient_flow()` gives layer -> mean |dL/dW|
    of the last epoch.
    """

    def __init__(self, configuration: Configuration, data: Any, device: str) -> None: ...

    def train_epoch(self) -> dict[str, float] | None:
        """Train one epoch; return its metrics, the study's metric among them."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on bit for bit."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        ...


def find_trainer(name: str) -> type[Trainer]:
    """The trainer class behind `trainer:` of a search space: `vgg`, or `package.module:Class` of one's own.

    Looks where Python looks: in a driver `check_trainer` or `load_data` has put the working folder there, on a worker it
    must not be.
    Raises: InputError: no such module or class.
    """
    built_in = _BUILT_IN.get(name)
    found: type[Trainer] = _import(built_in.trainer if built_in else name)
    return found


def choose_device(gpus: float) -> str:
    """`cuda` when a share of a GPU is given to this process, `cpu` otherwise."""
    return "cuda" if gpus > 0 else "cpu"


def train_one_epoch(trainer: Trainer, epoch: int, last: int) -> dict[str, float] | None:
    """Train epoch 1, 2, …, `last`; its metrics, or None when the trainer has none of this epoch (see `report_every`).

    Raises: TrainingError: figures were due, and something else came.
    """
    figures = trainer.train_epoch()
    if figures is None and epoch % getattr(trainer, "report_every", 1) and epoch < last:
        return None
    return checked_numbers("train_epoch()", figures)


def checked_numbers(what: str, metrics: Any) -> dict[str, float]:
    """What a trainer returned, as names and floats.

    Raises: TrainingError: it is something else, or has one name twice.
    """
    try:
        checked = {str(name): float(value) for name, value in metrics.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise TrainingError(f"{what} must return a mapping of names to numbers, not {metrics!r}: {error}") from error
    if len(checked) < len(metrics):
        names = [str(name) for name in metrics]
        twice = next(name for name in names if names.count(name) > 1)
        raise TrainingError(f"{what} gave {twice!r} twice, under keys of different types; give it once, as text")
    return checked


def check_trainer(name: str) -> None:
    """Refuse what is no trainer; from here on this process finds the modules of its working folder.

    Raises: InputError: no such module or class, a method is missing, or the constructor takes something else.
    """
    look_in_working_folder()
    if name in _BUILT_IN:
        return
    found = _import(name)
    missing = [m for m in ("train_epoch", "state_dict", "load_state_dict") if not hasattr(found, m)]
    if not isinstance(found, type) or missing:
        lacks = f"has no {missing[0]}()" if missing else "is no class"
        raise InputError(
            f"trainer: {name!r} {lacks}; a trainer is a class with train_epoch, state_dict and load_state_dict"
        )
    signature = inspect.signature(found)
    try:
        signature.bind({}, None, "cpu")
    except TypeError as error:
        raise InputError(
            f"trainer: {name!r} is made with {found.__name__}{signature}; "
            "its __init__ must take (self, configuration, data, device)"
        ) from error


def own_module(name: str) -> OwnModule | None:
    """What workers need to import the trainer; None for ours and for installed ones, which are there already.

    Raises: InputError: it cannot travel.
    """
    return None if name in _BUILT_IN else pack(name.partition(":")[0])


def check_configuration(name: str, configuration: Configuration) -> None:
    """Refuse a configuration that the trainer could not use.

    Raises: SettingError: which key, what was found and what is allowed. InputError: no such trainer.
    """
    built_in = _BUILT_IN.get(name)
    check = _import(built_in.check_configuration) if built_in else getattr(_import(name), "check_configuration", None)
    if check is None:
        return
    try:
        check(configuration)
    except InputError:
        raise
    except Exception as error:  # a bug in one's own check
        raise InputError(
            f"trainer: check_configuration of {name!r} broke: {type(error).__name__}: {error}; to refuse a value it "
            "raises tuner.errors.SettingError(key, message)"
        ) from error


def data_settings(name: str) -> frozenset[str]:
    """Settings that name the data all trials share, so no trial can have its own value."""
    built_in = _BUILT_IN.get(name)
    found: frozenset[str] = _import(built_in.data_settings) if built_in else frozenset()
    return found


def metrics_of(name: str) -> tuple[str, ...] | None:
    """What a trainer of ours gives for each epoch; None for one that cannot be asked before it runs."""
    built_in = _BUILT_IN.get(name)
    found: tuple[str, ...] | None = _import(built_in.metrics) if built_in else None
    return found


def load_data(name: str, configuration: Configuration) -> Any:
    """The data every trial of a study shares, loaded once; None for a trainer that brings its own.

    Raises: InputError: the data are not where the configuration says. TrainingError: one's own load_data raised; its
        traceback has been printed.
    """
    look_in_working_folder()
    built_in = _BUILT_IN.get(name)
    if built_in:
        return _import(built_in.load_data)(configuration)
    load = getattr(_import(name), "load_data", None)
    try:
        return None if load is None else load(configuration)
    except TunerError:
        raise
    except Exception as error:  # a bug in one's own code: its traceback is what helps
        traceback.print_exc()
        raise TrainingError(f"load_data of {name!r} failed, see the traceback above") from error


def _import(path: str) -> Any:
    return import_object("trainer", path, _BUILT_IN)
