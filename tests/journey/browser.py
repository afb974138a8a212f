"""Headless Chromium for tests and screenshots. Debian's packages; nothing is downloaded."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

T = TypeVar("T")

_QUIET = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--force-color-profile=srgb", "--disable-features=Translate,OptimizationHints,MediaRouter",
)  # fmt: skip


def require_chromium() -> None:
    """Skips the test where Chromium is missing; in CI that is a failure."""
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if not missing:
        return
    reason = f"{' and '.join(missing)} not installed"
    if os.environ.get("PUSHSAAS_REQUIRE_TOOLS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


class Browser:
    """A window and the few verbs a person needs. A wait that outlasts `patience` (seconds) says what was expected."""

    def __init__(self, driver: webdriver.Chrome, patience: float = 20) -> None:
        self.driver = driver
        self._patience = patience
        self._size = (1280, 900)

    def open(self, url: str) -> None:
        self.driver.get(url)

    def open_tab(self) -> None:
        """A second tab, of the same size and preferences, which from now on is the one looked at."""
        self.driver.switch_to.new_window("tab")
        self.resize(*self._size)
        self.prefer()

    def find(self, css: str) -> WebElement:
        """The first visible element, as soon as there is one."""
        return self.wait(
            lambda: next((e for e in self.driver.find_elements(By.CSS_SELECTOR, css) if e.is_displayed()), None), css
        )

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def wait(self, found: Callable[[], T | None], what: str) -> T:
        """found: called until it returns something true, which is the result. what: for the message if not."""
        deadline = time.monotonic() + self._patience
        while True:
            with suppress(StaleElementReferenceException):  # the page was replaced while we looked at it
                if result := found():
                    return result
            if time.monotonic() > deadline:
                raise AssertionError(f"not seen: {what}\nat {self.driver.current_url}\n{self.text()[:3000]}")
            time.sleep(0.1)

    def see(self, text: str) -> None:
        self.wait(lambda: text in self.text(), repr(text))

    def text(self) -> str:
        return str(self.driver.execute_script("return document.body ? document.body.innerText : ''"))

    def fill(self, name: str, value: str) -> None:
        field = self.find(f"[name='{name}']")
        field.clear()
        field.send_keys(value)

    def press(self, css: str) -> None:
        """Clicks a control and lets the page settle."""
        element = self.find(css)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def follow(self, text: str) -> None:
        """Clicks the visible link or button that carries this text."""
        wanted = f"//a[normalize-space()={text!r}]|//button[normalize-space()={text!r}]"
        element = self.wait(
            lambda: next((e for e in self.driver.find_elements(By.XPATH, wanted) if e.is_displayed()), None), text
        )
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def at(self, part: str) -> None:
        """Waits until the address contains `part`."""
        self.wait(lambda: part in self.driver.current_url, f"address with {part}")

    def resize(self, width: int, height: int) -> None:
        self._size = (width, height)
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )

    def prefer(self, *, dark: bool = False) -> None:
        """What the system prefers: a colour scheme, and no motion, so that pictures show where things come to rest."""
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(path))

    def complaints(self) -> list[str]:
        """What the browser's console reported at level SEVERE: script errors, refused inline code, missing files."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]


@contextmanager
def chromium(width: int = 1280, height: int = 900) -> Iterator[Browser]:
    """A window with a profile of its own, closed and removed at the end."""
    profile = tempfile.mkdtemp(prefix="pushsaas-chromium-")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in (*_QUIET, f"--user-data-dir={profile}", f"--window-size={width},{height}", "--lang=en"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver") or "chromedriver"))
    browser = Browser(driver)
    browser.resize(width, height)
    browser.prefer()
    try:
        yield browser
    finally:
        driver.quit()
        shutil.rmtree(profile, ignore_errors=True)
