"""What people see: the dashboard's learning curves and the API's documentation, in a real browser.

Every request of the browser is recorded; none may leave this machine.
"""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from search.study import Budget, StudyRequest
from tests.acceptance.running import Running, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
)
PATIENCE_MS = 30_000

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service with one completed study of four trials."""
    with serving(tmp_path_factory.mktemp("browser") / "one", workers=2) as running, running.client() as client:
        client.create_study(StudyRequest(name="seen", task="digits-mlp", epochs=6, budget=Budget(trials=4)))
        running.wait_for_end("seen")
        yield running


class Recorded:
    """A page, and where its requests went."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def foreign(self) -> list[str]:
        """Requests to anything but this machine; pictures inside the page are no requests."""
        parts = map(urlsplit, self.requests)
        return [each.geturl() for each in parts if each.scheme not in ("data", "blob") and each.hostname != "127.0.0.1"]


@pytest.fixture
def browser() -> Iterator[Recorded]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = chromium.new_page(viewport={"width": 1400, "height": 1600})
        yield Recorded(page)
        chromium.close()


def test_the_study_page_shows_the_learning_curve_of_every_trial(
    service: Running, browser: Recorded, tmp_path: Path
) -> None:
    with urllib.request.urlopen(f"{service.url}/api/studies", timeout=20) as answer:
        (study,) = json.load(answer)["study_summaries"]
    browser.page.goto(f"{service.url}/dashboard/studies/{study['study_id']}")
    curves = browser.page.locator("#graph-intermediate-values .scatterlayer .trace")
    curves.nth(3).wait_for()
    curves.nth(3).scroll_into_view_if_needed()
    browser.page.screenshot(path=tmp_path / "study.png")
    assert curves.count() == 4
    assert browser.foreign() == []
    assert browser.complaints == []


def test_the_api_documentation_opens_without_asking_any_other_machine(
    service: Running, browser: Recorded, tmp_path: Path
) -> None:
    browser.page.goto(f"{service.url}/docs")
    browser.page.get_by_text("/v1/studies", exact=True).first.wait_for()
    browser.page.screenshot(path=tmp_path / "docs.png")
    assert browser.page.get_by_text("/v1/work/claim", exact=True).count() == 1
    assert browser.foreign() == []
    assert browser.complaints == []
