"""`package.module:Name` from a search space as the object it names; one's own module lies in the working folder."""

import importlib
import sys
from collections.abc import Iterable
from typing import Any

from tuner.errors import InputError


def import_object(key: str, path: str, names: Iterable[str]) -> Any:
    """Import what `path` names.

    Args:
        key: the key of the search space that holds the path, for errors.
        path: `package.module:Name`.
        names: what might have been written instead, for errors.
    Raises: InputError: not such a path, no such module or name, or a module that fails when it is imported.
    """
    module_name, _, attribute = path.partition(":")
    if not module_name or not attribute:
        raise InputError(f"{key}: {path!r} is no {key}; use {', '.join(names)} or package.module:Class")
    if "" not in sys.path:
        sys.path.insert(0, "")
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
        raise InputError(f"{key}: module {module_name!r} has no {attribute!r}") from error
