"""Taking a study's best trial along: as a search space file for `tuner train`, and as weights that PyTorch loads."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from storage.reading import StudyReader
from tests import trainers
from tests.cli import Folder
from tests.studies import BASE, make_space, simulate, train
from tests.trainers import Curve, curve
from tuner.errors import InputError
from tuner.execution.simulated import SimulatedExecutor
from tuner.launching import launch
from tuner.search_space import check_search_space
from tuner.training.augmentation import normalize
from tuner.training.data import load_data
from tuner.training.weights import save_weights
from tuner.winner import winner_yaml, write_winner
from tuner.yaml_source import parse_yaml, source_of_values
from tuner.yaml_writer import write_yaml

DIGITS: dict[str, Any] = {
    "metric": {"name": "validation_accuracy", "goal": "maximize"},
    "trainer": "vgg",
    "settings": {"dataset": "digits", "depth": 8, "filters": 4, "epochs": 2, "batch_size": 10, "seed": 3},
    "space": {"bn_position": ["after_relu", "before_relu"], "learning_rate": {"low": 5e-3, "high": 2e-2, "scale": "log"}},
    "early_stopping": {"name": "none"},
    "budget": {"trials": 2},
}  # fmt: skip


class BestInTheFirst(Curve):
    """Gets worse with every epoch."""

    def train_epoch(self) -> dict[str, float]:
        return {"score": 1 / super().train_epoch()["score"]}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def finished(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A folder with a finished study of a trainer that lies there."""
    monkeypatch.setitem(sys.modules, "trainers", trainers)  # what lies there, for this process
    simulate(make_space(trainer="trainers:Curve"), f"sqlite:///{folder.path}/tuner.db")
    return folder


@pytest.mark.parametrize(
    "text",
    ["1e5", "1e-05", "010", "08", ".5e3", "0x1F", "1_000", "1:30", "yes", "No", "on", "~", "null", "true", "", " a", "2026-01-02",
     "=", "<<", "#x", "a: b", "- a", "[1]", "{", "'", '"', "é", "…", "line\nbreak", "tab\t", "\x85", "\u2028x", "\ufeff", "\x07", "*a", "&a", "!t", "%", "@",
     "plain", "1.5", "-.inf", ".nan", "x" * 300, "words " * 60],
)  # fmt: skip
def test_text_is_written_so_that_every_yaml_reader_takes_it_as_text(text: str) -> None:
    values = {"key": text, text: ["a", text]}
    written = write_yaml(values)
    assert parse_yaml(written, "x").values == values
    assert yaml.safe_load(written) == values


@pytest.mark.parametrize(
    "value",
    [1e-05, 1e-300, 5e-324, 1e16, 1e22, 1.7976931348623157e308, 0.1, 1 / 3, -2.5e-07, 0.0, -0.0, 3.0, math.inf, -math.inf, 7,
     -7, 0, 10**30, True, False, None],
)  # fmt: skip
def test_a_value_is_written_so_that_every_yaml_reader_takes_it_as_the_same(value: Any) -> None:
    written = write_yaml({"key": value, "list": [value]})
    for read in (parse_yaml(written, "x").values, yaml.safe_load(written)):
        assert repr(read) == repr({"key": value, "list": [value]})


def test_the_winner_as_a_file_trains_to_exactly_what_was_recorded(finished: Folder) -> None:
    (best,) = json.loads(finished.run("best", "s", "--json", "--top", "1").stdout)
    printed = finished.run("best", "s", "--yaml")
    assert printed.returncode == 0, printed.stderr
    (finished.path / "best.yaml").write_text(printed.stdout)
    space = yaml.safe_load(printed.stdout)["space"]
    assert space == best["parameters"]
    assert space["x"] == best["parameters"]["x"]
    trained = finished.run("train", "best.yaml")
    assert trained.returncode == 0, trained.stderr
    assert trained.stdout.splitlines()[-1] == f"best: score {best['score']:.4f} at epoch {best['epoch']}"
    assert curve(space, best["epoch"])["score"] == best["score"]
    assert printed.stdout.startswith(f"# trial {best['trial']} of study 's': score ")


