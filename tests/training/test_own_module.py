"""What of one's own trainer travels, what is refused, and what a process finds after it has been unpacked."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuner.errors import InputError
from tuner.training.own_module import MOST_BYTES, OwnModule, pack
from tuner.training.trainer import check_trainer


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder whose modules can be imported for the length of a test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def packed(name: str) -> OwnModule:
    found = pack(name)
    assert found is not None
    return found


def test_of_a_single_file_only_that_file_travels(folder: Path) -> None:
    write(folder, {"mine.py": "import math", "notes.txt": "", "other.py": ""})
    assert packed("mine").files == {"mine.py": b"import math"}


def test_of_a_package_its_whole_folder_travels_without_what_python_and_tools_leave_there(folder: Path) -> None:
    write(folder, {
        "pkg/__init__.py": "", "pkg/deep/net.py": "x = 1", "pkg/words.json": "[]", "other.py": "",
        "pkg/__pycache__/net.pyc": "", "pkg/.git/HEAD": "", "pkg/.DS_Store": "",
    })  # fmt: skip
    assert set(packed("pkg.deep.net").files) == {"pkg/__init__.py", "pkg/deep/net.py", "pkg/words.json"}


def test_a_modules_sha256_is_that_of_its_files_and_their_names(folder: Path) -> None:
    write(folder, {"mine.py": "a = 1", "pkg/__init__.py": "", "pkg/a.py": "x", "pkg/b.py": ""})
    file, package = packed("mine").sha256, packed("pkg").sha256
    write(folder, {"other.py": "", "pkg/__pycache__/a.pyc": ""})
    assert (packed("mine").sha256, packed("pkg").sha256) == (file, package)
    write(folder, {"mine.py": "a = 2", "pkg/a.py": "", "pkg/b.py": "x"})
    assert packed("mine").sha256 != file
    assert packed("pkg").sha256 != package


@pytest.mark.parametrize("name", ["json", "sys", "numpy.linalg", "tuner.training.vgg_trainer"])
def test_what_is_installed_does_not_travel(folder: Path, name: str) -> None:
    assert pack(name) is None


def test_a_module_of_a_virtual_environment_in_the_working_folder_does_not_travel(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = folder / ".venv" / "lib" / "site-packages"
    write(packages, {"bought.py": ""})
    monkeypatch.syspath_prepend(packages)
    assert pack("bought") is None


def test_a_module_in_a_folder_below_the_working_folder_travels_as_it_is_imported(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, {"src/mine.py": ""})
    monkeypatch.syspath_prepend(folder / "src")
    assert set(packed("mine").files) == {"mine.py"}


def test_too_many_bytes_are_refused_with_the_largest_file(folder: Path) -> None:
    write(folder, {"pkg/__init__.py": ""})
    (folder / "pkg" / "images.npy").write_bytes(bytes(MOST_BYTES + 1))
    with pytest.raises(InputError, match=r"pkg holds 10 MB in 2 files \(the largest: pkg/images.npy\); at most 10 MB"):
        pack("pkg")


def test_the_script_itself_is_refused() -> None:
    with pytest.raises(InputError, match="'__main__' is the script itself"):
        pack("__main__")


@pytest.mark.parametrize(
    "text",
    [
        "import helper",
        "from helper.deep import x",
        "def f():\n    import helper",
        "try:\n    import helper\nexcept: pass",
    ],
)
def test_a_module_that_lies_beside_is_refused_before_workers_miss_it(folder: Path, text: str) -> None:
    write(folder, {"mine.py": text, "helper/deep.py": "x = 1"})
    with pytest.raises(
        InputError, match=r"mine.py imports 'helper' of the working folder, but only 'mine' itself travels"
    ):
        pack("mine")


@pytest.mark.parametrize(
    "text",
    [
        "import os, numpy.linalg, pkg.inner",
        "from . import inner",
        "import not_there_at_all",
        "this is no Python",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import helper",
    ],
)
def test_imports_of_python_of_packages_and_of_itself_are_fine(folder: Path, text: str) -> None:
    write(folder, {"pkg/__init__.py": text, "pkg/inner.py": "", "helper.py": ""})
    assert packed("pkg").name == "pkg"


def test_an_unpacked_package_is_found_by_its_own_imports_and_the_folder_it_came_from_is_not(folder: Path) -> None:
    """In a process that starts with the driver's folder on its path, as Ray's workers on the driver's machine do."""
    write(folder, {
        "pkg/__init__.py": "from .inner import value", "pkg/inner.py": "import pkg.words\nvalue = pkg.words.__name__",
        "pkg/words.py": "", "sibling.py": "",
    })  # fmt: skip
    script = """
import importlib.util, json, sys
from tuner.training.own_module import pack
sys.path[:0] = ["", sys.argv[1]]
pack("pkg").install()
import pkg, tuner
print(json.dumps([pkg.value, pkg.__file__, importlib.util.find_spec("sibling") is not None]))
"""
    ended = subprocess.run(
        [sys.executable, "-c", script, str(folder)], cwd=folder, capture_output=True, text=True, check=True
    )
    value, file, finds_sibling = json.loads(ended.stdout)
    assert value == "pkg.words"
    assert not Path(file).is_relative_to(folder)
    assert not Path(file).exists()  # removed with the process
    assert not finds_sibling


@pytest.mark.parametrize("parameters", ["self", "self, configuration", "self, configuration, data, device, more", "self, *, configuration, data, device"])  # fmt: skip
def test_a_constructor_that_takes_something_else_is_refused(folder: Path, parameters: str) -> None:
    methods = "".join(f"    def {m}(self): pass\n" for m in ("train_epoch", "state_dict", "load_state_dict"))
    write(folder, {"wrong.py": f"class T:\n    def __init__({parameters}): pass\n{methods}"})
    with pytest.raises(
        InputError, match=r"'wrong:T' is made with T\(.*its __init__ must take \(self, configuration, data"
    ):
        check_trainer("wrong:T")
