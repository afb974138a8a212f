"""Closing many connections without a stampede: pusher-js comes back within a round trip and without jitter."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from apps.realtime.protocol.closing import Close

if TYPE_CHECKING:
    from apps.realtime.connection import Connection

_STEP = 0.05


async def close_spread(connections: Sequence[Connection], why: Close, *, window: float) -> None:
    """Spread evenly over so many seconds."""
    step = max(1, math.ceil(len(connections) / max(1.0, window / _STEP)))
    for start in range(0, len(connections), step):
        for connection in connections[start : start + step]:
            connection.close(why)
        await asyncio.sleep(min(_STEP, window))