def test_parameters_that_are_not_in_force_in_the_winner_are_left_out_and_fixed_ones_kept(sqlite_url: str) -> None:
    space = {**BASE["space"], "kind": ["b"], "same": 1e-05, "only_a": {"value": 3, "when": {"kind": ["b"]}},
             "gone": {"low": 0.0, "high": 1.0, "when": {"same": [7]}}}  # fmt: skip
    del space["depth"]
    simulate(make_space(space=space), sqlite_url)
    found = yaml.safe_load(winner_yaml(StudyReader(sqlite_url).study("s")))
    assert list(found["space"]) == ["x", "kind", "same", "only_a"]
    assert found["space"]["same"] == 1e-05
    assert found["space"]["only_a"] == 3
    assert found["settings"] == {"epochs": 9}


HOSTILE = [None, True, False, 7, -2.5, 1e-07, "true", "null", "~", "1", "1e5", "", " a", "a: b", "- a", "[1]", "{x}", "#x", "'", '"', "é…", "line\nbreak",
           "\u2028", "=1+1", "<b>", "&a", "*a", "!t", "%", "@", "yes", "2026-01-02", "---", "...", "\\", "x" * 300]  # fmt: skip


def test_any_choice_of_a_winner_is_the_same_in_its_file(sqlite_url: str) -> None:
    points = {"kind": ["no such text", *HOSTILE], "depth": {"low": 1, "high": 4, "when": {"kind": HOSTILE}},
              "gone": {"low": 0.0, "high": 1.0, "when": {"kind": ["no such text"]}}}  # fmt: skip
    enqueue = [{"kind": kind} for kind in HOSTILE]
    values = {**BASE, "space": points, "enqueue": enqueue, "budget": {"trials": len(enqueue)}}
    scores = iter(range(len(enqueue)))
    executor = SimulatedExecutor(lambda configuration, epoch: {"score": next(scores) if epoch == 1 else -1.0})
    simulate(check_search_space(source_of_values(values, "here")), sqlite_url, executor)
    study = StudyReader(sqlite_url).study("s")
    assert len(study.trials) == len(HOSTILE)
    for kind, trial in zip(HOSTILE, study.trials, strict=True):  # each of them as if it had won
        written = winner_yaml(replace(study, trials=(trial,)))
        assert written.startswith(f"# trial {trial.number} of study 's': score {trial.number} at epoch 1\n")
        read = check_search_space(parse_yaml(written, "best.yaml")).fixed_configuration()
        expected = {"epochs": 9, "kind": kind, "depth": trial.parameters["depth"]}
        assert {name: repr(value) for name, value in read.items()} == {n: repr(v) for n, v in expected.items()}


