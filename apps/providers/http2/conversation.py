"""One connection as its client sees it, without a socket: bytes in; bytes and answers out (RFC 9113).

It tells three ends of a request apart: an answer, `Lost` where the peer may have seen it, and None where the peer said
that it has not looked (REFUSED_STREAM, streams above the last of a GOAWAY). Whoever breaks the rules ends the
connection, with everything under way lost as sent. However the bytes are cut, the ends are the same.
"""

from __future__ import annotations

from collections.abc import Callable

from apps.providers.exchanges import MAX_BODY, Answer
from apps.providers.http2.frames import (
    ACK,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    HEAD,
    HEAD_LENGTH,
    MAX_FRAME,
    MAX_STREAM,
    NUMBER,
    PREFACE,
    SETTING,
    TWO_NUMBERS,
    WITH_PRIORITY,
    Broken,
    Code,
    Kind,
    Setting,
    frame,
    go_away,
    settings,
    unpadded,
    window_update,
)
from apps.providers.http2.headers import MAX_BLOCK, NO_TABLE, HPACKError, status_of
from apps.providers.http2.streams import Key, Stream, Streams
from apps.providers.http2.uploads import Upload, Uploads

#: Bytes of answers on all streams together that may be on their way to us.
WINDOW = 1 << 20
#: CONTINUATION frames of one block.
_PIECES = 32
#: Acknowledgements that a peer may ask for without reading them.
_ECHOES = 10_000
_UNTIL_SAID = 100


class _Block:
    """Header fields that go on in CONTINUATION frames."""

    __slots__ = ("data", "ends_stream", "pieces", "stream")

    def __init__(self, stream: int, ends_stream: bool, data: bytes) -> None:
        self.stream, self.ends_stream, self.data, self.pieces = stream, ends_stream, data, 1


