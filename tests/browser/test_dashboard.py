"""`tuner dashboard` as people have it: a real process, a real study, a real browser."""

import base64
import contextlib
import http.client
import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from storage.reading import StudyReader
from tests.browser.conftest import WIDE
from tests.cli import Folder, Running
from tests.studies import make_space, simulate
from tests.trainers import curve
from tuner.execution.simulated import SimulatedExecutor
from tuner.reporting.sections import SECTIONS

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
SECONDS = 30_000  # for what a loaded machine needs; playwright counts milliseconds
HOSTILE = "<script>document.title='broken'</script><b>&amp;"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/tuner.db"


@pytest.fixture
def dashboard(folder: Folder) -> Iterator[Callable[..., Running]]:
    """Starts dashboards; each must end at once and leave nothing behind. To be named before `page`, which is then closed first:
    it complains when nobody answers."""
    started: list[Running] = []

    def start(*arguments: str, **environment: str) -> Running:
        folder.environment |= {"PYTHONPATH": str(ROOT), **environment}
        running = folder.start("dashboard", "--port", "0", *arguments)
        running.wait_for("Ctrl-C ends it")
        started.append(running)
        return running

    yield start
    for running in started:
        assert running.end(signal.SIGINT) == 0, running.output()
        assert "Traceback" not in running.output()
        assert "error" not in running.output()
    folder.wait_until_no_process_is_left()


@pytest.fixture
def growing(url: str) -> Iterator["subprocess.Popen[str]"]:
    """A study that runs in another process, an epoch for each line that is written to it."""
    process = subprocess.Popen([sys.executable, "-m", "tests.browser.gated_study", url], cwd=ROOT,
                               stdin=subprocess.PIPE, text=True)  # fmt: skip
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=120)


def let_epochs_pass(growing: "subprocess.Popen[str]", url: str, count: int) -> None:
    """Let the study train so many epochs, and wait until they are in the database."""
    before = recorded(url)
    assert growing.stdin is not None
    growing.stdin.write("\n" * count)
    growing.stdin.flush()
    deadline = time.monotonic() + 60
    while recorded(url) < before + count:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def recorded(url: str) -> int:
    """Epochs in the database; 0 where there is none yet."""
    with contextlib.suppress(sqlite3.OperationalError), contextlib.closing(connect(url)) as connection:
        return int(connection.execute("SELECT count(*) FROM tuner_epoch_metric WHERE name = 'score'").fetchone()[0])
    return 0


def connect(url: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{url.removeprefix('sqlite:///')}?mode=rw", uri=True, timeout=30)


def address(running: Running, name: str = "dashboard") -> str:
    found = re.search(rf"^{name}: (http://\S+)$", running.output(), re.MULTILINE)
    assert found, running.output()
    return found[1]


def ask(url: str, path: str = "/", method: str = "GET", body: str = "", **headers: str) -> http.client.HTTPResponse:
    """An answer, read to its end."""
    host, _, port = url.removeprefix("http://").rstrip("/").rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body or None, named)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def show(page: Page, where: str) -> None:
    """Open the page and wait for its first view."""
    page.goto(where)
    expect(page.locator("#facts .fact").first).to_be_visible(timeout=SECONDS)
    expect(page.locator("#history .main-svg").first).to_be_visible(timeout=SECONDS)
    expect(page.locator(".ag-center-cols-container .ag-row").first).to_be_visible(timeout=SECONDS)


def shown_trials(page: Page) -> list[int]:
    """Numbers in the table from top to bottom, of the rows that are drawn."""
    return page.evaluate(
        "[...document.querySelectorAll('.ag-pinned-left-cols-container .ag-row')]"
        ".sort((a, b) => a.rowIndex - b.rowIndex || a.getAttribute('row-index') - b.getAttribute('row-index'))"
        ".map(row => Number(row.getAttribute('row-id')))"
    )  # type: ignore[no-any-return]


def choose_trial(page: Page, number: int) -> None:
    page.locator(f'.ag-pinned-left-cols-container [row-id="{number}"] .ag-cell').click()
    expect(page.locator("#trial-title")).to_contain_text(f"Trial {number}:", timeout=SECONDS)


