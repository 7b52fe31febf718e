"""The command line: what a user sees, the exit code, and that bad input writes nothing and starts nothing."""

import json
from pathlib import Path

import pytest

import tuner
from storage.reading import StudyReader
from tests.cli import Folder
from tests.studies import make_space, simulate

VGG38 = Path(__file__).parent.parent / "search_spaces" / "vgg38.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def finished(folder: Folder) -> Folder:
    """A folder with a finished study in its default database."""
    simulate(make_space(), f"sqlite:///{folder.path}/tuner.db")
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.yaml"], "error: none.yaml: no such file; give the path of a search space"),
        (["quikstart"], "error: quikstart: no such file; did you mean 'quickstart'? Give the path of a search space (a YAML"),
        (["search_spaces/vgg38.yaml"], "vgg38.yaml: no such file; did you mean 'vgg38'?"),
        (["space.yaml", "--set", "bugdet.trials=3"], "error: --set: bugdet: unknown key; did you mean 'budget'?"),
        (["space.yaml", "--set", "settings.epochs=many"], "error: --set: settings.epochs: 'many' is not allowed"),
        (["space.yaml", "--set", "space.x={low: 2, high: 1}"], "error: --set: space.x: low=2 is above high=1; swap them"),
        (["space.yaml", "--set", "space.y={low: 0, high: 1, when: {kimd: [a]}}"], "names no parameter of this space"),
        (["space.yaml", "--set", "trainer=vgg", "--set", "settings.dataset=digits", "--set", "metric.name=train_loss"], "error: space.yaml:9: space.x: unknown key"),
        (["space.yaml", "--set", "early_stopping.brackets=9"], "error: --set: early_stopping.brackets: 9 is not allowed; there are 3 rungs"),
        (["space.yaml", "--set", "resources.gpus=1"], "error: --set: resources.gpus: 1 GPUs for a trial, but PyTorch finds 0"),
        (["space.yaml", "--set", "resources.cpus=9999"], "error: --set: resources.cpus: 9999 CPUs for a trial, but this machine"),
        (["space.yaml", "--storage", "sqlite:///no/folder.db"], "error: storage: folder no does not exist"),
        (["space.yaml", "--storage", "postgresql://me:s3cret@127.0.0.1:1/x"], "me:***@127.0.0.1:1/x cannot be reached"),
        (["space.yaml", "--storage", "nonsense"], "error: storage: 'nonsense' is no database URL"),
        ([str(VGG38)], "vgg38.yaml:8: settings.data_dir: no images: data/cifar100 has neither class folders"),
        (["space.yaml", "--set", "trainer=broken:Trainer"], "error: --set: trainer: module 'broken' cannot be imported: SyntaxError"),
        (["space.yaml", "--set", "trainer=os:path"], "error: --set: trainer: 'os:path' has no train_epoch()"),
        ([str(VGG38), "--set", "metric.name=accuracy"], "error: --set: metric.name: 'accuracy' is not given by trainer vgg"),
        (["space.yaml", "--storage", ""], "error: storage: '' is no database URL; write sqlite:///tuner.db, or leave"),
        (["space.yaml", "--storage", "sqlite:////proc/x.db"], "error: storage: sqlite:////proc/x.db cannot be used"),
        (["space.yaml", "--trials", "0"], "error: --set: budget.trials: 0 is not allowed"),
        (["space.yaml", "--trails", "3"], "error: tuner launch: no such option: --trails; did you mean --trials? See tuner launch --help"),
        ([], "error: tuner launch: missing argument 'SPACE.yaml'; see tuner launch --help"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_clear_error_and_writes_nothing(folder: Folder, arguments: list[str], message: str) -> None:
    folder.write("space.yaml", resources={"gpus": "auto"})
    (folder.path / "broken.py").write_text("def (:")
    ended = folder.run("launch", *arguments)
    assert ended.returncode == 2, ended.stderr
    assert message in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert "s3cret" not in ended.stderr + ended.stdout
    assert folder.files() == {"space.yaml", "broken.py"}
    assert folder.processes() == []


def test_a_changed_space_is_refused_with_the_key_and_the_way_out(finished: Folder) -> None:
    space = finished.write("space.yaml", space={"x": [0.1, 0.2]})
    ended = finished.run("launch", space)
    assert ended.returncode == 2
    assert "error: space.yaml: study 's' was begun with other values" in ended.stderr
    assert "space.kind was ['a', 'b', None], is absent" in ended.stderr
    assert "--set study=NAME" in ended.stderr


def test_status_tells_how_a_study_stands(finished: Folder) -> None:
    everything = finished.run("status")
    assert everything.returncode == 0, everything.stderr
    assert " s " in everything.stdout
    one = finished.run("status", "s")
    assert "study s: 12 of 12 trials:" in one.stdout
    assert "best so far: score 0." in one.stdout
    assert "rung (epoch)" in one.stdout
    values = json.loads(finished.run("status", "s", "--json").stdout)
    assert sum(values["trials"].values()) == 12
    assert [r["epoch"] for r in values["rungs"]] == [1, 3]
    assert values["launches"] == []
    assert [v["study"] for v in json.loads(finished.run("status", "--json").stdout)] == ["s"]


def test_best_ranks_the_configurations(finished: Folder) -> None:
    ranked = json.loads(finished.run("best", "s", "--json", "--top", "3").stdout)
    scores = [r["score"] for r in ranked]
    assert len(ranked) == 3
    assert scores == sorted(scores, reverse=True)
    table = finished.run("best", "s").stdout
    assert f"{scores[0]:.4f}" in table
    assert all(len(line) <= 80 for line in table.splitlines())


@pytest.mark.parametrize("command", [["status"], ["status", "s"], ["best", "s"]])
def test_reading_a_database_that_is_not_there_makes_none(folder: Folder, command: list[str]) -> None:
    ended = folder.run(*command)
    assert ended.returncode == 2
    assert "error: storage: tuner.db does not exist" in ended.stderr
    assert folder.files() == set()


def test_a_study_that_is_not_there_is_named_with_those_that_are(finished: Folder) -> None:
    ended = finished.run("best", "t")
    assert ended.returncode == 2
    assert "error: study 't' is not in this database; it has: s" in ended.stderr


def test_logs_tell_what_was_decided_on_a_trial_and_why(finished: Folder) -> None:
    view = StudyReader(f"sqlite:///{finished.path}/tuner.db").study("s")
    stopped = next(trial for trial in view.trials if trial.state == "pruned" and max(trial.values) == 3)
    ended = finished.run("logs", "s", str(stopped.number))
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0] == f"trial {stopped.number}: pruned, {stopped.reason}"
    assert lines[1].startswith("configuration: x 0.")
    assert [line.split(":")[1] for line in lines if line.startswith("  epoch")] == [" go on", " stop"]
    assert "(cut-off 0." in lines[-3]
    assert lines[-1].startswith("attempt 1: stopped, began ")
    missing = finished.run("logs", "s", "99")
    assert missing.returncode == 2
    assert missing.stderr == "error: trial 99 is not in study 's'; it has 0 to 11\n"


