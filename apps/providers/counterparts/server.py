"""An HTTP/2 server that does what it is told, faults included. The networks beside it say what an answer is."""

from __future__ import annotations

import asyncio
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, RequestReceived, StreamEnded, StreamReset, WindowUpdated
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame

from apps.providers.counterparts.faults import Cut, Fault, GoAway, Refuse, Reset, Say, Slow, Stall


@dataclass(frozen=True, slots=True)
class Incoming:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Network(Protocol):
    """What stands behind the server. allows_one_stream_first: as APNs does until a request has succeeded."""

    allows_one_stream_first: bool

    def take(self, incoming: Incoming) -> Outgoing: ...


class Server:
    """Serves one network on 127.0.0.1 from a thread of its own. A context manager; `port` is free until it starts.

    faults: number of the request -> what goes wrong with it. connections, requests: how many there have been.
    """

    def __init__(
        self, network: Network, tls: ssl.SSLContext | None, *, port: int = 0, max_streams: int = 1_000
    ) -> None:
        self.network, self.max_streams = network, max_streams
        self.faults: dict[int, Fault] = {}
        self.requests = self.connections = 0
        self.port = port
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._open: set[_Connection] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="counterpart", daemon=True)

    @property
    def origin(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Server:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(timeout=10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await self._loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        await self._cut_all()
        await asyncio.sleep(0)

    def spoil(self, fault: Fault | None, count: int) -> None:
        """The next `count` requests; None: nothing any more."""
        first = self.requests + 1
        self.faults = {} if fault is None else dict.fromkeys(range(first, first + count), fault)

    def present(self, certificate: Path) -> None:
        """Another certificate (key and chain in PEM) from now on; whoever is connected must connect again."""
        assert self._tls is not None
        self._tls.load_cert_chain(certificate)
        asyncio.run_coroutine_threadsafe(self._cut_all(), self._loop).result(timeout=10)

    async def _cut_all(self) -> None:
        for connection in list(self._open):
            connection.cut()

    def opened(self, connection: _Connection) -> None:
        self.connections += 1
        self._open.add(connection)

    def closed(self, connection: _Connection) -> None:
        self._open.discard(connection)

    def fault_of_next(self) -> Fault | None:
        self.requests += 1
        return self.faults.get(self.requests)


class _Connection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self.server = server
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.bodies: dict[int, bytearray] = {}
        self.heads: dict[int, dict[str, str]] = {}
        self.unsent: dict[int, bytes] = {}
        self.last_stream: int | None = None
        self.narrow = server.network.allows_one_stream_first

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.opened(self)
        self.h2.initiate_connection()
        self._allow(1 if self.narrow else self.server.max_streams)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.closed(self)

    def data_received(self, data: bytes) -> None:
        try:
            events = self.h2.receive_data(data)
        except ProtocolError:
            self.cut()
            return
        for event in events:
            self._on(event)
        self._flush()

    def cut(self) -> None:
        self.transport.abort()

    def _on(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self.heads[event.stream_id] = {str(name): str(value) for name, value in event.headers}
            self.bodies[event.stream_id] = bytearray()
        elif isinstance(event, DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.bodies[event.stream_id] += event.data
        elif isinstance(event, StreamReset):
            self.heads.pop(event.stream_id, None)
            self.unsent.pop(event.stream_id, None)
        elif isinstance(event, WindowUpdated):
            for stream in [event.stream_id] if event.stream_id else list(self.unsent):
                self._pump(stream)
        elif isinstance(event, StreamEnded) and event.stream_id in self.heads:
            self._complete(event.stream_id)

    def _complete(self, stream: int) -> None:
        head, body = self.heads.pop(stream), bytes(self.bodies.pop(stream))
        if self.last_stream is not None and stream > self.last_stream:
            return  # after our GOAWAY: not looked at, as promised
        fault = self.server.fault_of_next()
        if isinstance(fault, Refuse):
            self.h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
            return
        if isinstance(fault, Say):
            self._answer(stream, Outgoing(fault.status, fault.headers, fault.body))
            return
        path, method = head.pop(":path"), head.pop(":method")
        answer = self.server.network.take(Incoming(method, path, head, body))
        self._end_as(fault, stream, answer)

    def _end_as(self, fault: Fault | None, stream: int, answer: Outgoing) -> None:
        if isinstance(fault, Cut):
            self.cut()
        elif isinstance(fault, Reset):
            self.h2.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
        elif isinstance(fault, Slow):
            asyncio.get_running_loop().call_later(fault.seconds, self._answer_late, stream, answer)
        elif isinstance(fault, GoAway):
            self._go_away(stream, fault.reason)
            self._answer(stream, answer)
        elif not isinstance(fault, Stall):
            self._answer(stream, answer)

    def _answer_late(self, stream: int, answer: Outgoing) -> None:
        if not self.transport.is_closing():
            self._answer(stream, answer)
            self._flush()

    def _answer(self, stream: int, answer: Outgoing) -> None:
        if self.narrow and answer.status == 200:
            self.narrow = False
            self._allow(self.server.max_streams)
        try:
            headers = [(":status", str(answer.status)), *answer.headers.items()]
            self.h2.send_headers(stream, headers, end_stream=not answer.body)
            if answer.body:
                self.unsent[stream] = answer.body
                self._pump(stream)
        except ProtocolError:
            self.unsent.pop(stream, None)  # the client has reset the stream meanwhile

    def _pump(self, stream: int) -> None:
        """As much of the body as the client's window has room for; the rest when it says so."""
        while body := self.unsent.get(stream):
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if not room:
                return
            self.unsent[stream] = body[room:]
            self.h2.send_data(stream, body[:room], end_stream=len(body) <= room)
        self.unsent.pop(stream, None)

    def _go_away(self, last_stream: int, reason: str) -> None:
        """Written by hand: h2 would close its own state and answer nothing more."""
        self.last_stream = last_stream
        frame = GoAwayFrame(0, last_stream_id=last_stream, additional_data=f'{{"reason":"{reason}"}}'.encode())
        self._flush()
        self.transport.write(frame.serialize())
        asyncio.get_running_loop().call_later(0.2, self.transport.close)

    def _allow(self, streams: int) -> None:
        self.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: streams})
        self._flush()

    def _flush(self) -> None:
        data = self.h2.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)
