"""How fast an application may publish, over all gateways: one token bucket in Valkey, from which blocks are taken.

A gateway that has a block at hand asks nobody. It holds at most a twentieth of a second's worth, so the sum over
all gateways is over the limit by no more than that for each of them.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from apps.realtime import keys, scripts
from apps.realtime.link import Lines

_BLOCKS_PER_SECOND = 20
#: How long a refusal is believed without asking again, and after how long an unused block is void, in seconds.
_REFUSED_FOR, _STALE = 0.05, 1.0


@dataclass(slots=True)
class _Block:
    left: int = 0
    used_at: float = 0.0
    refused_until: float = 0.0
    #: One asks for all who wait, or each would take a block of its own.
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def take(self, count: int) -> bool:
        now = time.monotonic()
        if now - self.used_at > _STALE:
            self.left = 0
        if self.left < count:
            return False
        self.left, self.used_at = self.left - count, now
        return True


class PublishRates:
    """This process's blocks, by application. Belongs to one event loop."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._blocks: dict[str, _Block] = {}

    async def take(self, application_id: str, rate: int, count: int) -> bool:
        """Whether `count` more may be published now. rate: per second. Raises LinkLost, CommandFailed."""
        block = self._blocks.setdefault(application_id, _Block())
        if block.take(count):
            return True
        async with block.asking:
            if block.take(count):
                return True
            if time.monotonic() < block.refused_until:
                return False
            wanted = max(count, rate // _BLOCKS_PER_SECOND)
            bucket = [keys.publish_rate(application_id)]
            taken, _left = await scripts.run(self._lines, "rate", bucket, rate, wanted, "some")
            block.left += int(taken)
            block.used_at = time.monotonic()
            if block.take(count):
                return True
            block.refused_until = time.monotonic() + _REFUSED_FOR
            return False

    def forget(self, application_id: str) -> None:
        self._blocks.pop(application_id, None)