def test_delete_asks_and_without_a_terminal_wants_to_be_told(finished: Folder) -> None:
    refused = finished.run("delete", "s")
    assert refused.returncode == 2
    assert "nobody can be asked here; add --yes" in refused.stderr
    assert finished.run("status", "s").returncode == 0
    deleted = finished.run("delete", "s", "--yes")
    assert deleted.stdout == "deleted: study 's' with 12 trials from sqlite:///tuner.db\n"
    assert "error: study 's' is not in this database" in finished.run("status", "s").stderr


def test_train_trains_one_configuration_without_a_database(folder: Folder) -> None:
    one = ["space.x=0.3", "space.kind=b"]
    space = folder.write("space.yaml")
    ended = folder.run("train", space, *(word for value in one for word in ("--set", value)))
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0].startswith("epoch   1/9  score 0.5  loss 0.5")
    assert lines[-1] == "best: score 0.9000 at epoch 9"
    assert folder.files() == {"space.yaml"}
    still_open = folder.run("train", space, "--set", "space.x=0.3")
    assert still_open.returncode == 2
    assert "kind still open; one configuration needs a value for each: --set space.kind=a" in still_open.stderr


def test_an_error_in_ones_own_trainer_is_shown_with_its_traceback(folder: Folder) -> None:
    space = folder.write(
        "space.yaml", trainer="trainers:Trouble", settings={"epochs": 3}, space={"x": 0.3, "trouble": "raise"}
    )
    ended = folder.run("train", space)
    assert ended.returncode == 1
    assert "ValueError: a bug in the training code" in ended.stderr
    assert ended.stderr.endswith("error: the trainer failed, see the traceback above\n")


