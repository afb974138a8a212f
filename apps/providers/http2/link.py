"""One socket under one conversation: what it reads, when it writes, and how long it waits."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from apps.providers.http2.conversation import Conversation
from apps.providers.http2.dialing import NotConnected

_PING_EVERY, _PING_TIMEOUT = 30.0, 10.0
#: Seconds that a server which said goodbye has for what it promised to answer.
_LINGER = 10.0


class Owner(Protocol):
    """Who hands out requests and takes their ends."""

    def settle(self, link: Link) -> None:
        """Takes the ends of requests and begins what there is room for."""

    def ended(self, link: Link) -> None:
        """Nothing more may begin on it. Called once."""


class Link(asyncio.Protocol):
    """is_proven: more than one request may be under way. greeted: set when the server's settings have come."""

    def __init__(self, owner: Owner, timeout: float, *, is_proven: bool) -> None:
        self.conversation = Conversation()
        self.is_proven = is_proven
        self._owner, self._timeout = owner, timeout
        self._loop = asyncio.get_running_loop()
        self.greeted: asyncio.Future[None] = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._heard_at = self._loop.time()
        self._left_at: float | None = None
        self._pinged_at: float | None = None
        self._is_paused = self._has_ended = False
        self._ticks: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if transport.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
            cast(asyncio.Transport, transport).abort()
            self._refuse("no_http2")
            return
        self._transport = cast(asyncio.Transport, transport)
        self.flush()
        self._tick()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        self.conversation.receive(data)
        if self.conversation.is_greeted and not self.greeted.done():
            self.greeted.set_result(None)
        self.settle()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._ticks is not None:
            self._ticks.cancel()
        self._refuse("connection_lost")
        self.conversation.lose("connection_lost")
        self.settle()

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self.conversation.echoes = 0
        self.settle()

    @property
    def is_gone(self) -> bool:
        return self._transport is None

    @property
    def room(self) -> int:
        return 0 if self._is_paused or self._transport is None else self.conversation.room

    def settle(self) -> None:
        """After anything has changed: ends are taken, requests begun, and what there is to say leaves in one write."""
        conversation = self.conversation
        self._owner.settle(self)
        self.flush()
        if conversation.failure:
            self._refuse(conversation.failure)
        if not conversation.is_open and not self._has_ended:
            self._has_ended, self._left_at = True, self._loop.time()
            self._owner.ended(self)
        if self._transport is not None and not conversation.is_open and not conversation.under_way:
            self._transport.close()

    def flush(self) -> None:
        if self._transport is None:
            return
        output = self.conversation.take_output()
        if output:
            self._transport.write(output)
        if not self._is_paused:
            self.conversation.echoes = 0

    def close(self) -> None:
        """At once: what is under way is lost. The owner knows, so it is not told."""
        self._has_ended = True
        self.conversation.close()
        self.flush()
        self.conversation.lose("closed")
        self.settle()

    def _refuse(self, why: str) -> None:
        if not self.greeted.done():
            self.greeted.set_exception(NotConnected(why))
            self.greeted.exception()  # asked for, whether or not anybody still waits

    def _tick(self) -> None:
        now = self._loop.time()
        self._ticks = self._loop.call_at(now + min(1.0, self._timeout / 10), self._tick)
        conversation = self.conversation
        conversation.expire(now - self._timeout)
        if conversation.is_dismissed and self._left_at is not None and now - self._left_at > _LINGER:
            conversation.lose("goodbye_and_no_answer")
        self._keep_alive(now)
        self.settle()

    def _keep_alive(self, now: float) -> None:
        """A ping when nothing was heard for long; anything that comes is as good as its answer."""
        if self._pinged_at is not None and self._heard_at >= self._pinged_at:
            self._pinged_at = None
        if self._pinged_at is None and now - self._heard_at > _PING_EVERY:
            self._pinged_at = now
            self.conversation.ping()
        elif self._pinged_at is not None and now - self._pinged_at > _PING_TIMEOUT:
            self.conversation.lose("no_answer_to_ping")
