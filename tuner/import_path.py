"""`package.module:Name` from a search space as the object it names."""

import importlib
import sys
from collections.abc import Collection
from typing import Any

from tuner.errors import InputError
from tuner.plain_words import did_you_mean, did_you_mean_or_use, shown


def look_in_working_folder() -> None:
    """From here on this process finds the modules of its working folder."""
    if "" not in sys.path:
        sys.path.insert(0, "")


def import_object(key: str, path: str, names: Collection[str]) -> Any:
    """Import what `path` names, from where Python looks.

    Args:
        key: the key of the search space that holds the path, for errors.
        path: `package.module:Name`.
        names: what might have been written instead, for errors.
    Raises: InputError: not such a path, no such module or name, or a module that fails when it is imported.
    """
    module_name, _, attribute = path.partition(":")
    if not module_name or not attribute:
        raise InputError(
            f"{key}: {shown(path)} is no {key}{did_you_mean_or_use(path, names)} "
            f"{', '.join(names)} or package.module:Class"
        )
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{key}: module {error.name!r} (for {path!r}) is not found; looked in the working folder "
            "and among the installed packages"
        ) from error
    except (Exception, SystemExit) as error:  # whatever one's own module does when it is imported
        raise InputError(
            f"{key}: module {module_name!r} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        near = did_you_mean(attribute, (name for name in dir(module) if not name.startswith("_")))
        raise InputError(f"{key}: module {module_name!r} has no {attribute!r}{near}") from error
