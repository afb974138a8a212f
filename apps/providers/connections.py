"""HTTP/2 connections of one lane: how many requests are under way, and what it means when no answer comes.

It retries nothing. The HTTP library below sends again, and only, what the server said it has not processed
(REFUSED_STREAM, streams above the last id of a GOAWAY); see docs/decisions/0010-http2-client.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import DetailedPyreqwestError, PyreqwestError
from pyreqwest.proxy import ProxyBuilder

from apps.core.egress import read_url
from apps.providers import proxies
from apps.providers.calls import Call
from apps.providers.exchanges import MAX_BODY, Answer, Lane, Lost, Reply, Request

_CONNECT_TIMEOUT = timedelta(seconds=5)
_PING_EVERY, _PING_TIMEOUT = timedelta(seconds=30), timedelta(seconds=10)


class OpenLane:
    """calls: how many are under way; it is closed when there are none."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.connections = [_Connection(lane) for _ in range(lane.connections)]
        self.calls = 0

    async def exchange(self, requests: Sequence[Request], deadline: float) -> list[Answer]:
        call = Call(requests, time.monotonic() + deadline, self.lane.fatal)
        self.calls += 1
        try:
            await asyncio.gather(*(connection.work(call) for connection in self.connections))
        finally:
            self.calls -= 1
        return call.answers

    async def close(self) -> None:
        for connection in self.connections:
            await connection.client.close()


class _Connection:
    """One HTTP/2 connection: the library keeps one per client and origin."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.client = _client(lane)
        self.proven = lane.unproven is None
        self._streams = asyncio.Semaphore(lane.streams)
        self._alone = asyncio.Lock()

    async def work(self, call: Call) -> None:
        async with self._alone:
            while not self.proven:
                if not await self._one(call):
                    return
        many = min(self.lane.streams, -(-call.size // self.lane.connections))
        await asyncio.gather(*(self._until_empty(call) for _ in range(many)))

    async def _until_empty(self, call: Call) -> None:
        while await self._one(call):
            pass

    async def _one(self, call: Call) -> bool:
        async with self._streams:
            item = call.next()
            if item is None:
                return False
            index, request = item
            answer = await self._send(request)
            call.record(index, answer)
        if isinstance(answer, Reply):
            self.proven = self.proven or self._proves(answer)
        elif self.lane.unproven is not None:
            self.proven = False  # the connection may be gone, and its successor allows one stream again
        return True

    def _proves(self, answer: Reply) -> bool:
        return answer.status < 500 and answer.status not in (self.lane.unproven or ())

    async def _send(self, request: Request) -> Answer:
        try:
            built = self.client.request(request.method, request.url).headers(dict(request.headers))
            built = built.body_bytes(request.body)
            if not self.lane.address:
                response = await built.build().send()
                return Reply(response.status, _headers(response.headers), bytes(await response.bytes())[:MAX_BODY])
            async with built.streamed_read_buffer_limit(MAX_BODY).build_streamed() as response:
                body = await response.body_reader.read(MAX_BODY)
                return Reply(response.status, _headers(response.headers), bytes(body or b""))
        except PyreqwestError as error:
            return Lost(not _never_left(error), type(error).__name__)
        except ValueError:
            return Lost(False, "invalid_request")


def _never_left(error: PyreqwestError) -> bool:
    """Whether it failed while connecting. The class does not tell: a connection cut under a running request is a
    ConnectError too, and a request that timed out a ConnectTimeoutError."""
    causes = error.details.get("causes") or () if isinstance(error, DetailedPyreqwestError) else ()
    return any(cause["message"] == "client error (Connect)" for cause in causes)


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _by_proxy(builder: ClientBuilder, lane: Lane) -> ClientBuilder:
    if not lane.proxy:
        common = settings.EGRESS_PROXY
        return builder.proxy(ProxyBuilder.all(common)) if common else builder.no_proxy()
    proxy = proxies.read(lane.proxy)
    way = ProxyBuilder.all(proxy.place.origin)
    if proxy.name:
        way = way.basic_auth(proxy.name, proxy.password)
    return builder.resolve(proxy.place.host, lane.proxy_address, proxy.place.port).proxy(way)


def _client(lane: Lane) -> Client:
    builder = (
        ClientBuilder().https_only(lane.origin.startswith("https:")).user_agent("pushsaas")
        .follow_redirects(False).referer(False).gzip(False).brotli(False).zstd(False).deflate(False)
        .timeout(timedelta(seconds=lane.timeout)).connect_timeout(_CONNECT_TIMEOUT)
        .http2_keep_alive_interval(_PING_EVERY).http2_keep_alive_timeout(_PING_TIMEOUT)
        .http2_keep_alive_while_idle(True)
    )  # fmt: skip
    if lane.address:
        place = read_url(lane.origin)
        builder = builder.http2(True).resolve(place.host, lane.address, place.port)
    elif lane.negotiates:
        builder = builder.http2(True)
    else:
        # Told beforehand that it is HTTP/2, the library opens one connection after a GOAWAY and not one per request.
        builder = builder.http2_prior_knowledge()
    builder = _by_proxy(builder, lane)
    if settings.EGRESS_CA:
        builder = builder.add_root_certificate_pem(Path(settings.EGRESS_CA).read_bytes())
    return builder.build()
