"""How many bytes wait for a slow reader, on each kind of Twisted transport."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.tcp import Server as TcpTransport
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOProtocol

from apps.realtime.servers.daphne import DaphneFrames, GatewayFactory, waiting_bytes


def tcp(waiting: int) -> TcpTransport:
    """As Twisted leaves it when the socket takes nothing more."""
    transport: Any = TcpTransport.__new__(TcpTransport)
    transport.dataBuffer, transport.offset = b"x" * waiting, 0
    transport._tempDataBuffer, transport._tempDataLen = [], 0
    return transport


def tls(encrypted: int, clear: int) -> TLSMemoryBIOProtocol:
    protocol: Any = TLSMemoryBIOProtocol.__new__(TLSMemoryBIOProtocol)
    protocol.transport, protocol._appSendBuffer = tcp(encrypted), [b"x" * clear] if clear else []
    protocol.written = []
    protocol.write = protocol.written.append
    return protocol


@pytest.mark.parametrize(("transport", "count"), [(tcp(7), 7), (tls(7, 0), 7), (tls(7, 5), 12), (None, 0)])
def test_what_waits_is_counted_below_tls_too(transport: Any, count: int) -> None:
    assert waiting_bytes(transport) == count


@pytest.mark.parametrize(("encrypted", "writes"), [(80, 1), (81, 0)])
async def test_a_slow_reader_over_tls_overflows_at_the_bound(encrypted: int, writes: int) -> None:
    class Protocol:
        transport = tls(encrypted, 0)

    overflows: list[bool] = []
    frames = DaphneFrames(Protocol())
    frames.accept_writes(100, lambda: overflows.append(True))
    frames.write(b"y" * 20)
    await asyncio.sleep(0)
    assert (len(Protocol.transport.written), len(overflows)) == (writes, 1 - writes)


def request_of(content_type: bytes, body: bytes) -> tuple[dict[str, Any], bytes]:
    """The scope that a POST becomes, and what Twisted answered by itself."""
    scopes: list[dict[str, Any]] = []
    server = SimpleNamespace(
        protocol_connected=lambda request: None, root_path="", request_buffer_size=8_192,
        proxy_forwarded_address_header=None, create_application=lambda request, scope: scopes.append(scope),
    )  # fmt: skip
    transport = StringTransport()
    protocol = GatewayFactory(server).buildProtocol(None)
    protocol.makeConnection(transport)
    head = b"POST /apps/1/events?a=b HTTP/1.1\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n"
    protocol.dataReceived(head % (content_type, len(body)) + body)
    [scope] = scopes
    return scope, transport.value()


@pytest.mark.parametrize(
    "content_type", [b"application/json", b"multipart/form-data", b"multipart/form-data; boundary=("]
)
def test_a_form_is_left_to_the_application(content_type: bytes) -> None:
    scope, answered = request_of(content_type, b"--(\r\nno form at all")
    assert (scope["path"], scope["query_string"], answered) == ("/apps/1/events", b"a=b", b"")
