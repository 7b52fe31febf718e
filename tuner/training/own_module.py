"""One's own trainer on its way to the workers: its top-level module travels, never the folder it lies in.

The driver packs the module (one file, or a package's whole folder) into plain bytes; a worker unpacks them into a temporary
folder that goes first on its path, and takes the driver's folders off it, so that a launch on one machine finds what a
launch on many would find. See docs/decisions/0007-own-trainers-travel.md.
"""

import ast
import atexit
import hashlib
import importlib
import importlib.util
import os
import shutil
import site
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from tuner.errors import InputError

MOST_BYTES = 10_000_000  # of one module; more than that is data, and data have a way of their own


@dataclass(frozen=True, slots=True)
class OwnModule:
    """A module as it lies on the driver's machine.

    Attributes:
        name: of the top-level module or package.
        files: path relative to the folder the module lies in -> content.
        left_behind: the driver's folders, absolute, whose modules a worker must not find by chance.
    """

    name: str
    files: Mapping[str, bytes]
    left_behind: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Of all its files and their names: another one as soon as anything in them is."""
        digest = hashlib.sha256()
        for path, content in sorted(self.files.items()):
            digest.update(f"{path}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()

    def install(self, within: str | None = None) -> None:
        """Make the module importable in this process, and the folders left behind not importable.

        Args:
            within: a folder that is removed after the launch, used where it exists; the folder made here is removed when
                the process ends, but a worker may be killed.
        """
        folder = tempfile.mkdtemp(prefix="module-", dir=within if within and os.path.isdir(within) else None)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        for path, content in self.files.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        sys.path[:] = [folder, *_without(sys.path, self.left_behind)]
        importlib.invalidate_caches()


def pack(module_name: str) -> OwnModule | None:
    """The top-level module of `module_name`, or None when it is installed and so brings itself to every node.

    Args:
        module_name: dotted, importable here.
    Raises: InputError: it is the script itself, too large, or imports another module of its folder.
    """
    name = module_name.partition(".")[0]
    if name == "__main__":
        raise InputError(
            "trainer: '__main__' is the script itself, which workers cannot import; write the class into a module"
        )
    place = _place(name)
    if place is None or not _is_own(place.parent):
        return None
    files = _read(place)
    left_behind = tuple(sorted(str(folder) for folder in {place.parent, *_driver_folders()} - _kept_folders()))
    _refuse_siblings(name, files, left_behind)
    return OwnModule(name, files, left_behind)


def _place(name: str) -> Path | None:
    """The file of a module or the folder of a package; None for what is part of Python itself."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).resolve()
    return Path(spec.origin).resolve() if spec.has_location and spec.origin else None


def _driver_folders() -> set[Path]:
    """What Ray puts on the path of a worker that happens to see the driver's disk: the working folder, the script's."""
    return {Path.cwd().resolve(), Path(sys.argv[0]).resolve().parent}


def _kept_folders() -> set[Path]:
    """Folders that an editable installation put on the path, and the one that this product is run from."""
    kept = {Path(__file__).resolve().parents[2]}
    for folder in (*site.getsitepackages(), site.getusersitepackages()):
        for file in Path(folder).glob("*.pth"):
            lines = file.read_text(errors="replace").splitlines()
            kept |= {Path(folder, line).resolve() for line in lines if line and not line.startswith(("#", "import "))}
    return kept


def _is_own(folder: Path) -> bool:
    """Whether modules of this folder are one's own: not installed, and of the folders that a launch is started in."""
    if {"site-packages", "dist-packages"} & set(folder.parts):
        return False
    return any(folder.is_relative_to(started_in) for started_in in _driver_folders())


def _read(place: Path) -> dict[str, bytes]:
    paths = sorted(_files_below(place)) if place.is_dir() else [place]
    sizes = {path: path.stat().st_size for path in paths}
    total = sum(sizes.values())
    if total > MOST_BYTES:
        largest = max(paths, key=lambda path: sizes[path])
        raise InputError(
            f"trainer: {place.name} holds {total / 1e6:.0f} MB in {len(paths)} files (the largest: "
            f"{largest.relative_to(place.parent)}); at most {MOST_BYTES / 1e6:.0f} MB travel to the workers; move data out of it "
            "and read them in load_data()"
        )
    return {path.relative_to(place.parent).as_posix(): path.read_bytes() for path in paths}


def _files_below(folder: Path) -> Iterator[Path]:
    for inner, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__" and not name.startswith(".")]
        yield from (Path(inner, name) for name in names if not name.startswith("."))


def _refuse_siblings(name: str, files: Mapping[str, bytes], left_behind: tuple[str, ...]) -> None:
    """A module that lies beside the trainer's would be found here and missing on every worker."""
    elsewhere = _without(sys.path, left_behind)
    for path, content in files.items():
        for imported in sorted(_imports_of(path, content) - {name}):
            if PathFinder.find_spec(imported, list(left_behind)) and not _is_importable(imported, elsewhere):
                raise InputError(
                    f"trainer: {path} imports {imported!r} of the working folder, but only {name!r} itself travels to the "
                    f"workers; put both into one package folder and write trainer: package.module:Class"
                )


def _imports_of(path: str, content: bytes) -> set[str]:
    try:
        return _imported(ast.parse(content)) if path.endswith(".py") else set()
    except (SyntaxError, ValueError):
        return set()  # the trainer has been imported: this file was not


def _imported(tree: ast.AST) -> set[str]:
    """Top-level names of all absolute imports, those inside of functions too; not those for type checkers alone."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            found |= set().union(*map(_imported, node.orelse))
        else:
            found |= _imported(node)
    return found


def _is_importable(name: str, path: list[str]) -> bool:
    """Whether any of Python's finders has it without the folders left behind; those of editable installations too."""
    return any(finder.find_spec(name, path) for finder in sys.meta_path)


def _without(path: Iterable[str], folders: Iterable[str]) -> list[str]:
    unwanted = set(folders)
    return [entry for entry in path if str(Path(entry).resolve()) not in unwanted]  # "" is the working folder
