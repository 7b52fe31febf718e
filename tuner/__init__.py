"""Hyperparameter optimization that loses nothing. `tuner.launch(...)` and `tuner.open_study(...)` are the way in from Python."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tuner.api import launch as launch
    from tuner.api import open_study as open_study


def __getattr__(name: str) -> Any:
    """Import what stands behind `launch` and `open_study` only when it is used."""
    if name in ("launch", "open_study"):
        from tuner import api

        return getattr(api, name)
    raise AttributeError(f"module 'tuner' has no attribute {name!r}")