def test_train_gives_the_same_curve_twice_on_real_images(folder: Folder) -> None:
    settings = {
        "dataset": "digits",
        "depth": 8,
        "filters": 4,
        "train_images": 100,
        "epochs": 2,
        "bn_position": "after_relu",
    }
    metric = {"name": "validation_accuracy", "goal": "maximize"}
    space = folder.write("space.yaml", trainer="vgg", settings=settings, metric=metric, space={"weight_decay": 0.001})
    first, second = folder.run("train", space), folder.run("train", space)
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert "train_loss" in first.stdout


def test_validate_says_what_a_file_asks_for(folder: Folder) -> None:
    ended = folder.run("validate", str(VGG38))
    assert ended.returncode == 0
    assert "maximize validation_accuracy over bn_position, batch_size, weight_decay, dropout" in ended.stdout
    assert "Data, machine and database were not looked at." in ended.stdout
    wrong = folder.run("validate", str(VGG38), "--set", "settings.depth=37")
    assert wrong.returncode == 2
    assert "settings.depth: 37 is no depth of this network" in wrong.stderr


def test_a_search_space_that_ships_is_found_by_name_unless_a_file_of_that_path_is_there(folder: Folder) -> None:
    shipped = folder.run("validate", "vgg38")
    assert shipped.returncode == 0, shipped.stderr
    assert "vgg38: right. Study vgg38-cifar100:" in shipped.stdout
    (folder.path / "quickstart").mkdir()  # a folder is no search space
    assert "Study quickstart:" in folder.run("validate", "quickstart").stdout
    folder.write("vgg38", study="mine")
    assert "vgg38: right. Study mine:" in folder.run("validate", "vgg38").stdout


def test_schema_prints_the_json_schema(folder: Folder) -> None:
    from tuner.schema import search_space_schema

    assert json.loads(folder.run("schema").stdout) == search_space_schema()


def test_a_trainer_that_needs_a_module_beside_it_is_refused_before_anything_starts(folder: Folder) -> None:
    (folder.path / "mine.py").write_text("import helper\nfrom trainers import Curve\nclass Mine(Curve): pass\n")
    (folder.path / "helper.py").write_text("")
    space = folder.write("space.yaml", trainer="mine:Mine")
    for command in ("validate", "launch"):
        ended = folder.run(command, space)
        assert ended.returncode == 2
        assert "error: space.yaml:5: trainer: mine.py imports 'helper' of the working folder, but only" in ended.stderr
    assert folder.files() == {"space.yaml", "mine.py", "helper.py"}
    alone = folder.run("train", space, "--set", "space.x=0.3", "--set", "space.kind=b")
    assert alone.returncode == 0, alone.stderr  # in this process it works


def test_version_and_help(folder: Folder) -> None:
    assert folder.run("--version").stdout == f"tuner {tuner.__version__}\n"
    for command in ("launch", "status", "best", "logs", "reproduce", "delete", "train", "validate", "schema"):
        assert command in folder.run("--help").stdout


def test_a_database_that_is_away_is_exit_code_75_and_bad_input_2() -> None:
    from storage.errors import DatabaseAwayError, StudyBusyError
    from tuner.cli import _explain

    assert _explain(DatabaseAwayError("it does not answer")) == (75, "error: it does not answer")
    assert _explain(StudyBusyError("it is run by 7")) == (2, "error: it is run by 7")


def test_from_python_a_study_is_opened_by_its_name(finished: Folder) -> None:
    study = tuner.open_study(f"sqlite:///{finished.path}/tuner.db", "s")
    assert study.trials.index.tolist() == list(range(12))


def test_a_report_of_the_only_study_lies_in_the_working_folder(finished: Folder) -> None:
    before = finished.files()
    ended = finished.run("report")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "written: s-report.html\n", "")
    assert finished.files() - before == {"s-report.html"}
    page = (finished.path / "s-report.html").read_text()
    assert "<h1>s</h1>" in page
    assert "tuner resume s --storage sqlite:///tuner.db" in page
    again = finished.run("report", "s", "s", "--output", "s-report.html")  # a report is replaced, a study told once
    assert again.stdout == "written: s-report.html\n"
