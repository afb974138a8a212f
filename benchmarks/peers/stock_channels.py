"""A stock Channels consumer on channels_redis.pubsub, as its tutorial has it. `python -m … URL SECONDS` publishes."""

from __future__ import annotations

import asyncio
import os
import sys
import time

import django
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from django.conf import settings

GROUP = "bench"
if not settings.configured:
    settings.configure(
        INSTALLED_APPS=["channels"],
        CHANNEL_LAYERS={
            "default": {
                "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
                "CONFIG": {"hosts": [os.environ["BENCH_VALKEY_URL"]]},
            }
        },
    )
    django.setup()


class Subscriber(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def publication(self, message: dict[str, str]) -> None:
        await self.send(text_data=message["text"])


async def application(scope: dict[str, object], receive: object, send: object) -> None:
    await Subscriber.as_asgi()(scope, receive, send)


async def publish(text: str, seconds: float) -> None:
    layer, until = get_channel_layer(), time.monotonic() + seconds
    while time.monotonic() < until:
        await layer.group_send(GROUP, {"type": "publication", "text": text})
        await asyncio.sleep(0.05)  # faster than it can deliver; without a pause it would only grow its queues


if __name__ == "__main__":
    asyncio.run(publish(sys.argv[1], float(sys.argv[2])))
