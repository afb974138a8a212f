"""The other side of a conversation: h2, which is strict, and frames written by hand, which need not be right."""

from __future__ import annotations

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import Event
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from apps.providers.exchanges import Request
from apps.providers.http2.conversation import Conversation
from apps.providers.http2.headers import RequestWriter

ORIGIN = "https://push.example"
_WRITER = RequestWriter(ORIGIN)


def make_request(path: str = "/3/device/abc", body: bytes = b"{}") -> Request:
    return Request(f"{ORIGIN}{path}", {"authorization": "bearer token", "apns-topic": "com.example.shop"}, body)


def greeted(settings: dict[int, int] | None = None) -> Conversation:
    """A conversation whose server has said its settings."""
    conversation = Conversation()
    conversation.receive(wire(SettingsFrame(0, settings=settings or {})))
    return conversation


def begin(conversation: Conversation, key: object = "push-1", *, body: bytes = b"{}", now: float = 0.0) -> None:
    conversation.begin(key, _WRITER.block(make_request(body=body)), body, now)


def wire(*frames: Frame) -> bytes:
    return b"".join(frame.serialize() for frame in frames)


def block(*fields: tuple[str, str]) -> bytes:
    encoder = Encoder()
    encoder.header_table_size = 0
    return encoder.encode(fields)


def head(stream: int, *fields: tuple[str, str], flags: tuple[str, ...] = ("END_HEADERS",)) -> HeadersFrame:
    return HeadersFrame(stream, data=block(*fields), flags=flags)


def answer(stream: int, status: int = 200) -> HeadersFrame:
    return head(stream, (":status", str(status)), flags=("END_HEADERS", "END_STREAM"))


def more(stream: int, data: bytes, *flags: str) -> ContinuationFrame:
    return ContinuationFrame(stream, data=data, flags=flags)


def data(stream: int, body: bytes, *flags: str, padding: int = 0) -> DataFrame:
    return DataFrame(stream, data=body, flags=[*flags, *(["PADDED"] if padding else [])], pad_length=padding)


def reset(stream: int, code: int) -> RstStreamFrame:
    return RstStreamFrame(stream, error_code=code)


def goodbye(last: int, words: bytes = b"") -> GoAwayFrame:
    return GoAwayFrame(0, last_stream_id=last, additional_data=words)


def window(stream: int, more_bytes: int) -> WindowUpdateFrame:
    return WindowUpdateFrame(stream, window_increment=more_bytes)


class Strict:
    """A server that checks every byte: it raises what h2 has to say about a client."""

    def __init__(self) -> None:
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.h2.initiate_connection()

    def hears(self, conversation: Conversation) -> list[Event]:
        return self.h2.receive_data(conversation.take_output())

    def says(self, conversation: Conversation) -> None:
        conversation.receive(self.h2.data_to_send())
