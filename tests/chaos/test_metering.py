"""A slice of the metering run in `make chaos`."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from tests.chaos.metering import Metering
from tests.live import Live

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("live")]
KILLS = 2


def test_what_is_billed_and_what_clients_saw_agree_within_the_killed_intervals(live: Live) -> None:
    report = asyncio.run(Metering(live, live.tenant("Metered"), secrets.randbelow(10**6)).run(KILLS))
    print(report)
    assert report.published > 20
    assert len(report.faults) == KILLS
    assert report.broken == []
