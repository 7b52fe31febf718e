"""A recorded trial trained again is the same to the last digit, or it is said what differs, and what may be why."""

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
import torch
from threadpoolctl import threadpool_info

from storage.engine import open_existing
from storage.errors import TrialNotFoundError
from storage.reading import StudyReader, id_of_trial
from storage.tables import ATTEMPT, EPOCH_METRIC, GRADIENT_FLOW, LAUNCH, SPACE
from tests.cli import Folder
from tests.scenes import begin, play
from tests.studies import make_space, simulate, train
from tests.trainers import Curve
from tuner.comparison import Again, Record, differing, verdict
from tuner.errors import InputError
from tuner.events import AttemptEnd, Decider
from tuner.reproducing import reproduce
from tuner.training.process import prepare_process

TROUBLES = ("none", "raise", "nan", "no_metric", "die")
NOTHING_KNOWN = "no difference is known in versions, code, data and machine"
ONE = {"x": 0.25}


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A folder with two studies that were launched through Ray: networks on digits, and a trainer that makes trouble."""
    folder = Folder(tmp_path_factory.mktemp("launched"))
    digits = folder.write(
        "digits.yaml", study="digits", trainer="vgg", metric={"name": "validation_accuracy", "goal": "maximize"},
        settings={"dataset": "digits", "depth": 8, "filters": 4, "train_images": 200, "epochs": 3, "batch_size": 10},
        space={"bn_position": ["before_relu", "after_relu"], "dropout": [0.1], "seed": {"low": 1, "high": 1000}},
        budget={"trials": 2}, early_stopping={"name": "none"},
    )  # fmt: skip
    trouble = folder.write(
        "trouble.yaml", study="trouble", trainer="trainers:Trouble", settings={"epochs": 3, "marker": "died.marker"},
        space={"x": {"low": 0.0, "high": 1.0}, "trouble": list(TROUBLES)},
        enqueue=[{"trouble": trouble} for trouble in TROUBLES], budget={"trials": len(TROUBLES)},
        early_stopping={"name": "none"},
    )  # fmt: skip
    for space in (digits, trouble):
        ended = folder.run("launch", space)
        assert ended.returncode == 0, ended.stderr
    folder.wait_until_no_process_is_left()
    return folder


@pytest.fixture
def folder(launched: Folder, tmp_path: Path) -> Folder:
    """A copy of it, to be changed."""
    copy = Folder(tmp_path)
    for file in launched.path.glob("tuner.db*"):
        if file.is_file():
            shutil.copy(file, tmp_path)
    (tmp_path / "died.marker").touch()
    return copy


def url(folder: Folder) -> str:
    return f"sqlite:///{folder.path}/tuner.db"


def change(url: str, table: sa.Table, study: str, number: int, where: Any = sa.true(), **values: Any) -> None:
    """Set columns of a trial's rows."""
    engine = open_existing(url).engine
    with engine.begin() as connection:
        found = connection.execute(
            sa.update(table).where(table.c.trial_id == id_of_trial(study, number), where).values(**values)
        )
        assert found.rowcount > 0
    engine.dispose()


def change_all(url: str, table: sa.Table, **values: Any) -> None:
    """Set columns of every row."""
    engine = open_existing(url).engine
    with engine.begin() as connection:
        connection.execute(sa.update(table).values(**values))
    engine.dispose()


def again(url: str, study: str = "s", number: int = 0, *overrides: str) -> tuple[bool, list[str]]:
    """What reproducing a trial in this process says."""
    lines: list[str] = []
    return reproduce(StudyReader(url), study, number, overrides, lines.append), lines


def test_a_trial_of_a_real_launch_comes_out_the_same_and_a_changed_figure_is_named(folder: Folder) -> None:
    ended = folder.run("reproduce", "digits", "1")
    assert ended.returncode == 0, ended.stderr
    first, surroundings, *epochs, last = ended.stdout.splitlines()
    assert first == "trial 1 of study 'digits' is trained again on cpu with 1 CPU: 3 epochs"
    assert surroundings == NOTHING_KNOWN
    assert [line[:11] for line in epochs] == [f"epoch   {epoch}/3" for epoch in (1, 2, 3)]
    assert all(line.endswith("  the same") for line in epochs)
    # five metrics and the gradient flow of eight layers
    assert last == "the same: all 39 figures of 3 epochs, to the last digit"

    here = (EPOCH_METRIC.c.epoch == 2) & (EPOCH_METRIC.c.name == "validation_accuracy")
    change(url(folder), EPOCH_METRIC, "digits", 1, here, value=0.5)
    ended = folder.run("reproduce", "digits", "1")
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr == ""
    *_, second, third, last = ended.stdout.splitlines()
    assert second.endswith("  1 of 13 figures differ")
    assert third.endswith("  the same")
    assert last.startswith("differs: first at epoch 2: validation_accuracy was 0.5, is 0.")
    assert "; 1 of 39 figures differs, by 0." in last
    assert last.endswith(f" of its value (validation_accuracy at epoch 2); {NOTHING_KNOWN}")


