"""The main job as a person does it, step by step, in a browser. The test asserts it, the screenshots picture it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from selenium.webdriver.common.by import By

from tests.journey import authenticator
from tests.journey.browser import Browser
from tests.product import RunningProduct


class Journey:
    """picture: called with a name after each step that is worth showing."""

    def __init__(self, product: RunningProduct, browser: Browser, picture: Callable[[str], None]) -> None:
        self.product, self.browser, self.picture = product, browser, picture
        self.demo = product.demo()
        self.live_tab = ""

    def open(self, path: str) -> None:
        self.browser.open(self.product.url + path)

    def sign_in_with_a_second_factor(self) -> None:
        browser = self.browser
        self.open("/")
        browser.see("Push that you run yourself")
        self.picture("landing")
        self.open("/sign-in/")
        browser.fill("email", self.demo["email"])
        browser.fill("password", self.demo["password"])
        browser.follow("Sign in")
        browser.see("Set up your second factor")
        self.picture("second-factor")
        browser.press("details summary")
        key = browser.find("#manual-key").text.strip()
        browser.fill("code", authenticator.code(key))
        browser.follow("Turn it on")
        browser.see("Keep these recovery codes")
        browser.follow("I have put them away")
        browser.see("First steps")

    def see_a_publication_arrive(self) -> None:
        self.open("/live/")
        self.live_tab = self.browser.driver.current_window_handle
        self.browser.wait(lambda: self.browser.find("#live-state-long").text == "Connected", "a connection")
        self.browser.wait(lambda: self.browser.find("#live-signed").text == "ada", "ada signed in")
        self.publish("news", "hello", {"text": "It works"})
        self.browser.wait(lambda: "It works" in self.cards(), "the publication on the phone")

    def publish(self, channel: str, event: str, data: object) -> None:
        """As an app would: one REST call with the API key."""
        request = urllib.request.Request(
            f"{self.product.url}/apps/{self.demo['application_id']}/events",
            data=json.dumps({"channel": channel, "name": event, "data": json.dumps(data)}).encode(),
            headers={"Authorization": f"Bearer {self.demo['api_key']}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200

    def cards(self) -> str:
        return self.browser.find("#live-cards").text

    def send_a_campaign(self) -> None:
        browser = self.browser
        browser.open_tab()
        self.open("/campaigns/new")
        browser.fill("name", "Thank the pros")
        browser.press("input[name='people'][value='segment']")
        self.choose("segment", "On Pro")
        browser.see("4 people")
        browser.press("input[name='source'][value='template']")
        self.choose("template", "Welcome back")
        self.picture("campaign-editor")
        browser.follow("Save and review")
        browser.see("Hello Ada!")
        assert browser.find("#sends").text == "4"
        self.picture("campaign-review")
        browser.follow("Send this campaign")
        browser.press("#send")
        browser.wait(lambda: browser.find("[data-count='accepted']").text == "1", "one delivery accepted")
        browser.see("Sent")

    def compare_two_variants(self) -> None:
        """Two ways to say it, with a button, for tomorrow: they stand in the calendar."""
        browser, tomorrow = self.browser, datetime.now(UTC) + timedelta(days=1)
        self.open("/campaigns/new")
        browser.fill("name", "Two ways to say it")
        browser.fill("words-0-title", "Hello {{ subscriber.name }}")
        browser.press("[data-buttons] summary")
        browser.fill("words-0-button_0_title", "See you, {{ subscriber.name }}")
        browser.follow("Compare with another variant")
        browser.fill("arms-1-words-0-title", "Come in, {{ subscriber.name }}!")
        browser.see("variant b")
        browser.follow("Save and review")
        browser.see("a 50 %, b 50 %")
        browser.see("See you, Ada")
        browser.see("Come in, ")
        browser.press("input[name='when'][value='later']")
        moment = browser.find("[name='send_at']")
        browser.driver.execute_script("arguments[0].value = arguments[1]", moment, f"{tomorrow:%Y-%m-%dT10:00}")
        browser.follow("Send this campaign")
        browser.press("#send")
        browser.see("It starts by itself when it is due.")
        self.open(f"/campaigns/calendar?on={tomorrow:%Y-%m-%d}")
        browser.see("10:00 Two ways to say it")
        self.picture("calendar")

    def choose(self, name: str, text: str) -> None:
        select = self.browser.find(f"select[name='{name}']")
        option = next(o for o in select.find_elements(By.TAG_NAME, "option") if text in o.text)
        option.click()

    def see_the_campaign_arrive(self) -> None:
        self.picture("campaign-sent")
        self.browser.driver.switch_to.window(self.live_tab)
        self.browser.wait(lambda: "Hello Ada!" in self.cards(), "the notification on the phone")
        assert "You came by 42 times. Thank you for being on Pro." in self.cards()
        self.picture("live-page")

    def read_what_it_cost(self) -> None:
        self.open("/usage/")
        self.browser.see("Cost so far")
        for meter, at_least in (("Campaign sends", 1), ("Messages published", 2), ("Messages delivered", 2)):
            self.browser.wait(lambda m=meter, n=at_least: self.used(m) >= n, f"{meter}: at least {at_least}")
        assert self.used("Campaign sends") == 1
        self.picture("usage")

    def used(self, meter: str) -> int:
        """What the usage page says now about this period."""
        self.open("/usage/")
        row = next(row for row in self.browser.all("tbody tr") if row.text.startswith(meter))
        return int(row.find_element(By.TAG_NAME, "td").text.replace(",", ""))
