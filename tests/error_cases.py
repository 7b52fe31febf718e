"""What users do wrong, one case each; what they then see is in docs/errors.md, made by `python -m tests.error_catalogue`.

A new error needs a case here (tests/test_errors.py says so): its group, what the user did, the command line; and a
changed line of the file below, other files, or something prepared, where the command line alone does not show it.
"""

import math
import os
import socket
import sqlite3
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import optuna
import sqlalchemy as sa
from PIL import Image

from storage import launches
from storage.engine import VERSION_TABLE, open_for_launch
from storage.store import create_study
from tuner.execution.simulated import SimulatedExecutor
from tuner.launching import launch
from tuner.search_space import check_search_space
from tuner.yaml_source import parse_yaml

SPACE = """\
study: digits
metric: {name: validation_accuracy, goal: maximize}
trainer: vgg
settings: {dataset: digits, epochs: 9, depth: 8}
space:
  bn_position: [none, before_relu]
  weight_decay: {low: 1.0e-5, high: 1.0e-2, scale: log}
budget: {trials: 3}
"""
ONE = "--set space.bn_position=none --set space.weight_decay=0"


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A mistake and how it is made.

    Args:
        group: heading under which it stands.
        did: what the user did, as a sentence.
        arguments: the words after `tuner`, as typed into a shell.
        change: (old, new) text in the search space file above.
        files: other files, name -> text, or bytes.
        prepare: makes what cannot be written as text; what it returns is closed after the case.
        exit_code: of the command.
        traceback: a traceback of the user's own code is shown before the error.
    """

    group: str
    did: str
    arguments: str
    change: tuple[str, str] | None = None
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    prepare: Callable[[Path], Any] | None = None
    exit_code: int = 2
    traceback: bool = False


_EPOCH = "    def train_epoch(self): return {'validation_accuracy': 0.5}\n"


def _own_trainer(train_epoch: str = _EPOCH, more: str = "") -> dict[str, str]:
    begin = """\
class Mine:
    def __init__(self, configuration, data, device): ...
    def state_dict(self): return {}
    def load_state_dict(self, state): ...
