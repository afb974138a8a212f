"""How frames look and what can be wrong with them (RFC 9113 sections 4, 6 and 7). Pure."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#: Bytes of a payload: what every peer takes, and what we take.
MAX_FRAME = 16_384
MAX_WINDOW = MAX_STREAM = 2**31 - 1
DEFAULT_WINDOW = 65_535
HEAD_LENGTH = 9

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
WITH_PRIORITY = 0x20

#: Length above its last byte, that byte, kind, flags, stream with a reserved bit.
HEAD = Struct(">HBBBL")
NUMBER = Struct(">L")
TWO_NUMBERS = Struct(">LL")
SETTING = Struct(">HL")


class Kind(IntEnum):
    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Setting(IntEnum):
    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class Code(IntEnum):
    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class Broken(Exception):
    """The peer broke the rules, so nothing it says on this connection can be believed any more."""

    def __init__(self, code: Code, what: str) -> None:
        super().__init__(f"{code.name}: {what}")
        self.code, self.what = code, what


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    length = len(payload)
    return HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream) + payload


def settings(values: dict[Setting, int]) -> bytes:
    return frame(Kind.SETTINGS, 0, 0, b"".join(SETTING.pack(name, value) for name, value in values.items()))


def reset(stream: int, code: Code) -> bytes:
    return frame(Kind.RST_STREAM, 0, stream, NUMBER.pack(code))


def window_update(stream: int, bytes_more: int) -> bytes:
    return frame(Kind.WINDOW_UPDATE, 0, stream, NUMBER.pack(bytes_more))


def go_away(code: Code) -> bytes:
    """Of a client, which has taken no stream from the server."""
    return frame(Kind.GOAWAY, 0, 0, TWO_NUMBERS.pack(0, code))


def unpadded(flags: int, payload: bytes) -> bytes:
    """Raises Broken when there is more padding than payload."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise Broken(Code.PROTOCOL_ERROR, "padding")
    return payload[1 : len(payload) - payload[0]]
