"""What a trial's figures depend on beside its configuration: packages, processor, the trainer's own code. Every launch notes
them, so that a later run of one of its trials can say what is another one by then."""

import importlib.metadata
import platform
from collections.abc import Mapping
from pathlib import Path

from tuner.training.trainer import own_module

_PACKAGES = ("tuner", "ray", "optuna", "torch", "torchvision", "sqlalchemy", "numpy", "scikit-learn")
_CODE = "trainer "  # before the name of one's own module


def versions_of(trainer: str) -> dict[str, str]:
    """Name -> version, here and now; the SHA-256 of one's own module stands for its version.

    Args:
        trainer: its name, as in a search space.
    Raises: InputError: one's own module cannot travel.
    """
    found = {"python": platform.python_version(), "processor": _processor()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    module = own_module(trainer)
    return found if module is None else {**found, _CODE + module.name: module.sha256}


def version_differences(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What is another version now, one phrase each; a package that was not noted then is not compared."""
    code = {name for name in (*then, *now) if name.startswith(_CODE)}
    packages = sorted(name for name in set(then) - code if then[name] != now.get(name))
    return [
        *(f"{name} {then[name]} then, {now.get(name, 'none')} now" for name in packages),
        *(_of_code(name, then, now) for name in sorted(code) if then.get(name) != now.get(name)),
    ]


def _of_code(name: str, then: Mapping[str, str], now: Mapping[str, str]) -> str:
    module = name.removeprefix(_CODE)
    if name not in then:
        return f"the code of {module} was not noted then"
    return f"the code of {module} {'has changed since' if name in now else 'is not in the working folder now'}"


def _processor() -> str:
    """Its model: floating-point sums come out alike on one kind only."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()
