"""WebSocket frames (RFC 6455, section 5): building a server's, reading a client's. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Opcode(IntEnum):
    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class FrameError(Exception):
    """The peer broke the WebSocket protocol; `code` is the close code RFC 6455 gives for it."""

    def __init__(self, code: int, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(reason)


def frame(payload: bytes, opcode: Opcode = Opcode.TEXT) -> bytes:
    """One complete, unmasked frame: the bytes every subscriber of a publication is sent."""
    size, first = len(payload), 0x80 | opcode
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65_536:
        return bytes((first, 126, size >> 8, size & 255)) + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


def payloads_of(wire: bytes) -> list[bytes]:
    """The payloads of frames made by `frame`, joined or single."""
    payloads, at = [], 0
    while at < len(wire):
        size, at = wire[at + 1], at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(wire[at : at + width], "big"), at + width
        payloads.append(wire[at : at + size])
        at += size
    return payloads


def close_payload(code: int, reason: str) -> bytes:
    """A close frame's payload; the reason is cut to the 123 bytes a control frame has room for."""
    return code.to_bytes(2, "big") + reason.encode()[:123].decode("utf-8", "ignore").encode()


@dataclass(frozen=True, slots=True)
class Received:
    """A whole message (TEXT or BINARY) or a control frame."""

    opcode: Opcode
    payload: bytes


class FrameReader:
    """Turns a client's byte stream into messages: unmasks, joins fragments, bounds the size."""

    __slots__ = ("_buffer", "_limit", "_opcode", "_parts", "_size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._opcode: Opcode | None = None
        self._size = 0

    def feed(self, data: bytes) -> list[Received]:
        """Every message completed by `data`. Raises FrameError."""
        self._buffer += data
        received = []
        while (raw := self._next_frame()) is not None:
            message = self._joined(*raw)
            if message is not None:
                received.append(message)
        return received

    def _next_frame(self) -> tuple[bool, Opcode, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        final, size, at = bool(buffer[0] & 0x80), buffer[1] & 0x7F, 2
        opcode = self._checked(buffer[0], buffer[1], size)
        if size >= 126:
            width = 2 if size == 126 else 8
            at += width
            if len(buffer) < at:
                return None
            size = int.from_bytes(buffer[2:at], "big")
        if size + self._size > self._limit:
            raise FrameError(1009, "message too big")
        end = at + 4 + size
        if len(buffer) < end:
            return None
        payload = _unmasked(bytes(buffer[at + 4 : end]), bytes(buffer[at : at + 4]))
        del buffer[:end]
        return final, opcode, payload

    @staticmethod
    def _checked(first: int, second: int, size: int) -> Opcode:
        if first & 0x70:
            raise FrameError(1002, "reserved bits are set")
        if not second & 0x80:
            raise FrameError(1002, "client frames must be masked")
        try:
            opcode = Opcode(first & 0x0F)
        except ValueError:
            raise FrameError(1002, "unknown opcode") from None
        if opcode >= Opcode.CLOSE and (size > 125 or not first & 0x80):
            raise FrameError(1002, "control frames are short and whole")
        return opcode

    def _joined(self, final: bool, opcode: Opcode, payload: bytes) -> Received | None:
        if opcode >= Opcode.CLOSE:
            return Received(opcode, payload)
        if (opcode is Opcode.CONTINUATION) != (self._opcode is not None):
            raise FrameError(1002, "unexpected continuation" if self._opcode is None else "expected a continuation")
        if self._opcode is None and final:
            return Received(opcode, payload)
        if self._opcode is None:
            self._opcode = opcode
        self._parts.append(payload)
        self._size += len(payload)
        if not final:
            return None
        whole = Received(self._opcode, b"".join(self._parts))
        self._parts, self._size, self._opcode = [], 0, None
        return whole


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    # XOR as one big integer: tens of times faster than byte by byte, and no C extension.
    size = len(payload)
    if not size:
        return b""
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")
