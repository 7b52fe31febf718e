"""The search spaces that ship with the product, found by name: `tuner launch quickstart`."""

from pathlib import Path

from tuner.errors import InputError
from tuner.plain_words import did_you_mean, listed

_FOLDER = Path(__file__).resolve().parent.parent / "search_spaces"  # beside the package, in a checkout and installed


def shipped_names() -> list[str]:
    """Names of all search spaces that ship, in order; `/` parts a folder from a file."""
    return sorted(file.relative_to(_FOLDER).with_suffix("").as_posix() for file in _FOLDER.rglob("*.yaml"))


def find_search_space(path: Path) -> Path:
    """The file that is meant: the one of that path, else the one that ships under that name.

    Raises: InputError: neither is there; it names what ships, and the nearest.
    """
    try:
        is_folder = path.is_dir()
        if path.exists() and not is_folder:
            return path
    except OSError:  # a name too long, a folder that may not be entered: reading it says so
        return path
    names = shipped_names()
    if path.as_posix() in names:
        return _FOLDER / f"{path.as_posix()}.yaml"
    near = did_you_mean(path.stem, names)
    what = "is a folder" if is_folder else "no such file"
    raise InputError(
        f"{path}: {what}{near}{' Give' if near else '; give'} the path of a search space (a YAML file) or the name "
        f"of one that ships: {listed(names)}"
    )
