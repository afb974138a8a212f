"""A slice of the presence walk in `make chaos`: three gateways, one of them killed and one drained."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from tests.chaos.presence import PresenceWalk
from tests.live import Live

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("live")]
STEPS = 8


def test_presence_is_what_a_model_says_though_gateways_die(live: Live) -> None:
    report = asyncio.run(PresenceWalk(live, live.tenant("Presence"), secrets.randbelow(10**6)).run(STEPS))
    print(report)
    assert len(report.steps) == STEPS + 1
    assert report.broken == []