def no_sideways(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_a_finished_study_is_shown_with_every_figure_and_a_click_shows_the_trial(
    url: str, dashboard: Callable[..., Running], page: Page
) -> None:
    simulate(make_space(), url)
    running = dashboard()
    show(page, address(running))
    assert page.locator("#facts").inner_text().startswith("Trials\n12 of 12")
    expect(page.locator("#stop-study")).to_be_disabled()
    for section in SECTIONS[1:]:
        summary = page.locator("summary", has_text=section.title)
        summary.click()
        body = summary.locator("xpath=..").locator(".main-svg, p.explanation:not(:text('reading …'))").first
        expect(body).to_be_visible(timeout=SECONDS)
    assert no_sideways(page)
    titles = page.evaluate("[...document.querySelectorAll('.modebar-btn')].map(button => button.dataset.title)")
    assert "Zoom" in titles
    assert not [title for title in titles if "hare" in title or "loud" in title], "nothing is sent to plotly's makers"
    choose_trial(page, 3)
    expect(page.locator("#trial-words")).to_contain_text("rung 1: score", timeout=SECONDS)
    expect(page.locator("#stop-trial")).to_be_disabled()
    assert no_sideways(page)
    assert page.evaluate("location.search") == "?study=s&trial=3"
    page.reload()  # the address keeps what is shown
    expect(page.locator("#trial-title")).to_contain_text("Trial 3:", timeout=SECONDS)
    page.locator("#close-trial").click()
    expect(page.locator("#trial-panel")).to_be_hidden(timeout=SECONDS)
    assert page.evaluate("location.search") == "?study=s"


def test_a_click_on_a_mark_shows_its_trial(url: str, dashboard: Callable[..., Running], page: Page) -> None:
    simulate(make_space(), url)
    show(page, address(dashboard()))
    for _ in range(2):  # and again, after the panel was closed
        mark = page.locator("#history .scatterlayer .point").first
        mark.scroll_into_view_if_needed()
        box = mark.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(page.locator(".hoverlayer .hovertext")).to_be_visible(timeout=SECONDS)
        hovered = page.locator(".hoverlayer .hovertext").text_content() or ""
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        number = re.search(r"trial (\d+)", hovered)
        assert number
        expect(page.locator("#trial-title")).to_contain_text(f"Trial {number[1]}:", timeout=SECONDS)
        page.locator("#close-trial").click()
        expect(page.locator("#trial-panel")).to_be_hidden(timeout=SECONDS)


def test_zoom_sorting_filter_and_choice_stay_while_the_study_grows(
    url: str, dashboard: Callable[..., Running], page: Page, growing: "subprocess.Popen[str]"
) -> None:
    let_epochs_pass(growing, url, 30)
    show(page, address(dashboard()))
    begun = page.locator("#facts .value").first.inner_text()
    page.locator(".ag-header-cell[col-id=trial] .ag-header-cell-text").click()
    page.locator(".ag-header-cell[col-id=trial] .ag-header-cell-text").click()  # descending
    field = page.locator(".ag-floating-filter[col-id=state] input, .ag-header-cell[col-id=state] input").first
    field.fill("pruned")
    pruned = StudyReader(url).study("s").trials
    expected = [t.number for t in reversed(pruned) if t.state == "pruned"]
    page.wait_for_function("n => document.querySelectorAll('.ag-pinned-left-cols-container .ag-row').length === n",
                           arg=len(expected), timeout=SECONDS)  # fmt: skip
    assert shown_trials(page) == expected
    choose_trial(page, expected[-1])
    zoomed = zoom(page)
    page.evaluate("document.querySelector('#history .js-plotly-plot').wasHere = true")
    let_epochs_pass(growing, url, 25)
    expect(page.locator("#facts .value").first).not_to_have_text(begun, timeout=SECONDS)
    grown = [t.number for t in reversed(StudyReader(url).study("s").trials) if t.state == "pruned"]
    assert len(grown) > len(expected)
    page.wait_for_function("n => document.querySelectorAll('.ag-pinned-left-cols-container .ag-row').length === n",
                           arg=len(grown), timeout=SECONDS)  # fmt: skip
    assert shown_trials(page) == grown
    seen = page.evaluate("""() => { const figure = document.querySelector('#history .js-plotly-plot');
        return [figure.layout.xaxis.range, figure.data.reduce((sum, trace) => sum + trace.x.length, 0), figure.wasHere] }""")
    assert seen[0] == zoomed
    assert seen[2], "the figure was drawn anew, not made anew"
    assert page.locator(".ag-row-selected").first.get_attribute("row-id") == str(expected[-1])
    expect(page.locator("#trial-title")).to_contain_text(f"Trial {expected[-1]}:")


def zoom(page: Page) -> list[float]:
    """Drag the mouse over a part of the history; returns the range of the x axis that is shown then."""
    area = page.locator("#history .nsewdrag").first
    area.scroll_into_view_if_needed()
    whole, box = x_range(page), area.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.8, steps=5)
    page.mouse.up()
    page.wait_for_timeout(500)
    zoomed = x_range(page)
    assert zoomed[1] - zoomed[0] < 0.6 * (whole[1] - whole[0])
    return zoomed


