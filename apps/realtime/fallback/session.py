"""One client that comes by HTTP requests: a connection like any other, with a queue instead of a socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from apps.realtime.connection import Connection
from apps.realtime.engine import Engine
from apps.realtime.fallback.outbox import Outbox
from apps.realtime.fallback.outlets import HEARTBEAT, Outlet
from apps.realtime.link import CommandFailed, LinkLost
from apps.realtime.protocol import closing, messages, xhr
from apps.realtime.protocol.closing import Close
from apps.realtime.sessions import Session, admit
from apps.realtime.tokens import grants
from apps.tenants.queries import ApplicationRecord

#: A client that has no request open for so many seconds has gone; so long, too, a close waits to be fetched.
ABANDONED_AFTER = 10.0
#: Messages that may wait to be read; a client that sends faster is closed.
MAX_INBOX = 1_000


class HttpSession:
    """Belongs to one event loop. `run` is its whole life; the rest tells it what its requests bring."""

    def __init__(self, engine: Engine, record: ApplicationRecord, name: str, client: str) -> None:
        self._engine, self._record, self._name, self._client = engine, record, name, client
        self._changed = asyncio.Event()
        self._inbox: asyncio.Queue[str | None] = asyncio.Queue()
        self._outbox = Outbox(self._changed, self._closed)
        self._outlet: Outlet | None = None
        self._connection: Connection | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._given_up = asyncio.Event()
        #: A streaming client answers a heartbeat with one of its own, which must not be answered again.
        self._expects_heartbeat = False
        self._is_closing = False
        self.wants_positions = False
        self.token = ""

    # --- What its requests bring

    def attach(self, outlet: Outlet) -> None:
        """The newest request to receive replaces the one before it."""
        before, self._outlet = self._outlet, outlet
        if before is not None:
            before.end()
        if self._timer is not None and not self._is_closing:
            self._timer.cancel()
            self._timer = None
        self._alive()
        self._changed.set()

    def detach(self, outlet_id: str) -> None:
        """That response is over, on whoever's side."""
        if self._outlet is not None and self._outlet.id == outlet_id:
            self._outlet = None
            self._wait_for_client()

    def receive(self, texts: Sequence[str]) -> None:
        """An empty list is a heartbeat."""
        self._alive()
        if not texts:
            self._answer_heartbeat()
        elif self._inbox.qsize() + len(texts) > MAX_INBOX:
            self.close(closing.OVER_CAPACITY)
        elif not self._is_closing:
            for text in texts:
                self._inbox.put_nowait(text)

    def close(self, why: Close) -> None:
        """Harmless to repeat."""
        if self._connection is not None:
            self._connection.close(why)
        else:
            self._outbox.close(why.code, why.reason)

    def _alive(self) -> None:
        if self._connection is not None:
            self._connection.last_received, self._connection.pinged_at = time.monotonic(), None

    def _answer_heartbeat(self) -> None:
        if self._expects_heartbeat:
            self._expects_heartbeat = False
        else:
            self._outbox.put(xhr.HEARTBEAT)

    # --- Its life

    async def run(self) -> None:
        """From the first request to the end."""
        pump = asyncio.ensure_future(self._pump())
        given_up = asyncio.ensure_future(self._given_up.wait())
        try:
            await self._serve()
            await asyncio.wait([pump, given_up], return_when=asyncio.FIRST_COMPLETED)
        finally:
            pump.cancel()
            given_up.cancel()
            if self._timer is not None:
                self._timer.cancel()
            if self._outlet is not None:
                self._outlet.end()

    async def _serve(self) -> None:
        self._outbox.put(xhr.OPEN)
        try:
            # Confirmed before the client may send anything: its next request may reach another gateway.
            await asyncio.shield(self._engine.board.listen_for(self._name))
            why = await admit(self._engine, self._record)
        except (LinkLost, CommandFailed):
            self.close(closing.OVER_CAPACITY)
            return
        if why is not None:
            self.close(why)
            return
        with Session(self._engine, self._record, self._outbox, self._client) as connection:
            try:
                await self._read(connection)
            except (LinkLost, CommandFailed):
                self.close(closing.OVER_CAPACITY)

    async def _read(self, connection: Connection) -> None:
        self._connection = connection
        connection.wants_positions = self.wants_positions
        connection.send(messages.connection_established(connection.socket_id, self._record.settings.activity_timeout))
        if self.token:
            await grants.open_with(connection, self.token)
        while (text := await self._inbox.get()) is not None:
            if not connection.is_closing:
                await connection.receive(text)

    def _closed(self) -> None:
        self._is_closing = True
        self._inbox.put_nowait(None)
        self._wait_for_client()

    def _wait_for_client(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(ABANDONED_AFTER, self._give_up)

    def _give_up(self) -> None:
        self._given_up.set()
        self.close(closing.RECONNECT)

    # --- To the client

    async def _pump(self) -> None:
        while not self._outbox.is_done:
            outlet = self._outlet
            piece = self._outbox.take(outlet.left) if outlet is not None and outlet.left > 0 else b""
            if outlet is not None and piece:
                await self._give(outlet, piece)
            elif not await self._something_new() and outlet is not None and outlet.left > 0:
                self._expects_heartbeat = outlet.is_streaming
                self._outbox.put(xhr.HEARTBEAT)

    async def _something_new(self) -> bool:
        """False when nothing changed until a heartbeat is due."""
        try:
            async with asyncio.timeout(HEARTBEAT):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    async def _give(self, outlet: Outlet, piece: bytes) -> None:
        outlet.left = outlet.left - len(piece) if outlet.is_streaming else 0
        try:
            given = await outlet.give(piece)
        except (LinkLost, CommandFailed):
            self.detach(outlet.id)
            self.close(closing.MESSAGES_LOST)
            return
        if not given:
            self._outbox.put_back(piece)
        if not given or not outlet.is_streaming:
            self.detach(outlet.id)
