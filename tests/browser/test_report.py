"""The report of a real study in a real browser, opened as the file that it is."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

import tuner
from tests.browser.looking import HOSTILE, cut_off_texts, goes_sideways, overlapping_texts, pale_texts
from tests.studies import make_space, simulate, train
from tuner.events import AttemptEnd
from tuner.execution.simulated import SimulatedExecutor
from tuner.reporting.report import write_images, write_page
from tuner.reporting.sections import SECTIONS
from tuner.reporting.study_data import StudyData, read_study

pytestmark = pytest.mark.browser

VGG: dict[str, Any] = {
    "study": "digits",
    "metric": {"name": "validation_accuracy", "goal": "maximize"},
    "trainer": "vgg",
    "settings": {"dataset": "digits", "depth": 8, "filters": 4, "epochs": 4, "train_images": 200},
    "space": {
        "bn_position": ["none", "before_relu", "after_relu"],
        "batch_size": [20, 50],
        "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
        "dropout": {"low": 0.0, "high": 0.4, "step": 0.2, "when": {"bn_position": ["before_relu", "after_relu"]}},
    },
    "budget": {"trials": 14},
}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> StudyData:
    """A small study, really trained."""
    url = f"sqlite:///{tmp_path_factory.mktemp('digits')}/tuner.db"
    train(url, **VGG)
    return read_study(tuner.open_study(url, "digits"))


@pytest.fixture(scope="module")
def report(digits: StudyData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its report."""
    return written([digits], tmp_path_factory.mktemp("report"))


def written(studies: list[StudyData], folder: Path) -> Path:
    file = folder / "report.html"
    write_page(studies, "sqlite:///tuner.db", file)
    return file


def draw_all(page: Page, file: Path) -> list[str]:
    """Open a report and draw it to its end; returns the ids of its figures."""
    page.goto(file.as_uri())
    page.evaluate("drawAll()")
    return list(page.evaluate("[...document.querySelectorAll('.plot')].map((plot) => plot.id)"))


def test_every_figure_is_drawn_and_nothing_is_cut_off_overlaps_or_goes_sideways(page: Page, report: Path) -> None:
    figures = draw_all(page, report)
    assert figures
    for figure in figures:
        assert page.locator(f"#{figure} .main-svg").first.is_visible()
    assert not goes_sideways(page)
    assert cut_off_texts(page) == []
    assert overlapping_texts(page) == []


def test_all_text_stands_out_from_what_is_behind_it(page: Page, report: Path) -> None:
    draw_all(page, report)
    assert pale_texts(page) == []


def test_figures_are_drawn_when_they_come_near(page: Page, report: Path) -> None:
    page.goto(report.as_uri())
    page.evaluate("window.drawn = () => document.querySelectorAll('.plot[data-drawn]').length")
    last = page.locator(".plot").last
    last.scroll_into_view_if_needed()
    last.locator(".main-svg").first.wait_for()
    assert page.evaluate("drawn()") >= 1


def test_the_mouse_on_a_mark_tells_its_trial(page: Page, report: Path) -> None:
    draw_all(page, report)
    figure = page.locator("#history-1")
    figure.scroll_into_view_if_needed()
    point = page.locator("#history-1 .scatterlayer .points path").first.bounding_box()
    assert point is not None
    page.mouse.move(point["x"] + point["width"] / 2, point["y"] + point["height"] / 2)
    hover = page.locator("#history-1 .hoverlayer .hovertext")
    hover.wait_for()
    assert "trial" in (hover.text_content() or "")
    assert "bn_position" in (hover.text_content() or "")


def test_the_headline_says_what_the_database_says(page: Page, report: Path, digits: StudyData) -> None:
    page.goto(report.as_uri())
    best = digits.trials["value"].max()
    assert page.locator(".number").inner_text() == f"{best:.4g}"
    assert page.locator("h1").inner_text() == "digits"
    assert page.locator("table.trials tbody tr").count() == 14
    assert page.locator("table.trials tbody tr.winner").count() == 1
    assert "tuner reproduce digits" in page.locator("#again").inner_text()
    assert "bn_position" in page.locator("#space pre").inner_text()


def test_a_click_on_a_heading_sorts_the_trials_and_a_second_one_the_other_way(
    page: Page, report: Path, digits: StudyData
) -> None:
    page.goto(report.as_uri())
    heading = page.locator("table.trials th", has_text="learning_rate")

    def order() -> list[int]:
        rows = page.locator("table.trials tbody tr td:first-child").all_inner_texts()
        return [int(number) for number in rows]

    ascending = digits.trials.sort_values("params_learning_rate").index.tolist()
    heading.get_by_role("button").click()
    assert order() == ascending
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").press("Enter")
    assert order() == ascending[::-1]
    page.locator("table.trials th", has_text="dropout").get_by_role("button").click()
    missing = digits.trials["params_dropout"].isna()
    assert missing.any()
    assert set(order()[-missing.sum() :]) == set(digits.trials.index[missing])


def test_paper_has_every_figure_and_all_that_is_folded(page: Page, report: Path, digits: StudyData) -> None:
    page.goto(report.as_uri())
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 688, "height": 1017})  # A4 within its margins
    assert page.evaluate("[...document.querySelectorAll('.plot')].every((plot) => plot.querySelector('.main-svg'))")
    assert page.evaluate("[...document.querySelectorAll('details')].every((details) => details.open)")
    widths = page.evaluate(
        "[...document.querySelectorAll('.plot .main-svg')].map((svg) => svg.getBoundingClientRect().width)"
    )
    assert set(widths) == {680}
    assert cut_off_texts(page) == []
    assert not page.locator("nav").first.is_visible()