def x_range(page: Page) -> list[float]:
    shown: list[float] = page.evaluate("document.querySelector('#history .js-plotly-plot').layout.xaxis.range")
    return shown


def test_the_stop_buttons_ask_the_study_after_a_question(
    url: str, dashboard: Callable[..., Running], page: Page, growing: "subprocess.Popen[str]"
) -> None:
    let_epochs_pass(growing, url, 3)
    (running,) = StudyReader(url).standing("s").running
    asked: list[str] = []
    show(page, address(dashboard()))
    choose_trial(page, running.number)
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.locator("#stop-trial").click()
    page.wait_for_timeout(500)
    assert requests(url) == []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    page.locator("#stop-trial").click()
    expect(page.locator("#trial-answer")).to_contain_text(
        f"asked: trial {running.number} of study 's'", timeout=SECONDS
    )
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    page.locator("#stop-study").click()
    expect(page.locator("#answer")).to_contain_text("tuner resume s goes on", timeout=SECONDS)
    assert requests(url) == [running.number, None]
    assert [question.partition("?")[0] for question in asked] == [
        f"Stop trial {running.number} for good", f"Stop trial {running.number} for good", "Stop study s",
    ]  # fmt: skip


def requests(url: str) -> list[int | None]:
    """Trials (None: the study) that somebody asked to stop."""
    with contextlib.closing(connect(url)) as connection:
        rows = connection.execute(
            "SELECT number FROM tuner_request LEFT JOIN trials USING (trial_id) ORDER BY request_id"
        )
        return [number for (number,) in rows]


def test_hostile_text_is_shown_as_text(url: str, dashboard: Callable[..., Running], page: Page) -> None:
    space = make_space(
        study=HOSTILE,
        metric={"name": "score<i>", "goal": "maximize"},
        space={"x": {"low": 0.0, "high": 1.0}, "kind<u>": [HOSTILE, f"b{HOSTILE}"]},
    )
    executor = SimulatedExecutor(lambda configuration, epoch: {"score<i>": curve(configuration, epoch)["score"]})
    simulate(space, url, executor)
    with contextlib.closing(connect(url)) as connection, connection:
        connection.execute("UPDATE tuner_attempt SET output = ?, traceback = ?", (HOSTILE, f"ValueError: {HOSTILE}"))
    show(page, address(dashboard()))
    choose_trial(page, 0)
    for summary in page.locator("summary").all():
        summary.click()
    expect(page.locator("pre").first).to_have_text(f"ValueError: {HOSTILE}", timeout=SECONDS)
    expect(page.locator("pre").last).to_have_text(HOSTILE)
    expect(page.locator("#study")).to_contain_text(HOSTILE)
    expect(page.locator("dt").last).to_have_text("kind<u>")
    expect(page.locator("#history h3")).to_have_text("Best score<i> of every trial")
    assert page.title() == "tuner"
    assert page.evaluate("document.querySelectorAll('body u, body i, main b, main script').length") == 0


def test_a_database_that_goes_away_comes_back_and_a_deleted_study_is_said(
    browser: Browser, url: str, folder: Folder, dashboard: Callable[..., Running]
) -> None:
    simulate(make_space(), url)
    page = browser.new_context(viewport=WIDE).new_page()
    show(page, f"{address(dashboard())}?study=s")
    file, away = folder.path / "tuner.db", folder.path / "away.db"
    file.rename(away)
    expect(page.locator("#note")).to_contain_text("tuner.db does not exist", timeout=SECONDS)
    expect(page.locator("#history .main-svg").first).to_be_visible()
    away.rename(file)
    expect(page.locator("#note")).to_contain_text("not running; read at", timeout=SECONDS)
    folder.run("delete", "s", "--yes")
    expect(page.locator("#note")).to_contain_text("study 's' is not in this database", timeout=SECONDS)
    page.context.close()