def test_a_winner_with_hostile_names_and_text_is_trained_by_the_command(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, metric = "null\n--- # '\u2028<b>", "score: [ # {'\"é"
    (folder.path / "own.py").write_text(
        "import trainers\n\nclass Own(trainers.Curve):\n    def train_epoch(self):\n"
        f"        assert self.configuration['kind'] == {kind!r} and self.configuration['on'] is None, self.configuration\n"
        f"        return {{{metric!r}: super().train_epoch()['score']}}\n"
    )
    monkeypatch.syspath_prepend(str(folder.path))
    values = {**BASE, "trainer": "own:Own", "metric": {"name": metric, "goal": "maximize"}, "budget": {"trials": 1},
              "space": {"x": {"low": 0.0, "high": 1.0}, "kind": [kind, "b"], "on": [None, True]}, "enqueue": [{"kind": kind, "on": None}]}  # fmt: skip
    executor = SimulatedExecutor(lambda configuration, epoch: {metric: curve(configuration, epoch)["score"]})
    simulate(check_search_space(source_of_values(values, "here")), f"sqlite:///{folder.path}/tuner.db", executor)
    printed = folder.run("best", "s", "--yaml")
    assert printed.returncode == 0, printed.stderr
    (folder.path / "best.yaml").write_text(printed.stdout)
    assert yaml.safe_load(printed.stdout)["study"] == "s"
    trained = folder.run("train", "best.yaml")
    assert trained.returncode == 0, trained.stderr
    (best,) = json.loads(folder.run("best", "s", "--json").stdout)
    assert trained.stdout.rstrip().endswith(f"{best[metric]:.4f} at epoch 9")


@pytest.mark.parametrize("keep", [0, 1])
def test_the_winners_weights_load_into_the_network_and_give_the_recorded_accuracy(
    keep: int, sqlite_url: str, tmp_path: Path
) -> None:
    reader = train(sqlite_url, **DIGITS, checkpoint={"keep": keep})
    lines: list[str] = []
    write_winner(reader, "s", tmp_path / "best.pt", [], lines.append)
    best = max(max(trial.values.values()) for trial in reader.study("s").trials)
    assert best > 0.3  # chance is 0.1
    if keep:
        assert len(lines) == 3
        assert lines[0].endswith(f"validation_accuracy {best:.4f}")
        assert ": the checkpoint of its best epoch (" in lines[0]
    else:
        assert lines[0].endswith(": no checkpoint of that epoch is kept (checkpoint.every: 1, checkpoint.keep: 0)")
        assert f"{best:.4f}, the same as recorded" in lines[-3]
        assert sum(line.startswith("epoch ") for line in lines) in (1, 2)
    names: dict[str, Any] = {}
    exec(lines[-1], names)  # the line that is said to load them
    data = load_data(DIGITS["settings"])
    x_BCHW = normalize(torch.tensor(data.validation.images_NHWC), torch.tensor(data.mean), torch.tensor(data.std))
    with torch.no_grad():
        predicted_B = names["model"].eval()(x_BCHW).argmax(dim=1)
    right_B = predicted_B == torch.tensor(data.validation.labels_N)
    assert right_B.sum().item() / len(right_B) == best
    assert [path.name for path in tmp_path.iterdir() if "study.db" not in path.name] == ["best.pt"]


def damage(file: Path) -> None:
    file.write_bytes(b"half of it")


@pytest.mark.parametrize(
    ("checkpoint", "happens", "why"),
    [
        ({"every": "never"}, None, "no checkpoint of that epoch is kept (checkpoint.every: never, checkpoint.keep: 3)"),
        ({"every": 2}, None, "no checkpoint of that epoch is kept (checkpoint.every: 2, checkpoint.keep: 3)"),
        ({}, damage, " is damaged: its SHA-256 is not the recorded one"),
        ({}, Path.unlink, "No such file or directory"),
    ],
)  # fmt: skip
def test_a_winner_without_a_good_checkpoint_of_its_best_epoch_is_trained_again_and_it_is_said_why(
    sqlite_url: str, tmp_path: Path, checkpoint: dict[str, Any], happens: Any, why: str
) -> None:
    reader = train(sqlite_url, trainer="tests.test_winner:BestInTheFirst", checkpoint=checkpoint)
    kept = list(tmp_path.glob("study.db.checkpoints/*/*.checkpoint"))
    assert bool(kept) is (checkpoint != {"every": "never"})
    for file in kept if happens else ():
        happens(file)
    lines: list[str] = []
    write_winner(reader, "s", tmp_path / "best.pt", [], lines.append)
    assert "is trained again with its seed, up to its best epoch (1): " in lines[0]
    assert why in lines[0]
    assert [line.split()[0] for line in lines] == [lines[0].split()[0], "epoch", "score", "written:", "import"]
    assert torch.load(tmp_path / "best.pt", weights_only=True) == {"epoch": 1}


def test_a_checkpoint_that_does_not_fit_the_code_of_today_is_told_and_the_winner_trained_again(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def today(self: Curve, state: dict[str, Any]) -> None:
        self.epoch = state["weights"]

    reader = train(sqlite_url, trainer="tests.test_winner:BestInTheFirst")
    monkeypatch.setattr(BestInTheFirst, "load_state_dict", today)
    lines: list[str] = []
    write_winner(reader, "s", tmp_path / "best.pt", [], lines.append)
    assert lines[0].endswith(": the checkpoint of that epoch does not fit the trainer: KeyError: 'weights'")
    assert torch.load(tmp_path / "best.pt", weights_only=True) == {"epoch": 1}


def test_weights_of_ones_own_trainer_are_its_whole_state(finished: Folder) -> None:
    ended = finished.run("best", "s", "--weights", "best.pt", "--set", "resources.cpus=1")
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert "trained again with its seed, up to its best epoch (9)" in lines[0]
    assert lines[1].startswith("epoch   1/9  score 0.")
    assert lines[-3].endswith("the same as recorded")
    assert lines[-1] == "import torch; state = torch.load('best.pt', map_location=\"cpu\", weights_only=True)"
    assert torch.load(finished.path / "best.pt", weights_only=True) == {"epoch": 9}
    again = finished.run("best", "s", "--weights", "best.pt")
    assert again.returncode == 2
    assert again.stderr == "error: best.pt: is there already; name a new file, or remove it first\n"


def test_another_value_than_the_recorded_one_is_said_and_the_weights_are_written(
    sqlite_url: str, tmp_path: Path
) -> None:
    launch(make_space(), sqlite_url, say=lambda line: None, make_executor=lambda space, data, *_: SimulatedExecutor(
        lambda configuration, epoch: {"score": 7.0 if epoch == 2 else 0.0}))  # fmt: skip
    lines: list[str] = []
    write_winner(StudyReader(sqlite_url), "s", tmp_path / "best.pt", [], lines.append)
    assert "score at epoch 2 differs: recorded 7.0, now 0." in lines[-3]
    assert torch.load(tmp_path / "best.pt", weights_only=True) == {"epoch": 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--json", "--yaml"], "--json and --yaml exclude each other; give one of them"),
        (["--yaml", "--weights", "w.pt"], "--yaml and --weights exclude each other; give one of them"),
        (["--set", "settings.data_dir=x"], "--set goes with --yaml or --weights"),
        (["--weights", "no/w.pt"], "no/w.pt: folder no does not exist; make it or name another file"),
        (["--weights", "."], ".: is there already; name a new file"),
        (["--yaml", "--set", "settings.epochs=3"], "--set: settings.epochs was 9, is 3: that is another configuration than the recorded one"),
        (["--yaml", "--set", "budget.trails=3"], "--set: budget.trails: unknown key; did you mean 'trials'?"),
    ],
)  # fmt: skip
def test_a_winner_that_cannot_be_taken_along_is_said(finished: Folder, arguments: list[str], message: str) -> None:
    ended = finished.run("best", "s", *arguments)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"error: {message}")
    assert {name for name in finished.files() if not name.startswith("tuner.db")} == set()


def test_data_may_lie_elsewhere_when_the_winner_is_taken_along(finished: Folder) -> None:
    ended = finished.run("best", "s", "--yaml", "--set", "settings.data_dir=elsewhere")
    assert yaml.safe_load(ended.stdout)["settings"] == {"epochs": 9, "data_dir": "elsewhere"}


def test_a_study_without_a_finite_value_has_no_winner(sqlite_url: str) -> None:
    nothing = SimulatedExecutor(lambda configuration, epoch: {"score": math.nan})
    simulate(make_space(), sqlite_url, nothing)
    with pytest.raises(InputError, match="study 's' has no trial with a finite value yet; see tuner status s"):
        winner_yaml(StudyReader(sqlite_url).study("s"))


def test_weights_that_cannot_be_written_leave_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(weights: Any, stream: Any) -> None:
        stream.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tuner.training.weights.torch.save", full)
    with pytest.raises(InputError, match=r"best\.pt: cannot be written .*No space left on device"):
        save_weights(Curve({"x": 0.3}, None, "cpu"), tmp_path / "best.pt")
    assert list(tmp_path.iterdir()) == []
