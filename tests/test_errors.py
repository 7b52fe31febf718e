"""Every error a user can cause: told in one line with the right exit code, shown in docs/errors.md, and none forgotten."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

import pytest

from storage import errors as storage_errors
from storage.engine import mask_passwords
from tests.error_cases import CASES, Case
from tests.error_catalogue import HOW, PAGE, Outcome, page, run_all
from tuner.api import storage_url
from tuner.cli import main
from tuner.errors import LONGEST_MESSAGE, InputError, plain_line

ROOT = Path(__file__).parent.parent
ROOMS = ("tuner", "storage")
FOR_USERS = {"InputError", "SettingError", "TrainingError", "TunerError", "YamlTextError", "locate", "error"} | {
    name for name in vars(storage_errors) if name.endswith("Error")
}

IN_A_WORKER = "raised in a worker process, told in the trial's line"
# places that no command line reaches in a test of seconds: why, and the test that shows the error
ELSEWHERE = {
    "tuner/training/own_module.py:pack": ("only a script can do that", "test_the_script_itself_is_refused"),
    "tuner/training/weights.py:save_weights": (
        "the disk is full",
        "test_weights_that_cannot_be_written_leave_nothing_half_written",
    ),
    "tuner/reporting/export.py:export_study": (
        "the disk is full",
        "test_files_that_cannot_be_written_leave_nothing_half_written",
    ),
    "tuner/yaml_source.py:_plain": (
        "a search space written in Python",
        "test_errors_in_a_search_space_written_in_python_name_its_keys",
    ),
    "tuner/early_stopping.py:rung_levels": (
        "a file cannot hold such a reduction_factor",
        "test_numbers_that_make_no_ladder_are_refused",
    ),
    "tuner/training/checkpoint.py:check_readable": (
        IN_A_WORKER,
        "test_a_state_that_could_not_be_read_back_is_refused_with_the_first_one",
    ),
    "tuner/execution/attempt.py:AttemptRunner._report": (IN_A_WORKER, "test_the_name_of_the_wall_time_is_taken"),
    "tuner/execution/attempt.py:AttemptRunner._checked_flow": (
        IN_A_WORKER,
        "test_a_gradient_flow_must_name_the_same_layers_in_every_epoch",
    ),
    "tuner/execution/attempt.py:AttemptRunner._refuse_changed_data": (
        IN_A_WORKER,
        "test_a_trainer_that_writes_into_the_shared_data_fails_at_its_last_epoch",
    ),
    "tuner/execution/ray_tune.py:RayTuneExecutor.start": (
        "only where Ray finds less than the machine has",
        "test_a_trial_that_asks_for_more_than_ray_finds_is_refused",
    ),
    "tuner/execution/ray_tune.py:RayTuneExecutor.run": (
        "Ray itself breaks",
        "test_a_run_that_ray_ends_is_told_with_the_way_to_go_on",
    ),
    "tuner/launching.py:_begin": (
        "it writes our empty tables first",
        "test_a_study_of_another_program_is_not_mixed_with_ours",
    ),
    "tuner/study.py:Study._all_seem_to_fail": (
        "many trials have to fail first",
        "test_a_study_in_which_every_trial_fails_in_the_same_way_ends_early_and_says_so",
    ),
    "tuner/reporting/report.py:write_page": (
        "the disk is full",
        "test_a_page_that_cannot_be_written_leaves_nothing_behind",
    ),
    "tuner/reporting/report.py:write_images": ("the disk is full", "test_images_that_cannot_be_written_are_said"),
    "tuner/reporting/report.py:_draw": (
        "a browser that does not start",
        "test_images_that_no_browser_draws_leave_nothing_behind",
    ),
    "storage/store.py:_refuse_deleted": (
        "somebody deletes the study while it runs",
        "test_an_error_of_the_study_comes_through_ray_as_it_is",
    ),
}


@dataclass(frozen=True, slots=True)
class Told:
    """What all cases told, and the lines of the product that ran meanwhile, by file."""

    outcomes: dict[Case, Outcome]
    lines: dict[str, set[int]]


@pytest.fixture(scope="module")
def told() -> Told:
    lines: dict[str, set[int]] = {}
    roots = tuple(f"{ROOT / room}/" for room in ROOMS)

    def note_call(frame: FrameType, event: str, argument: Any) -> Any:
        file = frame.f_code.co_filename
        if not file.startswith(roots):
            return None
        noted = lines.setdefault(str(Path(file).relative_to(ROOT)), set())

        def note_line(frame: FrameType, event: str, argument: Any) -> Any:
            noted.add(frame.f_lineno)
            return note_line

        return note_line(frame, event, argument)

    before = sys.gettrace()
    sys.settrace(note_call)
    try:
        outcomes = run_all()
    finally:
        sys.settrace(before)
    return Told(outcomes, lines)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.did)
def test_a_mistake_is_told_in_one_line_and_nothing_is_written(case: Case, told: Told) -> None:
    outcome = told.outcomes[case]
    lines = outcome.error.splitlines()
    assert outcome.exit_code == case.exit_code, outcome.error
    assert lines[-1].startswith("error: ")
    assert lines[-1].isprintable()
    assert len(lines[-1]) <= LONGEST_MESSAGE + len("error: ")
    if case.traceback:
        assert lines[0].startswith("Traceback")
    else:
        assert len(lines) == 1
    assert "s3cret" not in outcome.error + outcome.output
    assert outcome.after == outcome.before


def test_what_was_done_is_said_once() -> None:
    said = [(case.group, case.did) for case in CASES]
    assert len(set(said)) == len(said)


def test_the_page_shows_what_the_product_says_now(told: Told) -> None:
    assert PAGE.read_text() == page(told.outcomes), f"docs/errors.md is stale; make it anew: {HOW}"


def test_every_error_for_users_has_a_case(told: Told) -> None:
    """A new error needs a case in tests/error_cases.py, or an entry in ELSEWHERE with the test that shows it."""
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    forgotten, missed = [], set()
    for file, place, line, last_line in _raises():
        if told.lines.get(file, set()).isdisjoint(range(line, last_line + 1)):
            missed.add(f"{file}:{place}")
            if f"{file}:{place}" not in ELSEWHERE:
                forgotten.append(f"{file}:{line} in {place}")
    assert not forgotten
    assert set(ELSEWHERE) == missed, "these have a case now, or are gone: take them out of ELSEWHERE"
    assert [test for _, test in ELSEWHERE.values() if f"def {test}(" not in tests] == []


@pytest.mark.parametrize("url", ["postgresql://me:s3cret@host/db", "postgresql+psycopg://me:s3@cret@h:1/d",
                                 "postgresql://host/db?user=me&password=s3cret", "sqlite:///a:b@c.db"])  # fmt: skip
def test_both_rooms_hide_the_same_passwords(url: str) -> None:
    assert plain_line(f"look: {url}") == mask_passwords(f"look: {url}")


def test_a_question_that_nobody_answers_ends_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tuner.cli._load", mock.Mock(side_effect=EOFError))
    monkeypatch.setattr("sys.argv", ["tuner", "validate", str(PAGE)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err.strip() == "error: interrupted"


def test_an_empty_variable_means_no_database_but_an_empty_option_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_STORAGE", "")
    assert storage_url(None) == "sqlite:///tuner.db"
    with pytest.raises(InputError, match="storage: ' ' is no database URL"):
        storage_url(" ")


def _raises() -> Iterator[tuple[str, str, int, int]]:
    """(file, function, first line, last line) of every `raise` of an error for users."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield from _raises_in(ast.parse(path.read_text()), str(path.relative_to(ROOT)), "")


def _raises_in(node: ast.AST, file: str, place: str) -> Iterator[tuple[str, str, int, int]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Raise) and isinstance(child.exc, ast.Call):
            called = child.exc.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in FOR_USERS:
                yield file, place, child.lineno, child.end_lineno or child.lineno
        inner = isinstance(child, ast.FunctionDef | ast.ClassDef)
        yield from _raises_in(child, file, f"{place}.{child.name}".strip(".") if inner else place)
