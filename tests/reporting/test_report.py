"""The page as text, and the files of a report: names, sizes, and that nothing is half written."""

import base64
import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import plotly.graph_objects as go
import pytest

import tuner
from benchmarks.filling import NAME, begin_study, configurations, fill
from benchmarks.filling import make_space as make_large_space
from tests.studies import make_space, simulate
from tuner.errors import InputError
from tuner.reporting.figures.style import new_figure
from tuner.reporting.page import figure_json, figures_of, render_page
from tuner.reporting.report import page_file, safe_name, write_images, write_page
from tuner.reporting.sections import CLOSER_SECTIONS, FIRST_SECTIONS
from tuner.reporting.study_data import StudyData, read_study

MEGABYTE = 1_000_000


@pytest.fixture
def study(sqlite_url: str) -> StudyData:
    simulate(make_space(), sqlite_url)
    return read_study(tuner.open_study(sqlite_url, "s"))


def test_a_page_asks_for_nothing_else(study: StudyData) -> None:
    page = render_page([study], "sqlite:///tuner.db")
    assert page.startswith("<!doctype html>")
    rest = page.replace(page[page.index("<script>") :], "")  # plotly.js names addresses that it does not ask for
    assert "http://" not in rest
    assert "https://" not in rest
    assert "src=" not in rest
    assert "default-src 'none'" in rest


def test_the_parts_of_a_page_stand_in_the_order_of_the_story(study: StudyData) -> None:
    page = render_page([study], "sqlite:///tuner.db")
    first, closer = ([section.key for section in sections] for sections in (FIRST_SECTIONS, CLOSER_SECTIONS))
    parts = [*first, "broken", "trials", *closer, "space", "provenance", "again"]
    places = [page.index(f'<section id="{name}"') for name in parts]
    assert places == sorted(places)


def test_a_page_says_where_a_study_comes_from_and_how_to_run_it_again(study: StudyData) -> None:
    page = render_page([study], "postgresql://me:***@host/db")
    assert "tuner resume s --storage &#39;postgresql://me:***@host/db&#39;" in page
    assert "tuner reproduce s " in page
    assert "sampler:" in page
    assert str(study.launches["hostname"][0]) in page
    assert study.launches["versions"][0]["optuna"] in page


def test_a_study_without_a_trial_has_a_page_that_says_so(sqlite_url: str) -> None:
    simulate(make_space(), sqlite_url, mock.Mock(cpus=1.0, gpus=0.0, concurrency=1, clock=None))
    page = render_page([read_study(tuner.open_study(sqlite_url, "s"))], sqlite_url)
    assert "No trial has a finite value yet." in page
    assert "No trial has been begun yet." in page
    assert "No trial broke." in page


def test_a_hundred_trials_of_a_hundred_epochs_make_a_page_of_less_than_eight_megabytes(sqlite_url: str) -> None:
    space = make_large_space(epochs=100)
    store, launch_id = begin_study(sqlite_url, space)
    fill(store, space, configurations(space, 100), launch_id)
    page = render_page([read_study(tuner.open_study(sqlite_url, NAME))], sqlite_url)
    assert len(page.encode()) < 8 * MEGABYTE


def decoded(figure: go.Figure, name: str) -> tuple[str, list[float]]:
    values = json.loads(figure_json(figure))["data"][0][name]
    return values["dtype"], np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]).tolist()


def test_numbers_are_half_as_long_where_nobody_can_see_it() -> None:
    values = np.array([0.1, 1e-8, np.nan, np.inf])
    dtype, kept = decoded(go.Figure(go.Scatter(y=values)), "y")
    assert dtype == "f4"
    np.testing.assert_allclose(kept, values, rtol=1e-6)


@pytest.mark.parametrize("values", [[1.7e12 + 0.25, 1.7e12 + 1.5], [1e300, 1.0], [16777217.0, 16777217.0]])
def test_numbers_that_would_be_others_are_kept_whole(values: list[float]) -> None:
    assert decoded(go.Figure(go.Scatter(y=np.array(values))), "y") == ("f8", values)


