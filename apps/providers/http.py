"""The one way out: HTTP/2 to push networks, for callers that block.

Answers for: connections that outlive a call and that no other credential shares. connections.py says what travels on
them and what a missing answer means.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

import uvloop
from django.conf import settings

from apps.core.egress import AddressRefused
from apps.providers import proxies
from apps.providers.connections import OpenLane
from apps.providers.exchanges import Answer, Lane, Lost, Request
from apps.providers.http2.lane import FastLane

#: Lanes kept open per process. Beyond it the one not used for longest is closed.
MAX_LANES = 200

_NO_PROXY = Lost(False, "proxy_refused")

Batch = tuple[Lane, Sequence[Request]]


def exchange(lane: Lane, requests: Sequence[Request], *, deadline: float = 30.0) -> list[Answer]:
    """One Answer per request, in order. deadline: seconds after which nothing more is begun."""
    [answers] = exchange_on([(lane, requests)], deadline=deadline)
    return answers


def exchange_on(batches: Sequence[Batch], *, deadline: float = 30.0) -> list[list[Answer]]:
    """The same on several lanes at once."""
    lanes = [_by_its_proxy(lane) for lane, _requests in batches]
    open_batches = [(lane, requests) for lane, (_, requests) in zip(lanes, batches, strict=True) if lane is not None]
    answers = iter(_postman().exchange(open_batches, deadline))
    return [
        [_NO_PROXY] * len(requests) if lane is None else next(answers)
        for lane, (_, requests) in zip(lanes, batches, strict=True)
    ]


def _by_its_proxy(lane: Lane) -> Lane | None:
    """With the address of its credential's proxy, if it has one; None when that may not be called."""
    try:
        return replace(lane, proxy_address=proxies.read(lane.proxy).address()) if lane.proxy else lane
    except AddressRefused:
        return None


def reopen(lanes: Sequence[Lane]) -> None:
    """From now on these lanes have fresh connections; the present ones end with the requests that are on them."""
    _postman().retire([lane for lane in map(_by_its_proxy, lanes) if lane is not None])


class Postman:
    """An event loop in a thread of its own, and the lanes it keeps open."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._lanes: OrderedDict[Lane, OpenLane | FastLane] = OrderedDict()
        self._retired: list[OpenLane | FastLane] = []
        self._loop = uvloop.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="postman", daemon=True).start()

    def exchange(self, batches: Sequence[Batch], deadline: float) -> list[list[Answer]]:
        return asyncio.run_coroutine_threadsafe(self._exchange(batches, deadline), self._loop).result()

    async def _exchange(self, batches: Sequence[Batch], deadline: float) -> list[list[Answer]]:
        calls = [self._lane(lane).exchange(requests, deadline) for lane, requests in batches if requests]
        answers = iter(await asyncio.gather(*calls))
        await self._close_lanes(MAX_LANES)
        await self._close_retired()
        return [next(answers) if requests else [] for _, requests in batches]

    def _lane(self, lane: Lane) -> OpenLane | FastLane:
        if lane not in self._lanes:
            self._lanes[lane] = FastLane(lane) if _is_for_us(lane) else OpenLane(lane)
        self._lanes.move_to_end(lane)
        return self._lanes[lane]

    def close(self) -> None:
        """Closes every connection. What is under way is lost, so call it when nothing is."""
        asyncio.run_coroutine_threadsafe(self._close_lanes(0), self._loop).result(timeout=10)

    def retire(self, lanes: Sequence[Lane]) -> None:
        asyncio.run_coroutine_threadsafe(self._retire(lanes), self._loop).result(timeout=10)

    async def _retire(self, lanes: Sequence[Lane]) -> None:
        self._retired += [self._lanes.pop(lane) for lane in lanes if lane in self._lanes]
        await self._close_retired()

    async def _close_retired(self) -> None:
        idle = [opened for opened in self._retired if not opened.calls]
        self._retired = [opened for opened in self._retired if opened.calls]
        for opened in idle:
            await opened.close()

    async def _close_lanes(self, keep: int) -> None:
        idle = [lane for lane, opened in self._lanes.items() if not opened.calls]
        for lane in idle[: max(0, len(self._lanes) - keep)]:
            await self._lanes.pop(lane).close()


def _is_for_us(lane: Lane) -> bool:
    """What surely speaks HTTP/2, over TLS, with no proxy on the way that only the library knows (SOCKS)."""
    if not settings.OWN_HTTP2 or lane.address or lane.negotiates or not lane.origin.startswith("https://"):
        return False
    return bool(lane.proxy) or urlsplit(settings.EGRESS_PROXY).scheme in {"", "http", "https"}


_lock = threading.Lock()
_current: Postman | None = None


def _postman() -> Postman:
    """This process's. A forked child must not use its parent's: the thread is not there."""
    global _current
    with _lock:
        if _current is None or _current.pid != os.getpid():
            _current = Postman()
        return _current


def close_connections() -> None:
    """Ends every connection of this process: after a key was revoked, and between tests."""
    with _lock:
        if _current is not None and _current.pid == os.getpid():
            _current.close()
