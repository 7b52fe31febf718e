"""Pages in a real browser: Debian's chromium, driven by playwright. Nothing but this machine can be reached from it."""

import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

WIDE, NARROW = {"width": 1400, "height": 900}, {"width": 390, "height": 844}  # pixels: a desk, a phone


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.fail("no browser: install Debian's package chromium (apt-get install chromium), or leave out -m browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])  # CI is root
        yield browser
        browser.close()


@pytest.fixture(params=[WIDE, NARROW], ids=["1400px", "390px"])
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A fresh page that may only speak to this machine, and must have complained of nothing in its console."""
    context = browser.new_context(viewport=request.param)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def here_only(route: Route) -> None:
        host = urlsplit(route.request.url).hostname
        if host in (None, "", "127.0.0.1", "localhost"):
            route.continue_()
        else:
            complaints.append(f"asked for {route.request.url}")
            route.abort()

    context.route("**/*", here_only)
    yield page
    context.close()
    assert complaints == []
