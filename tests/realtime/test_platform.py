"""The installation's own application: who hears it, and that nobody pays for it."""

from __future__ import annotations

import pytest

from apps.core import valkey
from apps.realtime import keys
from apps.realtime.bridge import Bridge
from apps.realtime.platform import find_platform, platform_application, tell
from tests.realtime.wire import record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")

CHANNEL = "private-results-cmp_1"


async def test_what_is_told_reaches_who_holds_our_signature_and_is_in_nobodys_bill(region: str) -> None:
    own = platform_application(region)
    async with world(own) as it:
        client = await it.client(own)
        await client.subscribed(CHANNEL)
        tell(region=region, channel=CHANNEL, event="counts", data='{"accepted":7}')
        heard = await client.event()
        assert (heard["event"], heard["channel"], heard["data"]) == ("counts", CHANNEL, '{"accepted":7}')
        engine = await it.plane.plane().engine(region)
        counted = engine.applications[own.application_id].counters
        assert (counted.delivered, counted.peak) == (1, 1)  # it did pass through here
        await engine.upkeep.flush_usage()
        assert valkey.connect(region).exists(keys.USAGE) == 0
        assert not valkey.connect(region).keys("rt:usage:told:*")


async def test_a_tenants_secret_opens_no_channel_of_it(region: str) -> None:
    own, shop = platform_application(region), record(region)
    async with world(own, shop) as it:
        client = await it.client(own)
        stranger = await it.client(shop)
        stolen = stranger.auth(CHANNEL)  # a good signature, for another application
        for auth in ("", stolen, stolen.replace(next(iter(shop.credentials)), next(iter(own.credentials)))):
            client.send("pusher:subscribe", {"channel": CHANNEL, "auth": auth})
            assert (await client.event())["event"] == "pusher:subscription_error"
        tell(region=region, channel=CHANNEL, event="counts", data="{}")
        await client.nothing_more()


async def test_the_same_channel_of_a_tenant_hears_nothing(region: str) -> None:
    own, shop = platform_application(region), record(region)
    async with world(own, shop) as it:
        client = await it.client(shop)
        await client.subscribed(CHANNEL)
        tell(region=region, channel=CHANNEL, event="counts", data="{}")
        await client.nothing_more()


async def test_a_listener_takes_no_place_of_a_tenant(region: str) -> None:
    own = platform_application(region)
    async with world(own) as it:
        client = await it.client(own)
        await client.subscribed(CHANNEL)
        assert {name.decode().split("{")[1][0] for name in valkey.connect(region).keys("rt:conns:*")} == {"0"}


async def test_the_registry_knows_it_by_key_and_id_without_asking_the_database(region: str) -> None:
    own = platform_application(region)
    bridge = Bridge()
    try:
        assert await bridge.application_by_key(next(iter(own.credentials))) == own
        assert await bridge.application_by_id(own.application_id) == own
    finally:
        bridge.close()
    assert find_platform(key="", application_id="") is None
    assert find_platform(key="k", application_id="5685413533") is None
