"""A network that takes everything and answers after a second. Prints where it is; runs until it is ended.

It reads no more of HTTP/2 than where a request ends, so that it is not what is measured.
Usage: python -m benchmarks.slow_network DIRECTORY
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import cast

import uvloop

from apps.providers.counterparts.authority import Authority
from apps.providers.http2.frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    HEAD,
    HEAD_LENGTH,
    PREFACE,
    Kind,
    Setting,
    frame,
    settings,
    window_update,
)

SECONDS = 1.0
#: Bytes of requests on one connection that may be on their way.
_WINDOW = 1 << 30


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._rest = b""
        self._to_skip = len(PREFACE)
        self._read = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(settings({Setting.MAX_CONCURRENT_STREAMS: 1_000}) + window_update(0, _WINDOW))

    def data_received(self, data: bytes) -> None:
        data, at = self._rest + data, self._to_skip
        ended: list[int] = []
        while len(data) - at >= HEAD_LENGTH:
            high, low, kind, flags, stream = HEAD.unpack_from(data, at)
            after = at + HEAD_LENGTH + (high << 8 | low)
            if after > len(data):
                break
            if kind in {Kind.HEADERS, Kind.DATA} and flags & END_STREAM:
                ended.append(stream)
            self._hear(kind, flags, data[at + HEAD_LENGTH : after])
            at, self._to_skip = after, 0
        self._rest = data[at:] if not self._to_skip else data
        if ended:
            asyncio.get_running_loop().call_later(SECONDS, self._answer, ended)

    def _hear(self, kind: int, flags: int, payload: bytes) -> None:
        if kind in {Kind.SETTINGS, Kind.PING} and not flags & ACK:
            self._transport.write(frame(kind, ACK, 0, payload if kind == Kind.PING else b""))
        elif kind == Kind.DATA:
            self._read += len(payload)
            if self._read >= _WINDOW // 2:
                self._transport.write(window_update(0, self._read))
                self._read = 0

    def _answer(self, streams: list[int]) -> None:
        if not self._transport.is_closing():
            ends = END_STREAM | END_HEADERS
            self._transport.write(b"".join(frame(Kind.HEADERS, ends, stream, b"\x88") for stream in streams))


async def _serve(directory: Path) -> None:
    context = Authority(directory).server_context()
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0, ssl=context)
    print(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(Path(sys.argv[1])))
