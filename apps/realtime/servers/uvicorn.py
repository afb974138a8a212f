"""uvicorn with our own WebSocket protocol class: the hub writes to the transport itself, and handshakes are cheap."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from collections import deque
from collections.abc import Callable, MutableMapping
from typing import Any, cast
from urllib.parse import unquote

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from apps.realtime.peers import EXTENSION
from apps.realtime.protocol.frames import FrameError, FrameReader, Opcode, Received, close_payload, frame
from apps.realtime.websocket import MAX_MESSAGE

log = logging.getLogger(__name__)

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CLOSE_TIMEOUT = 5.0
#: Messages a client may have waiting for the application before its socket is no longer read.
_MAX_INBOX = 32
_NOT_SENT = frozenset({1005, 1006, 1015})


class CorkedTransport:
    """Head and body of a response, and responses of one turn of the loop, leave in one write instead of one each."""

    __slots__ = ("_loop", "_waiting", "plain")

    def __init__(self, transport: asyncio.Transport) -> None:
        self.plain = transport
        self._loop = asyncio.get_running_loop()
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting.append(data)

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and not self.plain.is_closing():
            self.plain.write(b"".join(waiting))

    def close(self) -> None:
        self.flush()
        self.plain.close()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.flush()
        self.plain.set_protocol(protocol)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)


class CorkedHttp(HttpToolsProtocol):
    """uvicorn's HTTP, which writes head and body apart."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", CorkedTransport(transport)))


