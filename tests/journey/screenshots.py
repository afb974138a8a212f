"""`make screenshots`: walks the journey and leaves its pictures in docs/screenshots. Anyone can rerun it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.journey.browser import Browser, chromium
from tests.journey.steps import Journey
from tests.live import ROOT, free_port
from tests.product import RunningProduct

FOLDER = ROOT / "docs" / "screenshots"
_PAGES = (
    "overview",
    "console",
    "subscribers",
    "segments",
    "templates",
    "campaigns",
    "usage",
    "applications",
    "members",
)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="pushsaas-screenshots-") as folder:
        product = RunningProduct(Path(folder) / "home", free_port())
        try:
            product.wait_for("API key")
            with chromium() as browser:
                walk(product, browser)
        finally:
            product.end()


def walk(product: RunningProduct, browser: Browser) -> None:
    taken = 0

    def picture(name: str) -> None:
        nonlocal taken
        taken += 1
        browser.screenshot(FOLDER / f"{taken:02d}-{name}.png")
        sys.stdout.write(f"{name}\n")

    journey = Journey(product, browser, picture)
    journey.sign_in_with_a_second_factor()
    journey.see_a_publication_arrive()
    journey.send_a_campaign()
    journey.see_the_campaign_arrive()
    journey.read_what_it_cost()
    browser.prefer(dark=True)
    pages(journey, "dark", _PAGES)
    browser.prefer()
    speak_chinese(journey)
    pages(journey, "zh-hans", ("overview", "campaigns", "usage"))
    browser.resize(390, 844)
    pages(journey, "phone", ("overview", "live", "campaigns", "usage"))


def pages(journey: Journey, look: str, names: tuple[str, ...]) -> None:
    for name in names:
        journey.open(f"/{name}/")
        journey.browser.find("h1")
        journey.browser.screenshot(FOLDER / look / f"{name}.png")


def speak_chinese(journey: Journey) -> None:
    cookie = {"name": "django_language", "value": "zh-hans", "path": "/"}
    journey.browser.driver.add_cookie(cookie)


if __name__ == "__main__":
    main()