def test_a_dashboard_that_looks_on_does_not_keep_the_write_ahead_log(
    browser: Browser, url: str, dashboard: Callable[..., Running], growing: "subprocess.Popen[str]"
) -> None:
    let_epochs_pass(growing, url, 5)
    page = browser.new_context(viewport=WIDE).new_page()
    show(page, f"{address(dashboard())}?study=s&trial=0")
    for _ in range(6):
        let_epochs_pass(growing, url, 5)
        page.wait_for_timeout(1500)
    with contextlib.closing(connect(url)) as connection:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert busy == 0
        assert Path(url.removeprefix("sqlite:///") + "-wal").stat().st_size == 0
    page.context.close()


def test_a_password_is_asked_for_both_pages(url: str, dashboard: Callable[..., Running]) -> None:
    simulate(make_space(), url)
    running = dashboard("--optuna", TUNER_DASHBOARD_PASSWORD="s3cret ü")
    for where in (address(running), address(running, "optuna-dashboard")):
        for path in ("/", "/_dash-layout", "/api/studies"):
            assert ask(where, path).status == 401
        assert ask(where, Authorization=basic("me:wrong")).status == 401
        assert ask(where, Authorization="Basic %%%").status == 401
        assert ask(where, Authorization=basic("anybody:s3cret ü")).status in (200, 302)
    assert "s3cret" not in running.output()


def basic(credentials: str) -> str:
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"


def test_an_address_that_others_reach_is_served_with_a_password_under_any_name(
    url: str, dashboard: Callable[..., Running]
) -> None:
    simulate(make_space(), url)
    running = dashboard("--host", "0.0.0.0", TUNER_DASHBOARD_PASSWORD="s3cret")
    where = address(running).replace("0.0.0.0", "127.0.0.1")
    assert ask(where).status == 401
    assert ask(where, Host="studies.example", Authorization=basic(":s3cret")).status == 200


def test_other_names_and_other_pages_are_turned_away(url: str, dashboard: Callable[..., Running]) -> None:
    simulate(make_space(), url)
    running = dashboard("--optuna")
    for where in (address(running), address(running, "optuna-dashboard")):
        here = where.removeprefix("http://").rstrip("/")
        port = here.rpartition(":")[2]
        assert [ask(where, Host=host).status for host in (here, f"localhost:{port}", f"[::1]:{port}")] != [403] * 3
        assert [ask(where, Host=host).status for host in (f"evil.example:{port}", "127.0.0.1.evil.example", "")] == [
            403
        ] * 3
        answer = ask(where)
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    where = address(running, "optuna-dashboard")
    assert json_delete(where, "http://evil.example") == 403
    assert json_delete(where, "") == 403
    assert [study for study in StudyReader(url).names()] == ["s"]
    assert json_delete(where, where.rstrip("/")) == 204
    assert StudyReader(url).names() == []
    where = address(running)
    assert ask(where, "/_dash-update-component", "POST", "{}", Origin="http://evil.example").status == 403
    assert ask(where, "/_dash-update-component", "POST", "{}").status == 403


def json_delete(where: str, origin: str) -> int:
    """Delete the first study through optuna-dashboard, as a page of this origin."""
    headers = {"Origin": origin} if origin else {}
    return ask(where, "/api/studies/1", "DELETE", json.dumps({}), Content_Type="application/json", **headers).status


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_at_once_and_quietly(url: str, folder: Folder, number: signal.Signals, code: int) -> None:
    simulate(make_space(), url)
    before = folder.files()
    folder.environment["PYTHONPATH"] = str(ROOT)
    running = folder.start("dashboard", "--port", "0", "--optuna")
    running.wait_for("Ctrl-C ends it")
    assert ask(address(running)).status == 200
    assert running.end(number) == code
    assert len(running.output().splitlines()) == 3
    assert {name for name in folder.files() - before if not name.startswith("output-")} == set()
    folder.wait_until_no_process_is_left()