def test_the_last_bit_of_a_gradient_counts(folder: Folder) -> None:
    engine = open_existing(url(folder)).engine
    with engine.connect() as connection:
        query = sa.select(GRADIENT_FLOW.c.mean_abs_gradients).where(GRADIENT_FLOW.c.epoch == 3)
        flow = connection.execute(query.limit(1)).scalar_one().copy()
    engine.dispose()
    flow[4] = np.nextafter(flow[4], 1)
    change(url(folder), GRADIENT_FLOW, "digits", 0, GRADIENT_FLOW.c.epoch == 3, mean_abs_gradients=flow)
    same, lines = again(url(folder), "digits", 0)
    assert not same
    assert lines[-1].startswith("differs: first at epoch 3: gradient flow of ")
    assert "1 of 39 figures differs" in lines[-1]


def test_what_has_changed_since_is_said_before_and_given_as_what_may_be_why(folder: Folder) -> None:
    versions = {"torch": "2.0.0", "numpy": np.__version__, "processor": "Zuse Z3"}
    change_all(url(folder), LAUNCH, versions=versions)
    change_all(url(folder), SPACE, data_fingerprint="other")
    change(url(folder), ATTEMPT, "digits", 0, device="NVIDIA H100")
    same, lines = again(url(folder), "digits", 0)
    assert same
    known = ["the data have changed since", "processor Zuse Z3 then, ", f"torch 2.0.0 then, {torch.__version__.split('+')[0]}",
             "NVIDIA H100 then, cpu now"]  # fmt: skip
    assert len(lines) == 1 + len(known) + 3 + 1
    for line, words in zip(lines[1:], known, strict=False):
        assert line.startswith(f"known difference: {words}")
    change(url(folder), EPOCH_METRIC, "digits", 0, EPOCH_METRIC.c.name == "train_loss", value=math.nan)
    same, lines = again(url(folder), "digits", 0)
    assert not same
    assert "first at epoch 1: train_loss was nan, is " in lines[-1]
    assert "; 3 of 39 figures differ, the largest from nan to 2." in lines[-1]
    assert (
        "(train_loss at epoch 1); known differences: the data have changed since; processor Zuse Z3 then" in lines[-1]
    )


def test_the_trainers_own_code_is_known_to_have_changed_whether_figures_differ_or_not(folder: Folder) -> None:
    code = folder.path / "trainers.py"
    code.write_text(code.read_text() + "# a comment\n")
    ended = folder.run("reproduce", "trouble", "0")
    assert ended.returncode == 0, ended.stderr
    assert "known difference: the code of trainers has changed since\n" in ended.stdout
    assert ended.stdout.endswith("the same: all 6 figures of 3 epochs, to the last digit\n")
    code.write_text(code.read_text().replace('"loss": 1 - score', '"loss": 2 - score'))
    ended = folder.run("reproduce", "trouble", "0")
    assert ended.returncode == 1, ended.stderr
    assert "differs: first at epoch 1: loss was " in ended.stdout
    assert "; 3 of 6 figures differ, the largest by 0." in ended.stdout
    assert ended.stdout.endswith("; known differences: the code of trainers has changed since\n")


def test_a_trial_that_failed_is_trained_until_the_same_exception_comes(folder: Folder) -> None:
    raised = TROUBLES.index("raise")
    ended = folder.run("reproduce", "trouble", str(raised))
    assert ended.returncode == 0, ended.stderr
    error = "ValueError: a bug in the training code"
    assert f"on cpu with 1 CPU: 1 epoch, then the one that ended with {error}\n" in ended.stdout
    before = "all 2 figures of 1 epoch before it, to the last digit"
    assert ended.stdout.endswith(f"\nthe same: {error}, in epoch 2 again; {before}\n")
    code = folder.path / "trainers.py"
    text = code.read_text()
    for changed, words in (
        ('pass  # ValueError', f"differs: {error} did not come again in epoch 2; "),
        ('raise KeyError("x")', f"differs: in epoch 2 it ended with KeyError: 'x', then with {error}; "),
    ):  # fmt: skip
        code.write_text(text.replace('raise ValueError("a bug in the training code")', changed))
        ended = folder.run("reproduce", "trouble", str(raised))
        assert ended.returncode == 1
        assert f"\n{words}all 2 figures of 1 epoch before it are the same; known diff" in ended.stdout
        assert ("Traceback" in ended.stderr) is ("KeyError" in words)


