"""The connections of one lane: who gets which request, and when a connection is opened or left."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Sequence
from functools import partial
from typing import cast

from apps.providers.answers import json_object
from apps.providers.calls import Call
from apps.providers.exchanges import Answer, Lane, Lost, Reply, Request
from apps.providers.http2.conversation import Conversation
from apps.providers.http2.dialing import NotConnected, dial
from apps.providers.http2.headers import RequestWriter
from apps.providers.http2.link import Link

log = logging.getLogger(__name__)

#: Seconds for a connection to come up, the server's settings included.
_CONNECT_TIMEOUT = 5.0


class FastLane:
    """calls: how many are under way; it is closed when there are none."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self._writer = RequestWriter(lane.origin)
        self._waiting: list[Call] = []
        self._links: list[Link] = []
        self._leaving: set[Link] = set()
        self._dials: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    @property
    def calls(self) -> int:
        return len(self._waiting)

    async def exchange(self, requests: Sequence[Request], deadline: float) -> list[Answer]:
        done = self._loop.create_future()
        call = Call(requests, time.monotonic() + deadline, self.lane.fatal, partial(_set, done))
        self._waiting.append(call)
        timer = self._loop.call_later(max(0.0, deadline), call.stop)
        try:
            self._spread()
            await done
        finally:
            timer.cancel()
            self._waiting.remove(call)
        return call.answers

    async def close(self) -> None:
        for link in [*self._links, *self._leaving]:
            link.close()

    def settle(self, link: Link) -> None:
        conversation = link.conversation
        for key, end in conversation.take_finished():
            call, index = cast(tuple[Call, int], key)
            if end is None:
                call.put_back(index, _reason_of(conversation))
                continue
            if not link.is_proven and isinstance(end, Reply):
                link.is_proven = end.status < 500 and end.status not in (self.lane.unproven or ())
            call.record(index, end)
        self._begin(link)

    def ended(self, link: Link) -> None:
        """A connection that carried no request counts as one that could not be opened."""
        reason = _reason_of(link.conversation)
        log.info("providers.connection_left origin=%s reason=%s", self.lane.origin, reason)
        if link in self._links:
            self._links.remove(link)
            if not link.conversation.has_begun:
                self._charge(reason)
        self._leaving = {one for one in self._leaving if not one.is_gone} | {link}
        self._loop.call_soon(self._spread)

    def _begin(self, link: Link) -> None:
        """As many as the server, the lane and the sharing between its connections allow."""
        room = min(link.room, self._most(link) - link.conversation.under_way)
        now = self._loop.time()
        while room > 0 and (item := self._next()) is not None:
            call, (index, request) = item
            try:
                block = self._writer.block(request)
            except ValueError:
                call.record(index, Lost(False, "invalid_request"))
                continue
            link.conversation.begin((call, index), block, request.body, now)
            room -= 1

    def _next(self) -> tuple[Call, tuple[int, Request]] | None:
        """Of the calls in turn."""
        for at, call in enumerate(self._waiting):
            item = call.next()
            if item is not None:
                if len(self._waiting) > 1:
                    self._waiting.append(self._waiting.pop(at))
                return call, item
        return None

    def _most(self, link: Link) -> int:
        if not link.is_proven:
            return 1
        share = sum(-(-call.size // self.lane.connections) for call in self._waiting)
        return min(self.lane.streams, share)

    def _spread(self) -> None:
        """Hands out to the connections there are, and opens as many more as what is left can use."""
        for link in list(self._links):
            link.settle()
        left = sum(call.left for call in self._waiting)
        share = -(-left // self.lane.connections)
        left -= share * len(self._dials)
        while left > 0 and len(self._links) + len(self._dials) < self.lane.connections:
            left -= share
            dialling = self._loop.create_task(self._open())
            self._dials.add(dialling)
            dialling.add_done_callback(self._dialled)

    def _dialled(self, dialling: asyncio.Task[None]) -> None:
        self._dials.discard(dialling)
        dialling.result()
        self._spread()

    async def _open(self) -> None:
        link = Link(self, self.lane.timeout, is_proven=self.lane.unproven is None)
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                await dial(self.lane, link)
                await link.greeted
        except (OSError, NotConnected) as why:
            link.close()
            self._charge(_word_for(why))
            return
        if link.conversation.is_open:
            self._links.append(link)
        elif not link.conversation.has_begun:
            self._charge(_reason_of(link.conversation))

    def _charge(self, reason: str) -> None:
        """A connection that did not come up costs each call one request, so that it ends after a few."""
        for call in list(self._waiting):
            item = call.next()
            if item is not None:
                call.record(item[0], Lost(False, reason))


def _set(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def _reason_of(conversation: Conversation) -> str:
    """The server's own word where it gave one with its goodbye."""
    said = json_object(conversation.farewell).get("reason")
    if isinstance(said, str) and said.isascii() and said.isalnum():
        return said[:64]
    return conversation.failure or ("refused_stream" if conversation.is_open else "connection_left")


def _word_for(why: Exception) -> str:
    if isinstance(why, NotConnected):
        return str(why)
    if isinstance(why, TimeoutError):
        return "connect_timeout"
    return "tls_refused" if isinstance(why, ssl.SSLError) else "connect_refused"
