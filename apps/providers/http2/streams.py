"""The requests under way on one connection, and how each of them ended. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from apps.providers.exchanges import MAX_BODY, Answer, Lost, Reply
from apps.providers.http2.frames import MAX_STREAM, Broken, Code, reset
from apps.providers.http2.uploads import Uploads

Key = Hashable
#: Streams that we gave up and remember, since something may still come on them.
_REMEMBERED = 1_000


class Stream:
    """A request under way. key: whose. status: 0 until the answer begins. credit: bytes that it may still have."""

    __slots__ = ("began_at", "body", "credit", "fields", "key", "status")

    def __init__(self, key: Key, began_at: float) -> None:
        self.key, self.began_at = key, began_at
        self.status, self.credit, self.body = 0, MAX_BODY, b""
        self.fields: Mapping[str, str] = {}


class Streams:
    """finished: (key, end) in the order they ended; None for an end that was none: the peer has not looked at it.

    out: where frames are added that tell the peer what was given up.
    """

    def __init__(self, out: list[bytes], uploads: Uploads) -> None:
        self.finished: list[tuple[Key, Answer | None]] = []
        self.open: dict[int, Stream] = {}
        self.next = 1
        self._left: dict[int, None] = {}
        self._out, self._uploads = out, uploads

    @property
    def are_used_up(self) -> bool:
        """A connection's numbers are never used again (RFC 9113 section 5.1.1)."""
        return self.next > MAX_STREAM

    def begin(self, key: Key, now: float) -> int:
        number = self.next
        self.next = number + 2
        self.open[number] = Stream(key, now)
        return number

    def find(self, number: int) -> Stream | None:
        """None for one that we gave up. Raises Broken for one that is over or never was."""
        stream = self.open.get(number)
        if stream is None:
            self.check_begun(number)
            if number not in self._left:
                raise Broken(Code.STREAM_CLOSED, "closed stream")
        return stream

    def check_begun(self, number: int) -> None:
        if not number & 1 or number >= self.next:
            raise Broken(Code.PROTOCOL_ERROR, "stream that never was")

    def answered(self, number: int, stream: Stream) -> None:
        del self.open[number]
        self.finished.append((stream.key, Reply(stream.status, stream.fields, stream.body)))
        if self._uploads.waiting.pop(number, None) is not None:
            self._leave(number, Code.CANCEL)

    def cut_off(self, number: int, stream: Stream) -> None:
        """The answer is taken as far as it came."""
        self.answered(number, stream)
        self._leave(number, Code.CANCEL)

    def give_up(self, number: int, code: Code, why: str) -> None:
        self._end(number, Lost(True, why))
        self._leave(number, code)

    def reset_by_peer(self, number: int, code: int) -> None:
        if number in self.open:
            is_untouched = code == Code.REFUSED_STREAM and not self.open[number].status
            self._end(number, None if is_untouched else Lost(True, "reset"))

    def untouched_above(self, last: int) -> None:
        for number in [one for one in self.open if one > last]:
            self._end(number, None)
            self._remember(number)

    def expire(self, began_before: float) -> None:
        late = []
        for number, stream in self.open.items():
            if stream.began_at >= began_before:
                break
            late.append(number)
        for number in late:
            self.give_up(number, Code.CANCEL, "timeout")

    def lose_all(self, why: str) -> None:
        for number in list(self.open):
            self._end(number, Lost(True, why))

    def _end(self, number: int, end: Answer | None) -> None:
        self.finished.append((self.open.pop(number).key, end))
        self._uploads.waiting.pop(number, None)

    def _leave(self, number: int, code: Code) -> None:
        self._out.append(reset(number, code))
        self._remember(number)

    def _remember(self, number: int) -> None:
        self._left[number] = None
        if len(self._left) > _REMEMBERED:
            del self._left[next(iter(self._left))]