def test_ray_and_pytorch_are_not_imported_for_a_trainer_that_does_without_them(folder: Folder) -> None:
    script = """
import sys
from tuner.cli import main
try:
    main()
finally:
    print({"ray", "torch"} & set(sys.modules))
"""
    command = [sys.executable, "-c", script, "reproduce", "trouble", "0"]
    ended = subprocess.run(command, cwd=folder.path, env=folder.environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("nan", "the same: all 4 figures of 2 epochs, to the last digit"),
        ("no_metric", "the same: the trainer gave no 'score' for epoch 1; it gave loss, in epoch 1 again"),
        ("die", "the same: all 6 figures of 3 epochs, to the last digit"),
    ],
)
def test_other_ends_of_a_trial_come_out_the_same_too(folder: Folder, trouble: str, words: str) -> None:
    ended = folder.run("reproduce", "trouble", str(TROUBLES.index(trouble)))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == words


class Flowing(Curve):
    """Has every kind of figure."""

    def train_epoch(self) -> dict[str, float]:
        return {**super().train_epoch(), "nothing": math.nan, "endless": -math.inf, "tiny": 5e-324}

    def gradient_flow(self) -> dict[str, float]:
        return {"entry": 1 / 3 / self.epoch, "linear": math.nan}


def test_every_kind_of_figure_comes_back_from_both_databases_as_it_was(database_url: str) -> None:
    train(database_url, trainer="tests.test_reproduce:Flowing", stop_when=[], budget={"trials": 1})
    same, lines = again(database_url)
    assert (same, lines[-1]) == (True, "the same: all 63 figures of 9 epochs, to the last digit")


class Unseeded(Curve):
    """Draws as it likes."""

    def train_epoch(self) -> dict[str, float]:
        return {**super().train_epoch(), "noise": float(np.random.default_rng().random())}


def test_a_trainer_of_ones_own_that_differs_without_a_known_reason_is_asked_for_its_seed(sqlite_url: str) -> None:
    train(sqlite_url, trainer="tests.test_reproduce:Unseeded", budget={"trials": 1})
    same, lines = again(sqlite_url)
    assert not same
    assert "first at epoch 1: noise was 0." in lines[-1]
    assert "; 9 of 27 figures differ, the largest by " in lines[-1]
    assert lines[-1].endswith(f"{NOTHING_KNOWN}; does the trainer draw random numbers without a seed?")


class Threads(Curve):
    """Says how many threads PyTorch has, and NumPy."""

    def train_epoch(self) -> dict[str, float]:
        return {"score": torch.get_num_threads(), "numpy": min(pool["num_threads"] for pool in threadpool_info())}


def test_a_trial_gets_the_cpus_it_had_and_it_is_said_which_attempt_had_others(sqlite_url: str) -> None:
    train(sqlite_url, cpus=2, trainer="tests.test_reproduce:Threads", settings={"epochs": 2}, budget={"trials": 1})
    prepare_process(1)
    same, lines = again(sqlite_url)
    assert same
    assert lines[0].endswith("on cpu with 2 CPUs: 2 epochs")
    change(sqlite_url, ATTEMPT, "s", 0, cpus=1)
    same, lines = again(sqlite_url)
    assert not same
    assert "score was 2.0, is 1.0; 4 of 4 figures differ" in lines[-1]


def test_what_only_some_attempts_had_is_said_of_those(folder: Folder) -> None:
    died = TROUBLES.index("die")
    change(url(folder), ATTEMPT, "trouble", died, ATTEMPT.c.attempt == 2, cpus=4)
    ended = folder.run("reproduce", "trouble", str(died))
    assert ended.returncode == 0, ended.stderr
    assert "known difference: 4 CPUs then, 1 now (attempt 2)\n" in ended.stdout


@dataclass(frozen=True)
class Numbers:
    """Data with a checksum."""

    values: tuple[float, ...]

    def checksum(self) -> int:
        return int(sum(self.values))


class FromFile(Curve):
    """Its score lies in a file."""

    @staticmethod
    def load_data(configuration: Mapping[str, Any]) -> Numbers:
        return Numbers(tuple(json.loads(Path(configuration["data_dir"], "numbers.json").read_text())))

    def __init__(self, configuration: Mapping[str, Any], data: Numbers, device: str) -> None:
        super().__init__(configuration, data, device)
        self._data = data

    def train_epoch(self) -> dict[str, float]:
        self.epoch += 1
        return {"score": self._data.values[self.epoch]}


