"""The main job, end to end, on real parts: from the first sign-in to the bill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journey.browser import chromium, require_chromium
from tests.journey.steps import Journey
from tests.live import free_port
from tests.product import RunningProduct

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("journey")]


@pytest.fixture
def product(tmp_path: Path) -> Iterator[RunningProduct]:
    require_chromium()
    running = RunningProduct(tmp_path / "home", free_port())
    running.wait_for("API key")
    yield running
    running.end()


def test_a_stranger_signs_in_publishes_sends_a_campaign_and_reads_the_bill(product: RunningProduct) -> None:
    with chromium() as browser:
        journey = Journey(product, browser, picture=lambda name: None)
        journey.sign_in_with_a_second_factor()
        journey.see_a_publication_arrive()
        journey.send_a_campaign()
        journey.see_the_campaign_arrive()
        journey.read_what_it_cost()
        journey.compare_two_variants()
        assert browser.complaints() == []
