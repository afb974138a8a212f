"""One subscription per topic and process, confirmed before anybody relies on it, rebuilt when the connection is lost.

Messages go to a plain function in the order Valkey sent them. Whoever is told `on_rebuilt` must assume a gap.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from apps.realtime.link import Link, LinkLost, open_link

log = logging.getLogger(__name__)

#: (topic, body), in the order they came.
Messages = list[tuple[bytes, bytes]]
#: Topics in one SUBSCRIBE after a reconnect; a bound on the size of one command.
_BATCH = 500
#: A topic nobody publishes to.
_LAST = b"rt:last"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0


class Broker:
    """Belongs to one event loop. on_messages gets what one read brought; it must not wait or raise."""

    def __init__(self, url: str, *, on_messages: Callable[[Messages], None], on_rebuilt: Callable[[], None]) -> None:
        self._url, self._on_messages, self._on_rebuilt = url, on_messages, on_rebuilt
        self._topics: dict[bytes, asyncio.Future[None]] = {}
        #: Who waits for each confirmation, in the order the commands were sent. Valkey confirms in that order, which
        #: tells a re-subscription's confirmation from that of the subscription before it.
        self._expected: deque[asyncio.Future[None] | None] = deque()
        self._link: Link | None = None
        self._task: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self.received = self.rebuilds = 0
        self.received_at = time.monotonic()

    async def start(self) -> None:
        """Connects, then keeps the connection until `stop`. Raises OSError when the first attempt fails."""
        await self._connect()
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._link is not None:
            self._link.close()
        for future in self._topics.values():
            future.cancel()

    @property
    def is_connected(self) -> bool:
        return self._link is not None and self._link.is_open

    def subscribe(self, topic: bytes) -> asyncio.Future[None]:
        """Done once Valkey has confirmed. Shield it when awaiting: all subscribers of a topic share it."""
        future = self._topics.get(topic)
        if future is None:
            future = self._topics[topic] = asyncio.get_running_loop().create_future()
            self._send("SUBSCRIBE", topic, future)
        return future

    def unsubscribe(self, topic: bytes) -> None:
        future = self._topics.pop(topic, None)
        if future is None:
            return
        future.cancel()
        self._send("UNSUBSCRIBE", topic, None)

    def rebuild(self) -> None:
        """Drops a connection that no longer delivers; everything is subscribed again on a new one."""
        if self._link is not None:
            self._link.close()

    def keep_reading(self, wanted: bool) -> None:
        """False: what comes stays in the socket, and then in Valkey, until True."""
        if self._link is not None:
            self._link.keep_reading(wanted)

    def _send(self, verb: str, topic: bytes, future: asyncio.Future[None] | None) -> None:
        with suppress(LinkLost):  # the reconnect sends every topic again
            if self._link is not None:
                self._link.write(verb, topic)
                self._expected.append(future)

    def _received(self, pushes: list[Any]) -> None:
        messages: Messages = []
        for push in pushes:
            if not isinstance(push, list) or len(push) != 3:
                log.error("broker.unexpected_reply %r", push)
                self.rebuild()
            elif push[0] == b"message":
                messages.append((push[1], push[2]))
            elif push[0] in (b"subscribe", b"unsubscribe"):
                future = self._expected.popleft()
                if future is not None and not future.done():
                    # A confirmation must not overtake the messages before it.
                    self._hand_over(messages)
                    messages = []
                    future.set_result(None)
        self._hand_over(messages)

    def _hand_over(self, messages: Messages) -> None:
        if messages:
            self.received += len(messages)
            self.received_at = time.monotonic()
            self._on_messages(messages)

    async def _connect(self) -> None:
        self._lost.clear()
        self._expected.clear()
        self._link = await open_link(self._url, on_pushes=self._received, on_lost=self._lost.set)
        waiting = list(self._topics.items())
        for start in range(0, len(waiting), _BATCH):
            batch = waiting[start : start + _BATCH]
            self._link.write("SUBSCRIBE", *(topic for topic, _ in batch))
            self._expected.extend(future for _, future in batch)

    async def _keep(self) -> None:
        while True:
            await self._lost.wait()
            log.warning("broker.lost")
            pause = _FIRST_PAUSE
            while True:
                try:
                    await self._connect()
                    break
                except (OSError, TimeoutError):
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, _LONGEST_PAUSE)
            await self._confirm_everything()
            self.rebuilds += 1
            log.warning("broker.rebuilt topics=%d", len(self._topics))
            self._on_rebuilt()

    async def _confirm_everything(self) -> None:
        """Waits until all topics subscribed again are confirmed, or the link is lost once more."""
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._send("SUBSCRIBE", _LAST, confirmed)  # confirmations come in order, so this one is the last
        lost: asyncio.Future[Any] = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait([confirmed, lost], return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