class Conversation:
    """is_open: new requests may begin. failure: why nothing can be believed any more. is_greeted: the peer's settings
    have come. has_begun: there was a request. is_dismissed: the peer said goodbye; farewell: with these words. echoes:
    acknowledgements written; the owner sets it to 0 when they have left.
    """

    def __init__(self) -> None:
        self.is_open = True
        self.is_greeted = self.has_begun = self.is_dismissed = False
        self.failure = ""
        self.farewell = b""
        self.echoes = 0
        self.max_streams = _UNTIL_SAID
        self._uploads = Uploads()
        self._out: list[bytes] = []
        self.streams = Streams(self._out, self._uploads)
        self._last = MAX_STREAM
        self._rest = b""
        self._block: _Block | None = None
        self._unacknowledged = 0
        ours = {Setting.HEADER_TABLE_SIZE: 0, Setting.ENABLE_PUSH: 0, Setting.INITIAL_WINDOW_SIZE: MAX_BODY,
                Setting.MAX_HEADER_LIST_SIZE: MAX_BLOCK}  # fmt: skip
        self._out += (PREFACE, settings(ours), window_update(0, WINDOW - DEFAULT_WINDOW))
        self._readers: dict[int, Callable[[int, int, bytes], None]] = {
            Kind.DATA: self._on_data, Kind.HEADERS: self._on_headers, Kind.PRIORITY: self._on_priority,
            Kind.RST_STREAM: self._on_reset, Kind.SETTINGS: self._on_settings, Kind.PUSH_PROMISE: self._on_promise,
            Kind.PING: self._on_ping, Kind.GOAWAY: self._on_go_away, Kind.WINDOW_UPDATE: self._on_window_update,
            Kind.CONTINUATION: self._on_continuation,
        }  # fmt: skip

    @property
    def under_way(self) -> int:
        return len(self.streams.open)

    @property
    def room(self) -> int:
        """Requests that may begin now."""
        if not self.is_open or not self.is_greeted or self._uploads.window <= 0:
            return 0
        return max(0, self.max_streams - len(self.streams.open))

    def take_finished(self) -> list[tuple[Key, Answer | None]]:
        finished, self.streams.finished = self.streams.finished, []
        return finished

    def take_output(self) -> bytes:
        output = b"".join(self._out)
        self._out.clear()
        return output

    def begin(self, key: Key, block: bytes, body: bytes, now: float) -> None:
        """Only while there is room. now: of the clock that `expire` is asked with."""
        number = self.streams.begin(key, now)
        if not self.has_begun:
            self.has_begun, block = True, NO_TABLE + block
        if self.streams.are_used_up:
            self.is_open = False
        self._write_fields(number, block, 0 if body else END_STREAM)
        if body:
            self._write_body(number, body)

    def expire(self, began_before: float) -> None:
        """Gives up what began before then and has no answer yet."""
        self.streams.expire(began_before)

    def ping(self) -> None:
        self._out.append(frame(Kind.PING, 0, 0, b"pushsaas"))

    def close(self) -> None:
        """Says goodbye. Nothing may begin any more."""
        if self.is_open:
            self.is_open = False
            self._out.append(go_away(Code.NO_ERROR))

    def lose(self, why: str) -> None:
        """The connection is gone, or is to be ended: what is under way may have arrived."""
        self.is_open = False
        self.failure = self.failure or why
        self.streams.lose_all(self.failure)

    def receive(self, data: bytes) -> None:
        """Reads whole frames, and keeps the beginning of the next."""
        if self.failure:
            return
        try:
            self._read(self._rest + data if self._rest else data)
        except Broken as broken:
            self._out.append(go_away(broken.code))
            self.lose(f"protocol: {broken.what}")

    def _read(self, data: bytes) -> None:
        at, end = 0, len(data)
        unpack, readers = HEAD.unpack_from, self._readers
        while end - at >= HEAD_LENGTH:
            high, low, kind, flags, number = unpack(data, at)
            length = high << 8 | low
            if length > MAX_FRAME:
                raise Broken(Code.FRAME_SIZE_ERROR, "frame too large")
            after = at + HEAD_LENGTH + length
            if after > end:
                break
            if not self.is_greeted and (kind != Kind.SETTINGS or flags & ACK):
                raise Broken(Code.PROTOCOL_ERROR, "no settings")
            if self._block is not None and (kind != Kind.CONTINUATION or number != self._block.stream):
                raise Broken(Code.PROTOCOL_ERROR, "interrupted header block")
            reader = readers.get(kind)
            if reader is not None:
                reader(flags, number & MAX_STREAM, data[at + HEAD_LENGTH : after])
            at = after
        self._rest = data[at:]

    def _on_headers(self, flags: int, number: int, payload: bytes) -> None:
        block = unpadded(flags, payload)
        if flags & WITH_PRIORITY:
            if len(block) < 5:
                raise Broken(Code.FRAME_SIZE_ERROR, "priority")
            block = block[5:]
        stream = self.streams.find(number)
        if flags & END_HEADERS:
            self._on_block(number, stream, bool(flags & END_STREAM), block)
        else:
            self._block = _Block(number, bool(flags & END_STREAM), block)

    def _on_continuation(self, flags: int, number: int, payload: bytes) -> None:
        block = self._block
        if block is None:
            raise Broken(Code.PROTOCOL_ERROR, "continuation of nothing")
        block.data += payload
        block.pieces += 1
        if len(block.data) > MAX_BLOCK or block.pieces > _PIECES:
            raise Broken(Code.ENHANCE_YOUR_CALM, "header block too large")
        if flags & END_HEADERS:
            self._block = None
            self._on_block(number, self.streams.open.get(number), block.ends_stream, block.data)

    def _on_block(self, number: int, stream: Stream | None, ends: bool, block: bytes) -> None:
        if stream is None:
            return
        if stream.status:  # trailers, which say nothing that anybody here asks for
            if ends:
                self.streams.answered(number, stream)
            else:
                self.streams.give_up(number, Code.PROTOCOL_ERROR, "malformed_answer")
            return
        try:
            status, fields = status_of(block)
        except HPACKError:
            raise Broken(Code.COMPRESSION_ERROR, "header block") from None
        if 100 <= status < 200 and status != 101 and not ends:
            return
        if status < 200:
            self.streams.give_up(number, Code.PROTOCOL_ERROR, "malformed_answer")
            return
        stream.status, stream.fields = status, fields
        if ends:
            self.streams.answered(number, stream)

    def _on_data(self, flags: int, number: int, payload: bytes) -> None:
        stream, size = self.streams.find(number), len(payload)
        self._unacknowledged += size
        if self._unacknowledged > WINDOW:
            raise Broken(Code.FLOW_CONTROL_ERROR, "connection window")
        body = unpadded(flags, payload)
        if stream is not None:
            self._on_body(number, stream, body, size, bool(flags & END_STREAM))
        if self._unacknowledged >= WINDOW // 2:
            self._out.append(window_update(0, self._unacknowledged))
            self._unacknowledged = 0

    def _on_body(self, number: int, stream: Stream, body: bytes, size: int, ends: bool) -> None:
        """Of an answer no more is read than we keep: its window is never made larger, and when it is used up the answer
        is taken as it is."""
        stream.credit -= size
        if stream.credit < 0:
            raise Broken(Code.FLOW_CONTROL_ERROR, "stream window")
        if not stream.status:
            self.streams.give_up(number, Code.PROTOCOL_ERROR, "malformed_answer")
            return
        stream.body = stream.body + body if stream.body else body
        if ends:
            self.streams.answered(number, stream)
        elif not stream.credit:
            self.streams.cut_off(number, stream)

    def _on_reset(self, _flags: int, number: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise Broken(Code.FRAME_SIZE_ERROR, "reset")
        self.streams.check_begun(number)
        self.streams.reset_by_peer(number, NUMBER.unpack(payload)[0])

    def _on_settings(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise Broken(Code.PROTOCOL_ERROR, "settings of a stream")
        if len(payload) % SETTING.size or (flags & ACK and payload):
            raise Broken(Code.FRAME_SIZE_ERROR, "settings")
        if flags & ACK:
            return
        self.is_greeted = True
        for name, value in SETTING.iter_unpack(payload):
            self._set(name, value)
        self._echo(frame(Kind.SETTINGS, ACK, 0))
        self._out += self._uploads.pump()

    def _set(self, name: int, value: int) -> None:
        if name == Setting.MAX_CONCURRENT_STREAMS:
            self.max_streams = value
        elif name == Setting.INITIAL_WINDOW_SIZE:
            self._uploads.resize(value)
        elif name == Setting.MAX_FRAME_SIZE:
            if not MAX_FRAME <= value < 1 << 24:
                raise Broken(Code.PROTOCOL_ERROR, "frame size")
            self._uploads.frame_size = value
        elif name == Setting.ENABLE_PUSH and value:
            raise Broken(Code.PROTOCOL_ERROR, "push")

    def _on_ping(self, flags: int, number: int, payload: bytes) -> None:
        if number or len(payload) != 8:
            raise Broken(Code.PROTOCOL_ERROR if number else Code.FRAME_SIZE_ERROR, "ping")
        if not flags & ACK:
            self._echo(frame(Kind.PING, ACK, 0, payload))

    def _on_go_away(self, _flags: int, number: int, payload: bytes) -> None:
        """The smallest last stream of several counts, and what the peer says of them is handed up."""
        if number or len(payload) < TWO_NUMBERS.size:
            raise Broken(Code.PROTOCOL_ERROR if number else Code.FRAME_SIZE_ERROR, "goaway")
        last, _code = TWO_NUMBERS.unpack_from(payload)
        self._last = min(self._last, last & MAX_STREAM)
        self.is_open, self.is_dismissed = False, True
        self.farewell = payload[TWO_NUMBERS.size :] or self.farewell
        self.streams.untouched_above(self._last)

    def _on_window_update(self, _flags: int, number: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise Broken(Code.FRAME_SIZE_ERROR, "window update")
        if number:
            self.streams.check_begun(number)
        more = NUMBER.unpack(payload)[0] & MAX_STREAM
        if not more:
            raise Broken(Code.PROTOCOL_ERROR, "window update of nothing")
        self._uploads.allow(number, more)
        if self._uploads.waiting:
            self._out += self._uploads.pump()

    def _on_priority(self, _flags: int, number: int, payload: bytes) -> None:
        if not number or len(payload) != 5:
            raise Broken(Code.FRAME_SIZE_ERROR if number else Code.PROTOCOL_ERROR, "priority")

    def _on_promise(self, _flags: int, _number: int, _payload: bytes) -> None:
        raise Broken(Code.PROTOCOL_ERROR, "push")

    def _echo(self, answer: bytes) -> None:
        self.echoes += 1
        if self.echoes > _ECHOES:
            raise Broken(Code.ENHANCE_YOUR_CALM, "unread acknowledgements")
        self._out.append(answer)

    def _write_fields(self, number: int, block: bytes, flags: int) -> None:
        size, most = len(block), self._uploads.frame_size
        if size <= most:
            self._out += (HEAD.pack(size >> 8, size & 0xFF, Kind.HEADERS, flags | END_HEADERS, number), block)
            return
        self._out.append(frame(Kind.HEADERS, flags, number, block[:most]))
        for at in range(most, size, most):
            last = END_HEADERS if at + most >= size else 0
            self._out.append(frame(Kind.CONTINUATION, last, number, block[at : at + most]))

    def _write_body(self, number: int, body: bytes) -> None:
        size = len(body)
        if self._uploads.takes_whole(size):
            self._out += (HEAD.pack(size >> 8, size & 0xFF, Kind.DATA, END_STREAM, number), body)
        else:
            self._uploads.waiting[number] = Upload(body, self._uploads.stream_window)
            self._out += self._uploads.pump()
