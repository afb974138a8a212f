"""Whatever a server sends, however it is cut: no crash, and the same ends."""

from __future__ import annotations

from itertools import pairwise

from hyperframe.frame import PingFrame, SettingsFrame
from hypothesis import given
from hypothesis import strategies as st

from apps.providers.http2.conversation import Conversation
from tests.providers.http2.peers import answer, begin, block, data, goodbye, greeted, head, more, reset, window, wire

_STREAMS = 6
_stream = st.integers(0, _STREAMS).map(lambda number: 2 * number + 1)
_status = st.sampled_from([100, 103, 200, 204, 400, 410, 429, 503])
_flags = st.sampled_from([(), ("END_STREAM",)])


def _fields(stream: int, status: int, flags: tuple[str, ...]) -> bytes:
    return wire(head(stream, (":status", str(status)), ("a", "b" * 20), flags=("END_HEADERS", *flags)))


def _in_pieces(stream: int, status: int, at: int) -> bytes:
    first, written = head(stream, flags=()), block((":status", str(status)), ("x", "y" * 40))
    first.data = written[:at]
    return wire(first, more(stream, written[at:], "END_HEADERS"))


_good = st.one_of(
    st.builds(_fields, _stream, _status, _flags),
    st.builds(_in_pieces, _stream, _status, st.integers(0, 40)),
    st.builds(
        lambda stream, body, flags, padding: wire(data(stream, body, *flags, padding=padding)),
        _stream, st.binary(max_size=60), _flags, st.integers(0, 30),
    ),
    st.builds(lambda stream: wire(answer(stream)), _stream),
    st.builds(lambda stream, code: wire(reset(stream, code)), _stream, st.integers(0, 13)),
    st.builds(lambda stream, size: wire(window(stream, size)), st.just(0) | _stream, st.integers(1, 2**31 - 1)),
    st.builds(lambda last: wire(goodbye(last, b"{}")), _stream),
    st.builds(
        lambda name, value: wire(SettingsFrame(0, settings={name: value})),
        st.integers(1, 8), st.integers(0, 2**32 - 1) | st.integers(0, 200_000),
    ),
    st.just(wire(PingFrame(0, opaque_data=b"12345678"))),
)  # fmt: skip
_bad = st.builds(
    lambda kind, flags, stream, payload: (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    ),
    st.integers(0, 12), st.integers(0, 255), st.integers(0, 20), st.binary(max_size=30),
)  # fmt: skip
_said = st.lists(_good | _bad, max_size=12).map(b"".join)


def _asked() -> Conversation:
    """With requests under way, one of whose bodies waits."""
    conversation = greeted({4: 30})
    for number in range(_STREAMS):
        begin(conversation, number, body=b"x" * 10 * number)
    conversation.take_output()
    return conversation


def _ends(conversation: Conversation) -> tuple[object, ...]:
    left = list(conversation.streams.open)
    return (
        conversation.take_finished(),
        left,
        conversation.take_output(),
        conversation.failure,
        conversation.room,
        conversation.farewell,
    )


@given(_said, st.lists(st.integers(0, 600), max_size=8))
def test_ends_do_not_depend_on_where_the_bytes_are_cut(said: bytes, cuts: list[int]) -> None:
    whole, cut = _asked(), _asked()
    whole.receive(said)
    places = [0, *sorted(at % (len(said) + 1) for at in cuts), len(said)]
    for start, end in pairwise(places):
        cut.receive(said[start:end])
    assert _ends(cut) == _ends(whole)


@given(_said)
def test_ends_do_not_depend_on_one_byte_at_a_time(said: bytes) -> None:
    whole, slow = _asked(), _asked()
    whole.receive(said)
    for at in range(len(said)):
        slow.receive(said[at : at + 1])
    assert _ends(slow) == _ends(whole)


@given(st.binary(max_size=300))
def test_noise_is_a_clean_end_or_not_yet_a_frame(noise: bytes) -> None:
    conversation = _asked()
    conversation.receive(noise)
    ended = {key for key, _end in conversation.take_finished()}
    assert ended | {stream.key for stream in conversation.streams.open.values()} == set(range(_STREAMS))
    assert not conversation.failure or not conversation.streams.open


@given(_said)
def test_every_request_ends_exactly_once(said: bytes) -> None:
    conversation = _asked()
    conversation.receive(said)
    conversation.lose("cut")
    assert sorted(int(str(key)) for key, _end in conversation.take_finished()) == list(range(_STREAMS))
