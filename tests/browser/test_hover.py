"""What a mark tells when the mouse stands on it, in a real browser."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import Page

import tuner
from tests.studies import make_space, simulate
from tests.trainers import curve
from tuner.execution.simulated import SimulatedExecutor
from tuner.reporting.sections import SECTIONS
from tuner.reporting.study_data import read_study

MARKS = {
    "parallel-coordinates": ".scatterlayer .points path",
    "importance": ".barlayer .point path",
    "slice": ".scatterlayer .points path",
    "contour": ".scatterlayer .points path",
    "time-line": ".barlayer .trace:nth-child(2) .point path",
    "spending": ".barlayer .point path",
}
WORDS = {
    "parallel-coordinates": ("trial ", "x 0.", "score "),
    "importance": (": 0.",),
    "slice": ("trial ", "x 0.", "score "),
    "contour": ("trial ", "x 0.", "score "),
    "time-line": ("trial ", "x 0.", "attempt 1: ", "on simulated, none, launch 1"),
    "spending": ("best three: ",),
}


@pytest.mark.browser
@pytest.mark.parametrize("key", list(MARKS))
def test_a_mark_tells_its_trial_and_configuration(key: str, page: Page, sqlite_url: str, tmp_path: Path) -> None:
    # launches are in the present, whatever the virtual clock says: far apart from them, bars are narrower than a pixel
    simulate(
        make_space(budget={"trials": 30}), sqlite_url, SimulatedExecutor(curve, workers=2, start=time.time() - 7200)
    )
    section = next(section for section in SECTIONS if section.key == key)
    figure = section.draw(read_study(tuner.open_study(sqlite_url, "s")))[0]
    drawn = tmp_path / "figure.html"
    figure.write_html(drawn, include_plotlyjs=True, config={"responsive": True})
    page.goto(f"file://{drawn}")
    mark = page.locator(MARKS[key]).first
    mark.wait_for()
    box = mark.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x + 2, y + 2)
    page.mouse.move(x, y)
    hover = page.locator(".hoverlayer .hovertext").first
    hover.wait_for()
    text = hover.text_content() or ""
    for words in WORDS[key]:
        assert words in text
