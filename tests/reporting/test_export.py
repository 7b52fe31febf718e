"""A study as files: what is read back is what the data frames hold, in every format, whatever text and numbers they hold."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from storage.deletion import delete_study
from storage.errors import StorageError
from tests.cli import Folder
from tests.scenes import begin, play, report
from tests.studies import make_space, simulate
from tuner.errors import InputError
from tuner.events import AttemptEnd, Decider
from tuner.reporting import export
from tuner.reporting.export_formats import write_csv
from tuner.reporting.frames import StudyFrames
from tuner.search_space import load_search_space

TABLES = ("trials", "epochs", "decisions", "attempts", "launches", "gradient_flow")
TEXTS = ["=1+1", "+1", "-x", "@SUM(A1)", "\tt", "'quoted", "'=2", "true", "null", "1", "1.5", "NaN", "-Infinity", "", '"', '"a"', "a,b",
         "line\nbreak", "\r\nends\r", "é…", "x ", " y", "[1]", "{}", "＝1", "; \\ | <b>"]  # fmt: skip
OTHERS = [None, True, False, 7, 2.5, -3]
RECIPE = re.search(r"```python\n(.*?)```", Path("docs/export.md").read_text(), re.DOTALL)


def absent(value: Any) -> bool:
    return value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def word(value: Any) -> str:
    """A value as text that tells types apart; nan: no number, or no value."""
    return "nan" if absent(value) else repr(str(value) if isinstance(value, pd.Timestamp) else value)


def read_csv(path: Path) -> dict[str, list[Any]]:
    """As docs/export.md says."""
    assert RECIPE is not None
    names: dict[str, Any] = {}
    exec(RECIPE[1], names)
    found: dict[str, list[Any]] = names["read_csv"](path)
    return found


def read_json(path: Path) -> dict[str, list[Any]]:
    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is no JSON")

    records = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    names = dict.fromkeys(name for record in records for name in record)
    return {name: [_from_json(name, record) for record in records] for name in names}


def _from_json(name: str, record: dict[str, Any]) -> Any:
    value = record.get(name, math.nan)
    if name.startswith("params_"):
        return value
    words = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    is_number = name in ("score", "loss", "=1+1", "a,b", "value", "mean_abs_gradient")
    return math.nan if value is None else words.get(value, value) if is_number else value


def read_parquet(path: Path) -> dict[str, list[Any]]:
    table = parquet.read_table(path)
    found = {}
    for field in table.schema:
        values = [math.nan if value is None else value for value in table[field.name].to_pylist()]
        if (field.metadata or {}).get(b"encoding") == b"json":
            values = [value if absent(value) else json.loads(value) for value in values]
        found[field.name] = values
    return found


READERS: dict[str, Callable[[Path], dict[str, list[Any]]]] = {
    "csv": read_csv,
    "json": read_json,
    "parquet": read_parquet,
}


def check(study: StudyFrames, folder: Path, kind: str) -> None:
    """Compare every file with its frame, cell by cell."""
    for name in TABLES:
        frame: pd.DataFrame = getattr(study, name)
        frame = frame.reset_index() if name == "trials" else frame
        expected = {column: [word(value) for value in frame[column].tolist()] for column in frame}
        for column in (column for column in frame if not column.startswith("params_")):
            expected[column] = ["nan" if value == "None" else value for value in expected[column]]
        if name == "trials":  # no reason is no value
            expected["reason"] = ["nan" if value == "''" else value for value in expected["reason"]]
        read = READERS[kind](folder / f"{name}.{kind}")
        found = {column: [word(value) for value in values] for column, values in read.items()}
        if kind == "json" and frame.empty:
            assert found == {}
        else:
            assert found == expected, name


@pytest.fixture
def hostile(database_url: str) -> StudyFrames:
    """Every text and every other value as a choice, as a figure's name, a layer's name and a traceback; numbers of all kinds."""

    def scene(study: Decider) -> None:
        for _ in OTHERS:  # first: a study of failures alone would end
            trial = begin(study)
            for epoch in (1, 2):
                study.on_epoch(trial, report(epoch, score=0.1))
        values = iter([0.5, math.inf, -math.inf, math.nan, 1e-300, -0.1, 1 / 3])
        for text in TEXTS:
            trial = begin(study)
            value = next(values, 0.25)
            said = report(1, score=value, loss=-value, **{"=1+1": 1.0, "a,b": math.nan})
            study.on_epoch(trial, replace(said, gradient_flow={"=first": math.nan, "léast\n": math.inf}))
            study.on_end(trial, AttemptEnd.RAISED, f"Traceback\r\n  …\n{text}")

    space = {"x": {"low": 0.0, "high": 1.0}, "kind": [*OTHERS, *TEXTS], "depth": {"low": 1, "high": 4, "when": {"kind": ["=1+1", 7]}},
             "on": [True, False], "rate": {"low": 0.1, "high": 0.5, "when": {"kind": [None, ""]}}, "word": ["=a", "null"]}  # fmt: skip
    enqueue = [{"kind": value} for value in [*OTHERS, *TEXTS]]
    checked = make_space(space=space, enqueue=enqueue, settings={"epochs": 2}, stop_when=[], budget={"trials": len(enqueue)},
                          early_stopping={"name": "none"}, sampler={"name": "random", "seed": 1})  # fmt: skip
    play(checked, database_url, scene, concurrency=len(enqueue))
    return StudyFrames(database_url, "s")


@pytest.mark.parametrize("kind", READERS)
def test_what_is_read_back_is_what_the_frames_hold(
    hostile: StudyFrames, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_TRIALS_AT_ONCE", 4)  # several blocks
    names = export.export_study(hostile, tmp_path / "files", kind)
    assert names == sorted([*(f"{name}.{kind}" for name in TABLES), "space.yaml"])
    assert {path.name for path in (tmp_path / "files").iterdir()} == set(names)
    check(hostile, tmp_path / "files", kind)
    kinds = hostile.trials["params_kind"].tolist()
    assert [word(value) for value in kinds] == [word(value) for value in [*OTHERS, *TEXTS]]
    assert len(hostile.gradient_flow) == 2 * len(TEXTS)
    assert load_search_space(tmp_path / "files" / "space.yaml", ()).as_json() == hostile.space


@pytest.mark.parametrize("kind", READERS)
def test_a_study_that_was_searched_is_read_back(sqlite_url: str, tmp_path: Path, kind: str) -> None:
    simulate(make_space(), sqlite_url)
    study = StudyFrames(sqlite_url, "s")
    export.export_study(study, tmp_path / "files", kind)
    assert len(study.decisions) > 12
    assert study.decisions["cutoff"].isna().any()
    check(study, tmp_path / "files", kind)


def test_parquet_columns_are_typed(hostile: StudyFrames, tmp_path: Path) -> None:
    export.export_study(hostile, tmp_path / "files", "parquet")
    schemas = {name: parquet.read_schema(tmp_path / "files" / f"{name}.parquet") for name in TABLES}
    trials = {field.name: str(field.type) for field in schemas["trials"]}
    assert trials == {
        "number": "int64", "state": "string", "value": "double", "best_epoch": "int64", "epochs": "int64", "attempts": "int64",
        "reason": "string", "params_x": "double", "params_kind": "string", "params_depth": "int64", "params_on": "bool",
        "params_rate": "double", "params_word": "string",
    }  # fmt: skip
    assert str(schemas["attempts"].field("ended_at").type) == "timestamp[ns, tz=UTC]"
    assert str(schemas["launches"].field("argv").type) == "list<element: string>"
    assert schemas["trials"].field("params_kind").metadata == {b"encoding": b"json"}
    assert schemas["trials"].field("params_word").metadata is None
    cutoffs = parquet.read_table(tmp_path / "files" / "epochs.parquet")["a,b"]
    assert cutoffs.null_count == 0  # NaN is a number


def test_no_cell_of_a_csv_file_begins_as_a_formula_unless_it_is_a_number(hostile: StudyFrames, tmp_path: Path) -> None:
    export.export_study(hostile, tmp_path / "files", "csv")
    for name in TABLES:
        cells = pd.read_csv(tmp_path / "files" / f"{name}.csv", dtype=str, keep_default_na=False, header=None)
        for cell in cells.to_numpy().ravel():
            assert not re.match(r"[=+@＝＋－＠\t\r\n]|-(?!\d|Infinity$)", cell), cell
    assert (tmp_path / "files" / "epochs.csv").read_bytes().startswith(b"\xef\xbb\xbftrial,epoch,'=1+1,")


@settings(deadline=None)
@given(st.lists(st.one_of(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), st.none(), st.booleans(),
                          st.integers(), st.floats(allow_nan=False, allow_subnormal=False)), min_size=1))  # fmt: skip
def test_any_choice_survives_a_csv_file(tmp_path_factory: pytest.TempPathFactory, values: list[Any]) -> None:
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    frame = pd.DataFrame({"params_x": pd.Series([*values, math.nan], dtype="object")})
    write_csv(path, [frame])
    assert [word(value) for value in read_csv(path)["params_x"]] == [word(value) for value in [*values, math.nan]]


def test_a_study_that_has_only_begun_gives_files_with_columns_alone(sqlite_url: str, tmp_path: Path) -> None:
    play(make_space(), sqlite_url, lambda study: None)
    study = StudyFrames(sqlite_url, "s")
    for kind in READERS:
        export.export_study(study, tmp_path / kind, kind)
        check(study, tmp_path / kind, kind)
    flow = parquet.read_schema(tmp_path / "parquet" / "gradient_flow.parquet")
    assert [str(kind) for kind in flow.types] == ["int64", "int64", "string", "int64", "double"]


def test_an_empty_folder_is_taken_and_a_second_export_refused(sqlite_url: str, tmp_path: Path) -> None:
    simulate(make_space(), sqlite_url)
    (tmp_path / "files").mkdir()
    (tmp_path / "link").symlink_to("files")
    export.export_study(StudyFrames(sqlite_url, "s"), tmp_path / "link", "json")
    before = {path.name: path.read_bytes() for path in (tmp_path / "files").iterdir()}
    assert len(before) == 7
    with pytest.raises(InputError, match="files is there already and not empty; name a new folder, or remove it first"):
        export.export_study(StudyFrames(sqlite_url, "s"), tmp_path / "files", "csv")
    assert {path.name: path.read_bytes() for path in (tmp_path / "files").iterdir()} == before


def test_the_folder_one_is_in_is_not_replaced(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(make_space(budget={"trials": 1}), sqlite_url)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match=r"export: \. is there already and where you are; name a new folder"):
        export.export_study(StudyFrames(sqlite_url, "s"), Path("."), "csv")


def test_files_that_cannot_be_written_leave_nothing_half_written(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(values: Any) -> str:
        raise OSError(28, "No space left on device")

    simulate(make_space(budget={"trials": 1}), sqlite_url)
    monkeypatch.setattr(export, "write_yaml", full)  # the last file of all
    with pytest.raises(InputError, match=r"files cannot be written \(No space left on device\); nothing is left there"):
        export.export_study(StudyFrames(sqlite_url, "s"), tmp_path / "files", "csv")
    assert not [path for path in tmp_path.iterdir() if "files" in path.name]


def test_a_study_that_is_deleted_meanwhile_leaves_no_files(sqlite_url: str, tmp_path: Path) -> None:
    simulate(make_space(budget={"trials": 1}), sqlite_url)
    study = StudyFrames(sqlite_url, "s")
    delete_study(sqlite_url, "s")
    with pytest.raises(StorageError, match="study 's' is not in this database"):
        export.export_study(study, tmp_path / "files", "csv")
    assert not [path for path in tmp_path.iterdir() if "files" in path.name]


def test_the_command_writes_the_folder_and_names_its_files(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    simulate(make_space(budget={"trials": 2}), f"sqlite:///{tmp_path}/tuner.db")
    ended = folder.run("export", "s", "--output", "files", "--format", "parquet")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("written: files with attempts.parquet, decisions.parquet, epochs.parquet, ")
    assert len(pd.read_parquet(tmp_path / "files" / "trials.parquet")) == 2