def test_several_studies_stand_side_by_side_and_then_one_after_another(
    page: Page, digits: StudyData, tmp_path: Path
) -> None:
    def curve(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
        return {"validation_accuracy": configuration["x"] * epoch / 9}

    space = make_space(study="curves", metric=VGG["metric"])
    simulate(space, f"sqlite:///{tmp_path}/tuner.db", SimulatedExecutor(curve))
    other = read_study(tuner.open_study(f"sqlite:///{tmp_path}/tuner.db", "curves"))
    figures = draw_all(page, written([digits, other], tmp_path))
    assert any(figure.startswith("study-1-") for figure in figures)
    assert any(figure.startswith("study-2-") for figure in figures)
    assert page.locator("#comparison tbody tr").count() == 2
    assert page.locator("article h2").all_inner_texts() == ["digits", "curves"]
    ids = page.evaluate("[...document.querySelectorAll('[id]')].filter((e) => !e.closest('svg')).map((e) => e.id)")
    assert len(ids) == len(set(ids))
    broken = page.evaluate(
        "[...document.querySelectorAll('a')].map((a) => a.hash).filter((hash) => !document.querySelector(hash))"
    )
    assert broken == []
    assert not goes_sideways(page)
    assert cut_off_texts(page) == []
    assert overlapping_texts(page) == []
    assert pale_texts(page) == []


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study in which everything that has a name is called so as to be taken for HTML."""
    folder = tmp_path_factory.mktemp("hostile")
    url = f"sqlite:///{folder}/tuner.db"

    def curve(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
        broken = configuration[HOSTILE] == "b" and epoch == 3
        return {HOSTILE: epoch * configuration["x"], f"loss{HOSTILE}": math.nan if broken else 0.5}

    class Raises(SimulatedExecutor):
        def run(self, study: Any) -> None:
            study.on_end(study.next_trial(), AttemptEnd.RAISED, f"Traceback\n{HOSTILE}\nValueError: {HOSTILE}")
            super().run(study)

    def flow(configuration: Mapping[str, Any], epoch: int) -> dict[str, float]:
        return {f"first{HOSTILE}": 0.1 * epoch, f"last{HOSTILE}": 0.01}

    space = make_space(
        study=HOSTILE,
        metric={"name": HOSTILE, "goal": "maximize"},
        space={"x": {"low": 0.0, "high": 1.0}, "y": {"low": 0.0, "high": 1.0}, HOSTILE: [HOSTILE, "b", None]},
    )
    simulate(space, url, Raises(curve, gradient_flow=flow))
    return written([read_study(tuner.open_study(url, HOSTILE))], folder)


def test_hostile_text_is_shown_as_text_everywhere(page: Page, hostile: Path) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    figures = draw_all(page, hostile)
    scripts = page.locator("script:not([type])").count()
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    shown: dict[str, str] = {}
    for figure in figures:
        shown[figure] = page.locator(f"#{figure}").text_content() or ""
        for curve in range(page.evaluate(f"document.getElementById('{figure}').data.length")):
            # not every kind of trace can be hovered over by number
            page.evaluate(
                f"try {{ Plotly.Fx.hover('{figure}', [{{curveNumber: {curve}, pointNumber: 0}}]) }} catch {{}}"
            )
            shown[figure] += page.locator(f"#{figure} .hoverlayer").first.text_content() or ""
        assert str(page.evaluate(f"Plotly.toImage('{figure}', {{format: 'svg'}})")).startswith("data:image/svg")
    assert dialogs == []
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("script:not([type])").count() == scripts == 2
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.title() == HOSTILE
    assert HOSTILE in page.locator("table.trials").inner_text()
    assert f"ValueError: {HOSTILE}" in page.locator("#broken").inner_text()
    assert f"loss{HOSTILE} is nan" in page.locator("#broken").inner_text()
    assert f"Traceback\n{HOSTILE}" in page.locator("#broken pre").first.inner_text()
    assert HOSTILE in shown["history-1"]  # its axis; and in what the mouse tells, the category
    assert f"{HOSTILE} b" in shown["history-1"] or f"{HOSTILE} null" in shown["history-1"]
    assert not goes_sideways(page)


def test_nothing_but_the_two_scripts_of_the_page_may_run(browser: Browser, report: Path) -> None:
    """Even if some text were taken for HTML one day: the page's own policy stands behind the escaping."""
    page = browser.new_page()
    page.goto(report.as_uri())
    with page.expect_console_message(lambda message: "Content Security Policy" in message.text):
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=data:, onerror=\"window.ran = 1\">')")
    assert page.evaluate("window.ran") is None
    page.close()


@pytest.mark.parametrize(("image_format", "begins"), [("png", b"\x89PNG"), ("svg", b"<svg")])
def test_every_figure_becomes_an_image(
    browser: Browser, digits: StudyData, image_format: str, begins: bytes, tmp_path: Path
) -> None:
    written_files = write_images([digits, digits], image_format, tmp_path / "new" / "images")
    figures = [figure for section in SECTIONS for figure in section.draw(digits)]
    # studies of one name do not overwrite each other, and three figures set both side by side
    assert len(set(written_files)) == 2 * len(figures) + 3
    assert {path.name for path in (tmp_path / "new" / "images").iterdir()} == {path.name for path in written_files}
    assert f"digits-history.{image_format}" in {path.name for path in written_files}
    for path in written_files:
        assert path.read_bytes().startswith(begins)
