"""How many bytes wait for a slow reader, on each kind of Twisted transport."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from twisted.internet.tcp import Server as TcpTransport
from twisted.protocols.tls import TLSMemoryBIOProtocol

from apps.realtime.servers.daphne import DaphneFrames, waiting_bytes


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
