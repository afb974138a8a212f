"""Does what is published still come back? An open socket proves nothing after a failover; a delivered probe does."""

from __future__ import annotations

import asyncio
import time

from apps.realtime import keys
from apps.realtime.broker import Broker
from apps.realtime.link import CommandFailed, Lines, LinkLost

#: A probe is sent after so many silent seconds; unanswered for as long again, the connection counts as deaf.
INTERVAL = 5.0


class Probe:
    """One broker connection's delivery, watched. `tick` is called every second or so."""

    def __init__(self, name: str, lines: Lines, broker: Broker) -> None:
        self.topic = keys.probe(name).encode()
        self._lines, self._broker = lines, broker
        self._sent_at: float | None = None
        self.timeouts = 0

    async def start(self) -> None:
        """Proves once that delivery works. Raises LinkLost, TimeoutError."""
        await asyncio.shield(self._broker.subscribe(self.topic))

    @property
    def silence(self) -> float:
        """Seconds since the broker last delivered anything."""
        return time.monotonic() - self._broker.received_at

    @property
    def is_delivering(self) -> bool:
        return self._broker.is_connected and self._sent_at_ok()

    def _sent_at_ok(self) -> bool:
        return self._sent_at is None or time.monotonic() - self._sent_at < INTERVAL

    def heard(self, body: bytes) -> None:
        self._sent_at = None

    async def tick(self) -> None:
        if self.silence < INTERVAL:
            self._sent_at = None
        elif self._sent_at is None:
            try:
                await self._lines.call("PUBLISH", self.topic, "probe")
            except (LinkLost, CommandFailed):
                return  # a publish that failed says nothing about receiving
            self._sent_at = self._sent_at or time.monotonic()
        elif not self._sent_at_ok():
            self.timeouts += 1
            self._sent_at = None
            self._broker.rebuild()