class FramesProtocol(asyncio.Protocol):
    """One WebSocket connection; also its `peers.Frames`. Made by uvicorn when a request asks for an upgrade."""

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: Any = None) -> None:
        self._config, self._server_state = config, server_state
        self._loop = _loop or asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._reader = FrameReader(MAX_MESSAGE)
        self._inbox: deque[MutableMapping[str, Any]] = deque()
        self._wakeup: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._accept_key = b""
        self._accepted = self._closing = self._is_paused = False
        self._close_code = 1006
        self._on_overflow: Callable[[], None] | None = None
        #: Replaced by the transport's own method once the application accepts writes: nothing stands in between.
        self.write: Callable[[bytes], None] = _ignore

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        plain = getattr(transport, "plain", transport)
        self._transport = cast("asyncio.Transport", plain)  # uvloop's is no subclass of it
        self._server_state.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._server_state.connections.discard(self)
        self.write = _ignore
        self._put({"type": "websocket.disconnect", "code": self._close_code})

    def data_received(self, data: bytes) -> None:
        if self._task is None:
            self._start(data)
            return
        try:
            for message in self._reader.feed(data):
                self._receive(message)
        except FrameError as error:
            self._close_code = error.code
            self.close(error.code, error.reason)

    def eof_received(self) -> None:
        """The transport closes itself."""

    def pause_writing(self) -> None:
        if self._on_overflow is not None:
            self._loop.call_soon(self._on_overflow)
            self._on_overflow = None

    def resume_writing(self) -> None:
        """Nothing waits for this: who overflowed is being closed."""

    def shutdown(self) -> None:
        """uvicorn is stopping."""
        if self._accepted:
            self.close(1012, "server is restarting")
        else:
            self._transport.close()

    # --- peers.Frames

    def accept_writes(self, limit: int, on_overflow: Callable[[], None]) -> None:
        self._transport.set_write_buffer_limits(high=limit)
        self._on_overflow = on_overflow
        if not self._closing:
            self.write = self._transport.write

    def close(self, code: int, reason: str) -> None:
        if self._closing or self._transport.is_closing():
            return
        self._closing, self.write, self._on_overflow = True, _ignore, None
        self._transport.write(frame(close_payload(code, reason), Opcode.CLOSE))
        self._loop.call_later(_CLOSE_TIMEOUT, self._transport.abort)

    @property
    def buffered(self) -> int:
        return self._transport.get_write_buffer_size()

    # --- Handshake

    def _start(self, data: bytes) -> None:
        # uvicorn has parsed the request and writes it down anew, so its form is known.
        head, *lines = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
        headers = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
        given = dict(headers)
        key = given.get(b"sec-websocket-key", b"").strip()
        if not head.startswith(b"GET ") or len(key) != 24 or given.get(b"sec-websocket-version", b"").strip() != b"13":
            self._refuse(b"400 Bad Request", b"sec-websocket-version: 13\r\n")
            return
        digest = hashlib.sha1(key + _GUID, usedforsecurity=False).digest()
        self._accept_key = base64.b64encode(digest)
        self._task = self._loop.create_task(self._run(self._scope(head.split(b" ")[1], headers)))
        self._server_state.tasks.add(self._task)
        self._task.add_done_callback(self._server_state.tasks.discard)
        self._put({"type": "websocket.connect"})

    def _scope(self, target: bytes, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
        path, _, query = target.partition(b"?")
        peer = self._transport.get_extra_info("peername")
        return {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "scheme": "wss" if self._transport.get_extra_info("sslcontext") else "ws",
            "path": unquote(path.decode("latin-1")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": tuple(peer[:2]) if isinstance(peer, tuple) else None,
            "server": None,
            "subprotocols": [],
            "extensions": {EXTENSION: self},
        }

    async def _run(self, scope: dict[str, Any]) -> None:
        try:
            await self._config.loaded_app(scope, self._next, self._send)
        except Exception:
            log.exception("websocket.application_failed")
            self.close(1011, "internal error")
        if not self._accepted:
            self._refuse(b"403 Forbidden")
        elif not self._closing:
            self.close(1000, "")

    def _refuse(self, status: bytes, headers: bytes = b"") -> None:
        if not self._transport.is_closing():
            self._transport.write(
                b"HTTP/1.1 " + status + b"\r\n" + headers + b"content-length: 0\r\nconnection: close\r\n\r\n"
            )
            self._transport.close()

    # --- ASGI

    async def _next(self) -> MutableMapping[str, Any]:
        while not self._inbox:
            self._wakeup = self._loop.create_future()
            await self._wakeup
        if self._is_paused and len(self._inbox) < _MAX_INBOX // 2:
            self._is_paused = False
            self._transport.resume_reading()
        return self._inbox.popleft()

    def _put(self, message: MutableMapping[str, Any]) -> None:
        self._inbox.append(message)
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)
        if len(self._inbox) >= _MAX_INBOX and not self._is_paused and not self._transport.is_closing():
            self._is_paused = True
            self._transport.pause_reading()

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        kind = message["type"]
        if kind == "websocket.accept" and not self._accepted:
            self._accepted = True
            self._transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
                b"sec-websocket-accept: " + self._accept_key + b"\r\n\r\n"
            )
        elif kind == "websocket.send" and self._accepted and not self._closing:
            text = message.get("text")
            payload = frame(text.encode()) if text is not None else frame(message["bytes"], Opcode.BINARY)
            self._transport.write(payload)
        elif kind == "websocket.close" and self._accepted:
            self.close(message.get("code", 1000), message.get("reason") or "")
        elif kind == "websocket.close":
            self._refuse(b"503 Service Unavailable" if message.get("code") == 1001 else b"403 Forbidden")

    # --- Messages

    def _receive(self, message: Received) -> None:
        if message.opcode is Opcode.TEXT:
            try:
                self._put({"type": "websocket.receive", "text": message.payload.decode()})
            except UnicodeDecodeError:
                raise FrameError(1007, "text is not UTF-8") from None
        elif message.opcode is Opcode.BINARY:
            self._put({"type": "websocket.receive", "bytes": message.payload})
        elif message.opcode is Opcode.PING and not self._closing:
            self._transport.write(frame(message.payload, Opcode.PONG))
        elif message.opcode is Opcode.CLOSE:
            self._closed_by_peer(message.payload)

    def _closed_by_peer(self, payload: bytes) -> None:
        code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
        self._close_code = code
        self.close(1000 if code in _NOT_SENT else code, "")
        self._transport.close()


def _ignore(wire: bytes) -> None:
    """Where writes go before the application accepts them and after the connection was closed."""