def test_no_text_ends_the_script_that_holds_a_figure() -> None:
    name = "</script><!-- \u2028 & '"
    written = figure_json(go.Figure(go.Scatter(y=[1], name=name)))
    assert not set("<>&'\u2028") & set(written)
    assert json.loads(written)["data"][0]["name"] == name


def test_titles_become_text_of_the_page() -> None:
    (shown,) = figures_of([new_figure("a &lt;b&gt; &amp;lt; <b>c</b>", "first<br>second")], "history")
    assert (shown.title, shown.explanation) == ("a <b> &lt; c", "first second")
    assert "text" not in json.loads(shown.json)["layout"].get("title", {})


@pytest.mark.parametrize(
    ("study", "name"),
    [
        ("vgg38-digits", "vgg38-digits"),
        ("digits/evaluation", "digits-evaluation"),
        ("../../etc/passwd", "etc-passwd"),
        ("<script>alert(1)</script>", "script-alert-1-script"),
        (".hidden", "hidden"),
        ("größe 3.5", "größe-3.5"),
        ("///", "study"),
        ("x" * 250, "x" * 60),
    ],
)
def test_names_of_studies_become_names_of_files(study: str, name: str) -> None:
    assert safe_name(study) == name


def test_a_page_lies_in_the_working_folder_unless_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert page_file(["a b"], None) == Path("a-b-report.html")
    assert page_file(["a", "b", "c"], None) == Path("a-and-2-more-report.html")
    assert page_file(["a"], Path("x.html")) == Path("x.html")


def test_a_report_replaces_a_report_and_nothing_else(study: StudyData, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    write_page([study], "sqlite:///tuner.db", page_file(["s"], file))
    write_page([study], "sqlite:///tuner.db", page_file(["s"], file))
    file.write_text("<!doctype html><html>my own page</html>")
    with pytest.raises(InputError, match="is there already and is no report"):
        page_file(["s"], file)


def test_a_report_of_other_studies_is_not_replaced_unless_its_file_is_named(
    study: StudyData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_page([study], "sqlite:///tuner.db", page_file(["s"], None))
    assert page_file(["s"], None) == Path("s-report.html")
    Path("s-report.html").rename("a-b-report.html")
    with pytest.raises(InputError, match="the report of other studies"):
        page_file(["a b"], None)
    assert page_file(["a b"], Path("a-b-report.html")) == Path("a-b-report.html")


def test_a_pipe_is_no_report_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is there already and is no report"):
        page_file(["s"], tmp_path / "pipe")


def test_a_page_that_cannot_be_written_leaves_nothing_behind(study: StudyData, tmp_path: Path) -> None:
    with (
        mock.patch.object(Path, "replace", side_effect=OSError("no space left on device")),
        pytest.raises(InputError, match=r"--output: .*report\.html cannot be written \(no space left on device\)"),
    ):
        write_page([study], "sqlite:///tuner.db", tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("study.db")] == []


@pytest.mark.parametrize(
    "trouble", [{"side_effect": RuntimeError("no display")}, {"return_value": (RuntimeError("no display"),)}]
)
def test_images_that_no_browser_draws_leave_nothing_behind(
    study: StudyData, tmp_path: Path, trouble: dict[str, Any]
) -> None:
    with (
        mock.patch("kaleido.write_fig_from_object_sync", **trouble),
        pytest.raises(InputError, match="--png: the browser does not draw: no display"),
    ):
        write_images([study], "png", tmp_path / "images")
    assert not (tmp_path / "images").exists()


def test_images_that_cannot_be_written_are_said(study: StudyData, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        mock.patch("kaleido.write_fig_from_object_sync", return_value=()),
        pytest.raises(InputError, match=r"--svg: .* cannot be written"),
    ):
        write_images([study], "svg", tmp_path / "file" / "images")
