"""What signed-in users do on their sockets is left for the audience, if the application wants it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from apps.core import valkey
from apps.realtime import keys
from tests.realtime.wire import record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")


def _noted(region: str) -> list[Any]:
    lines: Any = valkey.connect(region).xrange(keys.BEHAVIOUR)
    return [orjson.loads(fields[b"e"])[1:] for _stream_id, fields in lines]


async def test_online_joins_and_client_events_are_noted_once_each(region: str) -> None:
    shop = record(region, behaviour_events=True)
    async with world(shop) as it:
        first, second = await it.client(shop), await it.client(shop, it.node())
        await first.signed_in("ada")
        await second.signed_in("ada")
        await first.subscribed("private-room")
        first.send("client-typing", {"x": 1}, channel="private-room")
        await first.subscribed("presence-room", "ada")
        await first.gone()
        await second.gone()
    own = shop.application_id
    assert _noted(region) == [
        [own, "ada", "$online", {}],
        [own, "ada", "$joined", {"channel": "private-room"}],
        [own, "ada", "$client_event", {"event": "client-typing", "channel": "private-room"}],
        [own, "ada", "$joined", {"channel": "presence-room"}],
    ]


async def test_nothing_is_noted_of_strangers_or_without_the_switch(region: str) -> None:
    shop, other = record(region, behaviour_events=True), record(region)
    async with world(shop, other) as it:
        stranger, ada = await it.client(shop), await it.client(other)
        await stranger.subscribed("private-room")
        await ada.signed_in("ada")
        await ada.subscribed("private-room")
        await stranger.gone()
        await ada.gone()
    assert _noted(region) == []
