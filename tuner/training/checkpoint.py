"""A trainer's state as bytes, and back: what it says of itself, the epoch, and the state of the usual random generators.

Loading runs no code that a file brings along: tensors through torch's `weights_only`, everything else through an unpickler
that knows plain values and numpy arrays alone. A trainer without torch need not import it.
"""

import io
import pickle
import random
import sys
from typing import Any

import numpy as np

from tuner.errors import CheckpointError, TrainingError
from tuner.training.trainer import Trainer

_TORCH_FILE = b"PK"  # torch writes zip archives
_NUMPY_ROOTS = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.dtypes", "numpy._core.numeric")
_NUMPY_NAMES = ("_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer")


def pack(trainer: Trainer, epoch: int) -> bytes:
    """All that is needed to go on after `epoch`."""
    state = {"epoch": epoch, "trainer": trainer.state_dict(), "random": _random_state()}
    return _torch_bytes(state) if "torch" in sys.modules else pickle.dumps(state, protocol=5)


def check_readable(content: bytes) -> None:
    """Refuse a state that could be written and never read.

    Raises: TrainingError: which object it holds, and what it may hold.
    """
    try:
        _read(content)
    except CheckpointError as error:
        raise TrainingError(
            f"state_dict() must hold tensors, numpy arrays, numbers, strings, lists and dicts alone, so that reading it "
            f"runs no code: {error}; turn others into bytes yourself"
        ) from error


def unpack(content: bytes, trainer: Trainer) -> int:
    """Give a trainer the state that was packed; returns the epoch after which it was taken.

    Raises: CheckpointError: it is no checkpoint. Whatever the trainer's load_state_dict raises.
    """
    state = _read(content)
    trainer.load_state_dict(state["trainer"])
    _set_random_state(state["random"])
    return int(state["epoch"])


def _random_state() -> dict[str, Any]:
    """Of the generators that a trainer may use without saying so."""
    name, keys, position, has_gauss, gauss = np.random.get_state()
    state: dict[str, Any] = {
        "python": list(random.getstate()[1]),
        "python_gauss": random.getstate()[2],
        "numpy": [str(name), [int(key) for key in keys], int(position), int(has_gauss), float(gauss)],
    }
    if "torch" in sys.modules:
        import torch

        state["torch"] = torch.get_rng_state()
        if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            state["cuda"] = torch.cuda.get_rng_state()
    return state


def _set_random_state(state: dict[str, Any]) -> None:
    random.setstate((3, tuple(state["python"]), state["python_gauss"]))
    name, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), position, has_gauss, gauss))
    if "torch" in state:
        import torch

        torch.set_rng_state(state["torch"])
        if "cuda" in state and torch.cuda.is_available():
            torch.cuda.set_rng_state(state["cuda"])


def _torch_bytes(state: dict[str, Any]) -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def _read(content: bytes) -> Any:
    try:
        return _read_torch(content) if content.startswith(_TORCH_FILE) else _Plain(io.BytesIO(content)).load()
    except (pickle.UnpicklingError, EOFError, RuntimeError, ValueError, AttributeError, ImportError) as error:
        raise CheckpointError(str(error).strip().splitlines()[0] if str(error) else type(error).__name__) from error


def _read_torch(content: bytes) -> Any:
    import torch

    with torch.serialization.safe_globals(
        _numpy_globals()
    ):  # on the CPU: a GPU may be full, or not be there; loading moves it
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _numpy_globals() -> list[Any]:
    kinds = [type(np.dtype(kind)) for kind in ("?bhilqBHILQefd")]
    makers = [
        np.zeros(1).__reduce__()[0],
        np.float64(0).__reduce__()[0],
    ]  # of arrays and scalars, wherever numpy has them
    return [*makers, np.ndarray, np.dtype, *kinds]


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module in _NUMPY_ROOTS and (name in _NUMPY_NAMES or name.endswith("DType")):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not among them")