"""
    return {"mine.py": begin + train_epoch + more}


def _images(
    *sizes: int, empty_class: bool = False, validation: Mapping[str, int] | None = None
) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        for number, size in enumerate(sizes):
            _draw(folder / "images" / "train" / "bear" / f"{number}.png", size)
        for name, size in (validation or {}).items():
            _draw(folder / "images" / "validation" / name / "0.png", size)
        if empty_class:
            (folder / "images" / "train" / "wolf").mkdir()

    return prepare


def _draw(file: Path, size: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((size, size, 3), np.uint8)).save(file)


def _launched(folder: Path, tenth: float = 0.1) -> None:
    """The study of the file, run to its end into tuner.db."""
    space = check_search_space(parse_yaml(SPACE, "space.yaml"))
    executor = SimulatedExecutor(lambda configuration, epoch: {"validation_accuracy": epoch * tenth})
    launch(space, _url(folder), say=lambda line: None, make_executor=lambda space, data, *_: executor)


def _launched_with_a_repeat(folder: Path) -> None:
    _launched(folder)
    _execute(folder, "UPDATE tuner_trial SET repeat_of = 0 WHERE trial_id = 2")


def _launched_to_nothing(folder: Path) -> None:
    _launched(folder, math.nan)


def _launched_without_an_epoch(folder: Path) -> None:
    _launched(folder)
    _execute(folder, "DELETE FROM tuner_epoch_metric")


def _launched_beside_a_closed_folder(folder: Path) -> "_Patched":
    _launched(folder)
    (folder / "models").mkdir()
    return _Patched("os.access", lambda path, mode, **how: Path(path).name != "models")


def _launched_on_other_data(folder: Path) -> None:
    _launched(folder)
    _execute(folder, "UPDATE tuner_space SET data_fingerprint = 'other'")


def _launched_twice(folder: Path) -> None:
    _launched(folder)
    space = check_search_space(parse_yaml(SPACE.replace("study: digits", "study: mnist"), "space.yaml"))
    executor = SimulatedExecutor(lambda configuration, epoch: {"validation_accuracy": epoch * 0.1})
    launch(space, _url(folder), say=lambda line: None, make_executor=lambda space, data, *_: executor)


def _launched_where(name: str, instead: Any) -> Callable[[Path], "_Patched"]:
    """The study, in a world where a name means something else."""

    def prepare(folder: Path) -> _Patched:
        _launched(folder)
        return _Patched(name, instead)

    return prepare


def _launched_and_being_run(folder: Path) -> None:
    _launched(folder)
    database = open_for_launch(_url(folder))
    with create_study(database, "digits", "maximize").transaction() as transaction:
        me = launches.ProcessIdentity.of_this_process()
        launches.begin_launch(transaction.connection, transaction.study_id, me, {}, [])
    database.engine.dispose()


def _of_another_program_beside_ours(folder: Path) -> None:
    open_for_launch(_url(folder)).engine.dispose()
    _of_another_program(folder)


def _of_another_program(folder: Path) -> None:
    study = optuna.create_study(study_name="digits", storage=_url(folder), direction="maximize")
    study.add_trial(optuna.trial.create_trial(value=1.0))


def _of_a_newer_version(folder: Path) -> None:
    open_for_launch(_url(folder)).engine.dispose()
    _execute(folder, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")


def _of_an_older_version(folder: Path) -> None:
    frozen = Path(__file__).parent / "storage" / "frozen" / "schema_0001.sql"
    with sqlite3.connect(folder / "tuner.db") as connection:
        connection.executescript(frozen.read_text())
    connection.close()


def _locked(folder: Path) -> sqlite3.Connection:
    _launched(folder)
    holder = sqlite3.connect(folder / "tuner.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    return holder


class _Patched:
    """For as long as it is open, a name means something else."""

    def __init__(self, name: str, instead: Any) -> None:
        self._patch = mock.patch(name, instead)
        self._patch.start()

    def close(self) -> None:
        self._patch.stop()


class _Missing:
    """For as long as it is open, a module is not installed."""

    def __init__(self, module: str) -> None:
        self._patch = mock.patch.dict(sys.modules, {module: None})
        self._patch.start()

    def close(self) -> None:
        self._patch.stop()


def _launched_without_dash(folder: Path) -> _Missing:
    _launched(folder)
    return _Missing("dash")


def _launched_beside_another_server(folder: Path) -> socket.socket:
    _launched(folder)
    return socket.create_server(("127.0.0.1", 8049))


def _rights(writable: bool) -> _Patched:
    """Every folder says that it may, or may not, be written."""
    return _Patched("os.access", lambda path, mode, **how: writable or mode != os.W_OK)


def _execute(folder: Path, statement: str) -> None:
    engine = sa.create_engine(_url(folder))
    with engine.begin() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


def _url(folder: Path) -> str:
    return f"sqlite:///{folder}/tuner.db"


def _set(group: str, did: str, assignment: str, command: str = "validate") -> Case:
    return Case(group, did, f"{command} space.yaml --set '{assignment}'")


FILE, VALUES, RANGES, SEARCH, SETTINGS, TRAINER, DATA, DATABASE, MACHINE, COMMANDS = (
    "The search space file",
    "Its keys and values",
    "Ranges, choices and conditions",
    "Samplers, early stopping, first configurations",
    "Settings of the trainer",
    "A trainer of your own",
    "Data",
    "The database",
    "The machine",
    "Commands and options",
)

CASES = (
    Case(FILE, "There is no such file", "launch spaec.yaml"),
    Case(FILE, "It is a folder", "validate .", files={"x.txt": ""}),
    Case(FILE, "Its name is longer than a file's may be", "validate " + "x" * 300),
    Case(FILE, "It is empty", "validate empty.yaml", files={"empty.yaml": ""}),
    Case(FILE, "It is not text", "validate photo.png", files={"photo.png": b"\x89PNG\r\n"}),
    Case(FILE, "It is far too long", "validate log.txt", files={"log.txt": "x" * 1_000_001}),
    Case(FILE, "It is a list", "validate list.yaml", files={"list.yaml": "- study: digits\n"}),
    Case(FILE, "A bracket is not closed", "validate space.yaml", ("[none, before_relu]", "[none, before_relu")),
    Case(FILE, "A control character", "validate space.yaml", ("study: digits", "study: dig\x07its")),
    Case(FILE, "A key is written twice", "validate space.yaml", ("trainer: vgg", "trainer: vgg\ntrainer: mine:Mine")),
    Case(FILE, "A list stands where a key belongs", "validate space.yaml", ("budget:", "? [a, b]\n: 1\nbudget:")),
    Case(FILE, "An alias repeats itself for ever", "validate space.yaml", ("depth: 8", "depth: &a [*a]")),
    Case(FILE, "Aliases that multiply", "validate space.yaml",
         ("depth: 8", "a: &a [" + "x, " * 99 + "x], b: &b [" + "*a, " * 99 + "*a], c: [*b, *b]")),
    Case(FILE, "Lists inside lists inside lists", "validate space.yaml", ("depth: 8", "depth: " + "[" * 40 + "]" * 40)),
    Case(FILE, "A tag of YAML that nothing needs", "validate space.yaml", ("epochs: 9", "epochs: !!timestamp 2026-01-01")),
    Case(FILE, "A tag that its value does not fit: whole number", "validate space.yaml", ("epochs: 9", "epochs: !!int nine")),
    Case(FILE, "A tag that its value does not fit: number", "validate space.yaml", ("epochs: 9", "epochs: !!float nine")),
    Case(FILE, "A tag that its value does not fit: true or false", "validate space.yaml", ("epochs: 9", "epochs: !!bool nine")),
    Case(FILE, "A number of five thousand digits", "validate space.yaml", ("epochs: 9", "epochs: " + "9" * 5000)),
    Case(VALUES, "A key is misspelt", "validate space.yaml", ("budget:", "bugdet:")),
    Case(VALUES, "A key is missing", "validate space.yaml", ("trainer: vgg\n", "")),
    Case(VALUES, "A key below another is misspelt", "validate space.yaml", ("goal: maximize", "gaol: maximize")),
    Case(VALUES, "A word is misspelt", "validate space.yaml", ("goal: maximize", "goal: maximise")),
    Case(VALUES, "A key is a number", "validate space.yaml", ("depth: 8", "8: depth")),
    Case(VALUES, "A character that no database keeps", "validate space.yaml", ("dataset: digits", r'dataset: "dig\0its"')),
    Case(VALUES, "A number beyond 64 bits", "validate space.yaml", ("depth: 8", "depth: 8, seed: 99999999999999999999")),
    Case(VALUES, "A number that is none", "validate space.yaml", ("depth: 8", "depth: 8, learning_rate: .nan")),
    _set(VALUES, "A whole number where a name belongs", "study=007"),
    _set(VALUES, "A name that ends with a blank", 'study="digits "'),
    Case(VALUES, "A name with a line end", "validate space.yaml", ("study: digits", r'study: "digits\nagain"')),
    _set(VALUES, "A name that is far too long", "study=" + "d" * 300),
    _set(VALUES, "An empty name", 'study=""'),
    _set(VALUES, "A mapping where a name belongs", "study={name: digits}"),
    _set(VALUES, "A sampler that is not there", "sampler=tpee"),
    _set(VALUES, "An early stopping rule that is not there", "early_stopping.name=hyperband"),
    _set(VALUES, "Neither a number nor auto", "concurrency=atuo"),
    _set(VALUES, "A number too small", "concurrency=0"),
    _set(VALUES, "A number too large", "budget.trials=1000000000000"),
    _set(VALUES, "Half a trial", "budget.trials=2.5"),
    _set(VALUES, "No limit at all", "budget={}"),
    _set(VALUES, "An endless budget", "budget.hours=.inf"),
    _set(VALUES, "No epochs", "settings={dataset: digits}"),
    _set(VALUES, "Too many epochs", "settings.epochs=10000000"),
    _set(VALUES, "A rung above the last epoch", "early_stopping.min_epochs=10"),
    _set(VALUES, "More brackets than rungs", "early_stopping.brackets=9"),
    _set(VALUES, "A parameter is under settings too", "settings.bn_position=none"),
    _set(VALUES, "A parameter's name begins with a blank", "space. weight_decay=0.1"),
    _set(VALUES, "Values still open for a single training", "space.bn_position=none", "train"),
    _set(RANGES, "The ends are the wrong way round", "space.weight_decay={low: 1.0, high: 0.1}"),
    _set(RANGES, "An end is missing", "space.weight_decay={low: 0.1}"),
    _set(RANGES, "A key of a range is misspelt", "space.weight_decay={low: 0.1, hihg: 1.0}"),
    _set(RANGES, "An end is no number", "space.weight_decay={low: small, high: 1.0}"),
    _set(RANGES, "A scale that is not there", "space.weight_decay={low: 0.1, high: 1.0, scale: logg}"),
    _set(RANGES, "A logarithm of zero", "space.weight_decay={low: 0, high: 1.0, scale: log}"),
    _set(RANGES, "A logarithm of next to zero", "space.weight_decay={low: 1e-305, high: 1.0, scale: log}"),
    _set(RANGES, "A range wider than numbers go", "space.weight_decay={low: -1e308, high: 1e308}"),
    _set(RANGES, "Whole numbers that cannot be told apart", "space.batch_size={low: 2, high: 9007199254740993}"),
    _set(RANGES, "A whole range with a broken end", "space.batch_size={low: 2, high: 9.5, type: integer}"),
    _set(RANGES, "A step on a logarithmic scale", "space.weight_decay={low: 0.1, high: 1.0, step: 0.1, scale: log}"),
    _set(RANGES, "A step wider than the range", "space.weight_decay={low: 0.1, high: 1.0, step: 2}"),
    _set(RANGES, "A step that makes too many values", "space.weight_decay={low: 0.1, high: 1.0, step: 1e-17}"),
    _set(RANGES, "A step that does not divide the range", "space.weight_decay={low: 0.0, high: 1.0, step: 0.3}"),
    _set(RANGES, "No choice at all", "space.bn_position=[]"),
    _set(RANGES, "A choice stands there twice", "space.bn_position=[none, none]"),
    _set(RANGES, "A choice that is a list", "space.bn_position=[none, [before_relu]]"),
    _set(RANGES, "An empty condition", "space.dropout={low: 0.0, high: 0.5, when: {}}"),
    _set(RANGES, "A condition without a value", "space.dropout={low: 0.0, high: 0.5, when: {bn_position: []}}"),
    _set(RANGES, "A condition on a misspelt parameter", "space.dropout={low: 0.0, high: 0.5, when: {bn_postion: [before_relu]}}"),
    _set(RANGES, "A condition that never holds", "space.dropout={low: 0.0, high: 0.5, when: {bn_position: [after_relu]}}"),
    _set(RANGES, "Conditions in a circle", "space={a: {choices: [1], when: {b: 1}}, b: {choices: [1], when: {a: 1}}}"),
    _set(SEARCH, "A grid over a logarithmic scale", "sampler=grid"),
    Case(SEARCH, "A grid over a plain range", "validate space.yaml --set sampler=grid --set 'space.weight_decay={low: 0.0, high: 0.1}'"),
    Case(SEARCH, "A grid too large", "validate space.yaml --set sampler=grid --set space.weight_decay=0 "
         "--set 'space.batch_size={low: 2, high: 500000}'"),
    Case(SEARCH, "A sampler whose package is not installed", "validate space.yaml --set sampler=cmaes",
         prepare=lambda folder: _Patched("tuner.sampling.importlib.util.find_spec", lambda name: None)),
    _set(SEARCH, "A sampler of one's own that is not found", "sampler=mine:Mine"),
    Case(SEARCH, "A sampler of one's own that is none", "validate space.yaml --set sampler=mine:Mine",
         files={"mine.py": "class Mine:\n    def __init__(self, seed): ...\n"}),
    Case(SEARCH, "A sampler of one's own that takes no seed", "validate space.yaml --set sampler=mine:Mine",
         files={"mine.py": "from optuna.samplers import BaseSampler\nclass Mine(BaseSampler): ...\n"}),
    _set(SEARCH, "A key of another early-stopping rule", "early_stopping={name: median, brackets: 2}"),
    _set(SEARCH, "A first configuration with a misspelt parameter", "enqueue=[{bn_postion: none}]"),
    _set(SEARCH, "A first configuration outside of the space", "enqueue=[{weight_decay: 0.5}]"),
    Case(SEARCH, "A first configuration against a condition",
         "validate space.yaml --set 'space.dropout={low: 0.0, high: 0.5, when: {bn_position: [before_relu]}}' "
         "--set 'enqueue=[{bn_position: none, dropout: 0.1}]'"),
    _set(SETTINGS, "A setting is misspelt", "settings.flters=8"),
    _set(SETTINGS, "A depth that no VGG has", "settings.depth=37"),
    _set(SETTINGS, "A data set that is not there", "settings.dataset=digit"),
    _set(SETTINGS, "A searched value the trainer does not take", "space.dropout=[0.0, 1.5]"),
    _set(SETTINGS, "A parameter the trainer does not know", "space.momentum=[0.9, 0.99]"),
    _set(SETTINGS, "A search over the data", "space.train_images=[100, 200]"),
    _set(SETTINGS, "A metric that the trainer does not give", "metric.name=validation_acuracy"),
    _set(TRAINER, "A trainer's name is misspelt", "trainer=vgn"),
    _set(TRAINER, "Its module is not found", "trainer=mine:Mine"),
    Case(TRAINER, "Its module has a mistake", "validate space.yaml --set trainer=mine:Mine", files={"mine.py": "class Mine(:\n"}),
    Case(TRAINER, "Its class is misspelt", "validate space.yaml --set trainer=mine:Mien", files=_own_trainer()),
    Case(TRAINER, "Its class is no trainer", "validate space.yaml --set trainer=mine:Mine", files={"mine.py": "class Mine: ...\n"}),
    Case(TRAINER, "It is a function", "validate space.yaml --set trainer=mine:Mine", files={"mine.py": "def Mine(): ...\n"}),
    Case(TRAINER, "Its own check breaks", "validate space.yaml --set trainer=mine:Mine",
         files=_own_trainer(more="    @staticmethod\n    def check_configuration(configuration): return configuration['width']\n")),
    Case(TRAINER, "Its constructor takes something else", "validate space.yaml --set trainer=mine:Mine",
         files={"mine.py": _own_trainer()["mine.py"].replace("configuration, data, device", "configuration")}),
    Case(TRAINER, "It imports another module of the folder", "validate space.yaml --set trainer=mine:Mine",
         files={"mine.py": "import helpers\n" + _own_trainer()["mine.py"], "helpers.py": ""}),
    Case(TRAINER, "Its package holds its data", "validate space.yaml --set trainer=big.model:Mine",
         files={"big/model.py": _own_trainer()["mine.py"], "big/data.bin": b"x" * 11_000_000}),
    Case(TRAINER, "Its load_data raises", "launch space.yaml --set trainer=mine:Mine", exit_code=1, traceback=True,
         files=_own_trainer(more="    @staticmethod\n    def load_data(configuration): return open('images.npy')\n")),
    Case(TRAINER, "It raises while it trains", f"train space.yaml --set trainer=mine:Mine {ONE}",
         files=_own_trainer("    def train_epoch(self): raise ValueError('a bug of mine')\n"), exit_code=1, traceback=True),
    Case(TRAINER, "It returns no metrics", f"train space.yaml --set trainer=mine:Mine {ONE}",
         files=_own_trainer("    def train_epoch(self): return 0.5\n"), exit_code=1),
    Case(TRAINER, "It gives a figure twice", f"train space.yaml --set trainer=mine:Mine {ONE}",
         files=_own_trainer("    def train_epoch(self): return {1: 0.5, '1': 0.6}\n"), exit_code=1),
    Case(TRAINER, "It does not give the study's metric", f"train space.yaml --set trainer=mine:Mine --set metric.name=accuracy {ONE}",
         files=_own_trainer()),
    Case(DATA, "There are no images", "launch space.yaml --set settings.dataset=cifar100"),
    Case(DATA, "There are no images for a single training", f"train space.yaml --set settings.dataset=cifar100 {ONE}"),
    Case(DATA, "A class has no image", "launch space.yaml --set settings.dataset=cifar100 --set settings.data_dir=images",
         prepare=_images(32, empty_class=True)),
    Case(DATA, "An image has another size", "launch space.yaml --set settings.dataset=cifar100 --set settings.data_dir=images",
         prepare=_images(32, 16)),
    Case(DATA, "An image is damaged", "launch space.yaml --set settings.dataset=cifar100 --set settings.data_dir=images",
         files={"images/train/bear/0.png": "no picture"}),
    Case(DATA, "The archive is damaged", "launch space.yaml --set settings.dataset=cifar100 --set settings.data_dir=images",
         files={"images/cifar-100-python.tar.gz": b"half of it"}),
    Case(DATA, "A folder of one's own images that is not named", "launch space.yaml --set settings.dataset=folder"),
    Case(DATA, "A folder without train", "launch space.yaml --set settings.dataset=folder --set settings.data_dir=images"),
    Case(DATA, "Images too small for the network", "launch space.yaml --set settings.dataset=folder --set settings.data_dir=images",
         prepare=_images(6, 6)),
    Case(DATA, "Too few images", "launch space.yaml --set settings.dataset=folder --set settings.data_dir=images",
         prepare=_images(16)),
    Case(DATA, "Validation images of another size", "launch space.yaml --set settings.dataset=folder --set settings.data_dir=images",
         prepare=_images(16, 16, validation={"bear": 20})),
    Case(DATA, "A class is missing", "launch space.yaml --set settings.dataset=folder --set settings.data_dir=images",
         prepare=_images(16, 16, validation={"bear": 16, "wolf": 16})),
    Case(DATA, "Images moved out of sight", "launch space.yaml --set settings.crop_padding=20"),
    Case(DATA, "A path that is too long", "launch space.yaml --set settings.dataset=folder --set settings.data_dir=" + "x" * 300),
    Case(DATA, "A path that is empty", "launch space.yaml --set settings.dataset=folder --set 'settings.data_dir=\"\"'"),
    Case(DATA, "More images are asked for than there are", "launch space.yaml --set settings.train_images=5000"),
    Case(DATABASE, "The file lies on a network file system", "launch space.yaml",
         prepare=lambda folder: _Patched("storage.engine.network_mount", lambda path: ("nfs4", "/home"))),
    Case(DATABASE, "There is none yet", "status"),
    Case(DATABASE, "An empty URL", "launch space.yaml --storage ''"),
    Case(DATABASE, "A file's name instead of a URL", "launch space.yaml --storage tuner.db"),
    Case(DATABASE, "A kind of database that is not supported", "launch space.yaml --storage mysql://me:s3cret@host/db"),
    Case(DATABASE, "A database in memory", "launch space.yaml --storage sqlite://"),
    Case(DATABASE, "Its folder does not exist", "launch space.yaml --storage sqlite:///results/tuner.db"),
    Case(DATABASE, "It is a folder", "launch space.yaml --storage sqlite:///.."),
    Case(DATABASE, "It cannot be written", "launch space.yaml", prepare=lambda folder: _rights(False)),
    Case(DATABASE, "It cannot be made", "launch space.yaml --storage sqlite:////proc/tuner.db", prepare=lambda folder: _rights(True)),
    Case(DATABASE, "Another kind of file", "launch space.yaml --storage sqlite:///notes.txt", files={"notes.txt": "buy milk and bread"}),
    Case(DATABASE, "It is damaged", "status --storage sqlite:///tuner.db", files={"tuner.db": b"SQLite format 3\x00" + b"junk" * 1000}),
    Case(DATABASE, "Nobody answers", "launch space.yaml --storage postgresql://me:s3cret@127.0.0.1:1/studies"),
    Case(DATABASE, "It holds no study of ours", "status", prepare=_of_another_program),
    Case(DATABASE, "A newer version made it", "status", prepare=_of_a_newer_version),
    Case(DATABASE, "An older version made it", "status", prepare=_of_an_older_version),
    Case(DATABASE, "The study is not in it", "best digit", prepare=_launched),
    Case(DATABASE, "The study was begun with other values", "launch space.yaml --set settings.epochs=10", prepare=_launched),
    Case(DATABASE, "The data have changed", "launch space.yaml", prepare=_launched_on_other_data),
    Case(DATABASE, "Another program made a study of this name, in a database without ours", "launch space.yaml",
         prepare=_of_another_program),
    Case(DATABASE, "Another program made a study of this name", "launch space.yaml", prepare=_of_another_program_beside_ours),
    Case(DATABASE, "Another program keeps it locked", "launch space.yaml", prepare=_locked, exit_code=75),
    _set(MACHINE, "More CPUs for a trial than there are", "resources.cpus=64", "launch"),
    _set(MACHINE, "A GPU where there is none", "resources.gpus=1", "launch"),
    Case(MACHINE, "A GPU where there is none, for a single training", f"train space.yaml --set resources.gpus=1 {ONE}"),
    _set(MACHINE, "GPU hours alone where there is no GPU", "budget={gpu_hours: 1}", "launch"),
    Case(COMMANDS, "A command is misspelt", "lanch space.yaml"),
    Case(COMMANDS, "An option is misspelt", "launch space.yaml --trails 3"),
    Case(COMMANDS, "An option without its value", "launch space.yaml --storage"),
    Case(COMMANDS, "No file", "launch"),
    Case(COMMANDS, "A word too many", "status digits mnist"),
    Case(COMMANDS, "A number of trials that is none", "launch space.yaml --trials many"),
    Case(COMMANDS, "A number out of range", "best digits --top 0"),
    Case(COMMANDS, "Watched as JSON", "status digits --watch --json", prepare=_launched),
    Case(COMMANDS, "Watched without a name", "status --watch", prepare=_launched),
    Case(COMMANDS, "Two forms at once", "best digits --json --yaml", prepare=_launched),
    Case(COMMANDS, "A value set for a table", "best digits --set settings.data_dir=images", prepare=_launched),
    Case(COMMANDS, "A winner made another one", "best digits --yaml --set settings.epochs=3", prepare=_launched),
    Case(COMMANDS, "A winner of a study without a figure", "best digits --yaml", prepare=_launched_to_nothing),
    Case(COMMANDS, "Weights over another file", "best digits --weights notes.txt", files={"notes.txt": "mine"}, prepare=_launched),
    Case(COMMANDS, "Weights into a folder that is not there", "best digits --weights models/best.pt", prepare=_launched),
    Case(COMMANDS, "Weights into a folder that may not be written", "best digits --weights models/best.pt",
         prepare=_launched_beside_a_closed_folder),
    Case(COMMANDS, "A report of one of several studies", "report", prepare=_launched_twice),
    Case(COMMANDS, "A report of a study that is not there", "report digits minst", prepare=_launched_twice),
    Case(COMMANDS, "A report over another file", "report --output notes.html", files={"notes.html": "mine"}, prepare=_launched),
    Case(COMMANDS, "A report over that of other studies", "report",
         files={"digits-report.html": '<meta name="generator" content="tuner report"><meta name="studies" content="others">'},
         prepare=_launched),
    Case(COMMANDS, "A report over a folder", "report --output .", prepare=_launched),
    Case(COMMANDS, "A report into a folder that is not there", "report --output reports/digits.html", prepare=_launched),
    Case(COMMANDS, "A report into a folder that may not be written", "report --output models/digits.html",
         prepare=_launched_beside_a_closed_folder),
    Case(COMMANDS, "Images of a report without kaleido", "report --png images",
         prepare=_launched_where("tuner.reporting.report.importlib.util.find_spec", lambda name: None)),
    Case(COMMANDS, "Images of a report without a browser", "report --svg images",
         prepare=_launched_where("tuner.reporting.report._browser", lambda: None)),
    Case(COMMANDS, "Images of a report into a file", "report --png tuner.db", prepare=_launched),
    Case(COMMANDS, "Images of a report into a folder that may not be written", "report --png models/images",
         prepare=_launched_beside_a_closed_folder),
    Case(COMMANDS, "Files into a folder that holds others", "export digits --output .", prepare=_launched),
    Case(COMMANDS, "Files into a file", "export digits --output space.yaml", prepare=_launched),
    Case(COMMANDS, "Files into a folder of a folder that is not there", "export digits --output results/digits", prepare=_launched),
    Case(COMMANDS, "Files into a folder that may not be written", "export digits --output models/digits",
         prepare=_launched_beside_a_closed_folder),
    Case(COMMANDS, "A kind of file that is not known", "export digits --output files --format xlsx", prepare=_launched),
    Case(COMMANDS, "A trial that is not there", "logs digits 99", prepare=_launched),
    Case(COMMANDS, "A trial trained again that is not there", "reproduce digits 99", prepare=_launched),
    Case(COMMANDS, "A trial trained again without an epoch", "reproduce digits 1", prepare=_launched_without_an_epoch),
    Case(COMMANDS, "A trial trained again that has the result of another", "reproduce digits 1", prepare=_launched_with_a_repeat),
    Case(COMMANDS, "A trial trained again with other settings", "reproduce digits 1 --set settings.epochs=3", prepare=_launched),
    Case(COMMANDS, "Nothing to stop", "stop digits", prepare=_launched),
    Case(COMMANDS, "Stopping a trial that has ended", "stop digits --trial 0", prepare=_launched),
    Case(COMMANDS, "A dashboard of no database", "dashboard --storage sqlite:///nothing.db"),
    Case(COMMANDS, "A dashboard on a port that is taken", "dashboard --port 8049", prepare=_launched_beside_another_server),
    Case(COMMANDS, "A dashboard for others without a password", "dashboard --host 0.0.0.0", prepare=_launched),
    Case(COMMANDS, "A dashboard without what draws it", "dashboard", prepare=_launched_without_dash),
    _set(COMMANDS, "Checkpoints where no file system is", "checkpoint.location=nowhere://x", "launch"),
    Case(COMMANDS, "Nobody there to be asked", "delete digits", prepare=_launched),
    Case(COMMANDS, "A study that is being run is deleted", "delete digits --yes", prepare=_launched_and_being_run),
    Case(COMMANDS, "--set without a value", "launch space.yaml --set settings.epochs"),
    Case(COMMANDS, "--set through something that has no keys", "launch space.yaml --set study.name=digits"),
    Case(COMMANDS, "--set with half a list", "launch space.yaml --set 'space.bn_position=[none, '"),
    Case(COMMANDS, "The file and the database exchanged", "launch postgresql://me:s3cret@host/studies"),
)  # fmt: skip
