"""A lean asyncio connection to Valkey: commands of many tasks share one socket, and pushes reach a plain function.

redis-py's asyncio client spends some 100 us of Python on a command; the publish path and the fan-out cannot. This one
writes the commands of one turn of the loop together, answers in order, and parses with hiredis. Everything off the hot
path uses redis-py.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import hiredis
from redis.asyncio.connection import SSLConnection, parse_url

Command = tuple[bytes | str | int | float, ...]
_CONNECT_TIMEOUT = 3.0


class LinkLost(ConnectionError):
    """The connection to Valkey is gone. Whether the command was carried out is unknown."""


class CommandFailed(RuntimeError):
    """Valkey answered with an error."""


def forget(future: asyncio.Future[Any]) -> None:
    """For a reply nobody waits for: its failure (the link is lost, which others notice) is not reported."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())


class Link(asyncio.Protocol):
    """One connection. Belongs to the event loop it was opened in.

    on_pushes: called with the replies of one read that no command waits for (subscriptions).
    on_lost: called once, when the connection ends.
    """

    def __init__(self, on_pushes: Callable[[list[Any]], None] | None, on_lost: Callable[[], None]) -> None:
        self._on_pushes, self._on_lost = on_pushes, on_lost
        self._reader = hiredis.Reader()
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._transport: asyncio.Transport | None = None
        #: Commands of this turn of the loop, which leave in one write.
        self._outgoing: list[bytes] = []
        self._loop = asyncio.get_running_loop()

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        pushes: list[Any] = []
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                if self._waiting:
                    self._answer(self._waiting.popleft(), reply)
                else:
                    pushes.append(reply)
        except hiredis.ProtocolError:
            self.close()
        if pushes and self._on_pushes is not None:
            self._on_pushes(pushes)

    @staticmethod
    def _answer(future: asyncio.Future[Any], reply: Any) -> None:
        if future.done():  # its caller was cancelled
            return
        if isinstance(reply, hiredis.ReplyError):
            future.set_exception(CommandFailed(str(reply)))
        else:
            future.set_result(reply)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._outgoing.clear()
        for future in self._waiting:
            if not future.done():
                future.set_exception(LinkLost("the connection to Valkey was lost"))
        self._waiting.clear()
        self._on_lost()

    def write(self, *command: bytes | str | int | float) -> None:
        """Sends a command whose reply arrives as a push. Raises LinkLost."""
        if self._transport is None or self._transport.is_closing():
            raise LinkLost("not connected to Valkey")
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(hiredis.pack_command(command))  # type: ignore[arg-type]  # the stub says: of one element

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self._transport is not None and outgoing:
            self._transport.write(b"".join(outgoing))

    def call(self, *command: bytes | str | int | float) -> asyncio.Future[Any]:
        """The future reply. It fails with LinkLost or CommandFailed."""
        future: asyncio.Future[Any] = self._loop.create_future()
        try:
            self.write(*command)
        except LinkLost as error:
            future.set_exception(error)
        else:
            self._waiting.append(future)
        return future

    def keep_reading(self, wanted: bool) -> None:
        if self._transport is not None and not self._transport.is_closing():
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def close(self) -> None:
        self._flush()
        if self._transport is not None:
            self._transport.close()


async def open_link(
    url: str, *, on_lost: Callable[[], None], on_pushes: Callable[[list[Any]], None] | None = None
) -> Link:
    """Connects and authenticates. url: as redis-py takes it (`unix://`, `redis://`, `rediss://`). Raises OSError."""
    loop = asyncio.get_running_loop()
    options = parse_url(url)

    def made() -> Link:
        return Link(on_pushes, on_lost)

    async with asyncio.timeout(_CONNECT_TIMEOUT):
        if "path" in options:
            _, link = await loop.create_unix_connection(made, options["path"])
        else:
            encrypted = options.get("connection_class") is SSLConnection
            host, port = options.get("host", "localhost"), options.get("port", 6379)
            _, link = await loop.create_connection(made, host, port, ssl=encrypted or None)
        try:
            if options.get("password"):
                name = [options["username"]] if options.get("username") else []
                await link.call("AUTH", *name, options["password"])
            if options.get("db"):
                await link.call("SELECT", options["db"])
        except (LinkLost, CommandFailed) as error:
            link.close()
            raise ConnectionError(str(error)) from error
    return link


class Lines:
    """A command link that is opened again whenever it is lost.

    prepare: commands carried out on each new connection before anybody else's (the scripts are loaded that way).
    """

    def __init__(self, url: str, prepare: tuple[Command, ...] = ()) -> None:
        self._url, self._prepare = url, prepare
        self._link: Link | None = None
        self._opening: asyncio.Task[Link] | None = None
        self._closed = False

    def call(self, *command: bytes | str | int | float) -> asyncio.Future[Any]:
        """The future reply; at once a failed one while Valkey is away (a new attempt is then under way)."""
        if self._link is not None and self._link.is_open:
            return self._link.call(*command)
        self._reopen()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.set_exception(LinkLost("not connected to Valkey"))
        return future

    async def connect(self) -> None:
        """Raises OSError while Valkey does not answer."""
        if self._link is None or not self._link.is_open:
            await asyncio.shield(self._reopen())

    def _reopen(self) -> asyncio.Task[Link]:
        if self._opening is None or self._opening.done():
            self._opening = asyncio.get_running_loop().create_task(self._open())
            self._opening.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._opening

    async def _open(self) -> Link:
        link = await open_link(self._url, on_lost=self._lost)
        try:
            for command in self._prepare:
                await link.call(*command)
        except (LinkLost, CommandFailed) as error:
            link.close()
            raise ConnectionError(str(error)) from error
        self._link = link
        return link

    def _lost(self) -> None:
        if not self._closed and self._opening is not None and self._opening.done():
            with suppress(RuntimeError):  # the loop may be closing
                self._reopen()

    def close(self) -> None:
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
        if self._link is not None:
            self._link.close()
