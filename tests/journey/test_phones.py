"""What a newcomer sees of push without an account anywhere: phones, this browser, receipts counted on the campaign."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journey.browser import Browser, chromium, require_chromium
from tests.journey.steps import Journey
from tests.live import free_port
from tests.product import RunningProduct

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("journey")]

_SHOWN = """
const done = arguments[arguments.length - 1];
navigator.serviceWorker.getRegistrations()
  .then((all) => Promise.all(all.map((one) => one.getNotifications())))
  .then((found) => done(found.flat().map(({ title, body }) => `${title}: ${body}`)));
"""
_FEED = """
const done = arguments[arguments.length - 1];
fetch("/live/phones/feed?after=0").then((answer) => answer.json()).then(({ notices }) => done(notices));
"""


class Phones:
    """The demo of a running product, and its phones page in a browser."""

    def __init__(self, product: RunningProduct, browser: Browser) -> None:
        self.journey = Journey(product, browser, lambda _name: None)
        self.product, self.browser, self.demo = product, browser, product.demo()

    def call(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.demo['api_key']}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.product.url}/api/v1/{path}", data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            told: dict[str, Any] = json.load(answer)
            return told

    def send(self, title: str, *routes: str) -> str:
        """A campaign to everybody, now; its id."""
        plan = {
            "name": title, "audience": {"all": True}, "routes": routes,
            "content": {"en": {"title": title, "body": "It works", "url": "https://shop.example/"}},
        }  # fmt: skip
        id = str(self.call("campaigns", plan)["id"])
        self.call(f"campaigns/{id}/schedule", {"send_at": None})
        return id

    def wait_for_count(self, campaign: str, name: str, number: int) -> None:
        def reached() -> bool:
            return bool(self.call(f"campaigns/{campaign}")["counts"][name] >= number)

        self.browser.wait(reached, f"{number} {name}, {self.call(f'campaigns/{campaign}')['counts']}")

    def cards(self) -> str:
        return self.browser.find("#phone-list").text

    def subscribe(self) -> None:
        granted = {"origin": self.product.url, "permissions": ["notifications"]}
        self.browser.driver.execute_cdp_cmd("Browser.grantPermissions", granted)
        self.journey.open("/live/phones")
        self.browser.press("#browser-form button")
        self.browser.wait(lambda: self.browser.find("#browser-state").text == "Subscribed", "a subscription")

    def shown(self) -> list[str]:
        found: list[str] = self.browser.driver.execute_async_script(_SHOWN)
        return found

    def payload(self, title: str) -> dict[str, Any] | None:
        """Of a Web Push that the stand-in decrypted."""
        notices = self.browser.driver.execute_async_script(_FEED)
        return next((one["payload"] for one in notices if one["payload"] and one["title"] == title), None)

    def deliver(self, payload: dict[str, Any]) -> None:
        """As the browser's own push service would, to the first service worker of this profile."""
        driver = self.browser.driver
        driver.execute_cdp_cmd("ServiceWorker.enable", {})
        message = {"origin": self.product.url + "/", "registrationId": "0", "data": json.dumps(payload)}
        driver.execute_cdp_cmd("ServiceWorker.deliverPushMessage", message)


@pytest.fixture
def phones(tmp_path: Path) -> Iterator[Phones]:
    require_chromium()
    product = RunningProduct(tmp_path / "home", free_port(), PUSHSAAS_STAND_INS="1")
    try:
        product.wait_for("API key", 240)
        with chromium() as browser:
            yield Phones(product, browser)
    finally:
        product.end()


def test_a_campaign_shows_on_every_phone_and_in_this_browser_and_is_counted(phones: Phones) -> None:
    browser = phones.browser
    phones.journey.sign_in_with_a_second_factor()
    phones.subscribe()

    campaign = phones.send("To phones", "apns", "fcm", "huawei", "honor", "xiaomi", "oppo", "vivo", "meizu")
    for place in ("ios · apns", "android · fcm", "huawei · huawei", "xiaomi · xiaomi", "honor · honor"):
        browser.wait(lambda p=place: _has_card(phones.cards(), p, "To phones"), f"the push on {place}")
    phones.wait_for_count(campaign, "received", 2)
    browser.press("[data-part=tap]")
    phones.wait_for_count(campaign, "clicked", 1)

    campaign = phones.send("To browsers", "webpush")
    browser.wait(lambda: "To browsers: It works" in phones.shown(), "the notification of the service worker")
    phones.wait_for_count(campaign, "received", 1)

    phones.journey.open("/live/")
    campaign = phones.send("By the browser", "webpush")
    payload = browser.wait(lambda: phones.payload("By the browser"), "the push at the stand-in")
    phones.deliver(payload)
    browser.wait(lambda: "By the browser: It works" in phones.shown(), "the notification of a push event")
    phones.wait_for_count(campaign, "received", 1)
    assert [line for line in browser.complaints() if "favicon" not in line] == []


def _has_card(text: str, place: str, title: str) -> bool:
    """The card stands below the name of its phone and above that of the next."""
    below = text.partition(place)[2]
    return title in below[: below.find(" · ")] if " · " in below else title in below