def test_data_may_lie_elsewhere_now_and_are_known_by_their_fingerprint(sqlite_url: str, tmp_path: Path) -> None:
    for name, numbers in (("here", [0, 1, 2]), ("there", [0, 1, 2]), ("other", [0, 1, 3])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "numbers.json").write_text(json.dumps(numbers))
    train(
        sqlite_url, trainer="tests.test_reproduce:FromFile", settings={"epochs": 2, "data_dir": str(tmp_path / "here")},
        budget={"trials": 1},
    )  # fmt: skip
    shutil.rmtree(tmp_path / "here")
    same, lines = again(sqlite_url, "s", 0, f"settings.data_dir={tmp_path / 'there'}")
    assert same
    assert lines[1] == NOTHING_KNOWN
    same, lines = again(sqlite_url, "s", 0, f"settings.data_dir={tmp_path / 'other'}")
    assert not same
    assert lines[1] == "known difference: the data have changed since"
    assert "first at epoch 2: score was 2.0, is 3.0; 1 of 2 figures differs, by 0.33 of its value" in lines[-1]


def test_a_trial_is_trained_under_the_file_it_was_made_under(sqlite_url: str) -> None:
    simulate(make_space(budget={"trials": 1}), sqlite_url)
    simulate(make_space(budget={"trials": 2}), sqlite_url)
    engine = open_existing(sqlite_url).engine
    with engine.begin() as connection:  # as if a launch had been allowed to change it
        (content,) = connection.execute(sa.select(SPACE.c.content).where(SPACE.c.version == 2)).scalars()
        content["trainer"] = "tests.test_reproduce:Threads"
        connection.execute(sa.update(SPACE).where(SPACE.c.version == 2).values(content=content))
    engine.dispose()
    assert again(sqlite_url, "s", 0)[0]
    assert not again(sqlite_url, "s", 1)[0]


def test_a_trainer_that_has_figures_every_few_epochs_is_compared_at_those(sqlite_url: str) -> None:
    train(sqlite_url, trainer="tests.trainers:EveryFour", budget={"trials": 1})
    same, lines = again(sqlite_url)
    assert same
    assert [line.split()[1] for line in lines[2:-1]] == ["4/9", "8/9", "9/9"]
    assert lines[-1] == "the same: all 6 figures of 3 epochs, to the last digit"


def test_a_trial_with_nothing_to_compare_is_refused(sqlite_url: str) -> None:
    def scene(study: Decider) -> None:
        for _ in range(2):  # a worker that dies twice without an epoch
            study.on_end(begin(study), AttemptEnd.WORKER_LOST, "gone")

    play(make_space(budget={"trials": 1}), sqlite_url, scene)
    with pytest.raises(
        InputError,
        match="trial 0 of study 's' has no recorded epoch, so there is nothing to compare with; tuner logs s 0",
    ):
        again(sqlite_url)
    with pytest.raises(TrialNotFoundError, match="trial 1 is not in study 's'; it has 0 to 0"):
        again(sqlite_url, "s", 1)
    with pytest.raises(InputError, match=r"--set: settings\.seed: a trial is trained as it is recorded"):
        again(sqlite_url, "s", 0, "settings.seed=1")


def test_nan_equals_nan_and_a_figure_that_does_not_come_differs() -> None:
    then = {1: {"a": math.nan, "b": math.inf, "c": 0.0}, 2: {"a": 1.0, "b": 2.0, "c": 3.0}}
    assert differing(then, {1: {"a": math.nan, "b": math.inf, "c": -0.0, "d": 9.0}, 2: then[2]}) == []
    found = differing(then, {1: {"a": 0.0, "b": -math.inf, "c": 0.0}, 2: {"a": 1.0, "b": 1.0}})
    assert [d.words for d in found] == [
        "a was nan, is 0.0", "b was inf, is -inf", "b was 2.0, is 1.0", "c was 3.0, is not given"]  # fmt: skip
    assert [d.share for d in found] == [math.inf, math.inf, 0.5, math.inf]


@pytest.mark.parametrize(
    ("ending", "again", "words"),
    [
        (None, Again({1: ONE}, 2, "Traceback\nOSError: full"),
         "in epoch 2 it ended with OSError: full, which did not end it then; all 1 figure of 1 epoch before it are the same"),
        (None, Again({}, 0, "OSError: full"), "before its first epoch it ended with OSError: full, which did not end it then"),
        ("OSError: full", Again({1: {"x": 0.5}, 2: ONE}, 3, "OSError: full"),
         "first at epoch 1: x was 0.25, is 0.5; 1 of 2 figures differs, by 0.5 of its value (x at epoch 1)"),
    ],
)  # fmt: skip
def test_an_exception_that_came_too_early_is_no_reproduction(ending: str | None, again: Again, words: str) -> None:
    assert verdict(Record({1: ONE, 2: ONE}, ending), again) == (False, words)


def test_an_exception_before_the_first_epoch_can_come_again() -> None:
    assert verdict(Record({}, "OSError: full"), Again({}, 0, "OSError: full")) == (
        True, "OSError: full, before its first epoch again")  # fmt: skip
