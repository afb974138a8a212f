"""WebSocket framing against hypothesis: whatever is cut wherever, the same messages come out."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.realtime.protocol.frames import FrameError, FrameReader, Opcode, close_payload, frame, payloads_of


def masked(payload: bytes, opcode: int = 1, *, final: bool = True, mask: bytes = b"\x01\x02\x03\x04") -> bytes:
    head = bytes([(0x80 if final else 0) | opcode])
    size = len(payload)
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65_536:
        head += bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([0x80 | 127]) + size.to_bytes(8, "big")
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_frame_gives_back_its_payload(size: int) -> None:
    payload = os.urandom(size)
    assert payloads_of(frame(payload) + frame(b"next")) == [payload, b"next"]


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 50))
def test_messages_survive_any_cut(payloads: list[bytes], step: int) -> None:
    stream = b"".join(masked(payload) for payload in payloads)
    reader, received = FrameReader(1_000), []
    for start in range(0, len(stream), step):
        received += reader.feed(stream[start : start + step])
    assert [message.payload for message in received] == payloads


def test_fragments_are_joined_around_a_ping() -> None:
    reader = FrameReader(1_000)
    stream = masked(b"he", final=False) + masked(b"?", Opcode.PING) + masked(b"llo", Opcode.CONTINUATION)
    assert [(message.opcode, message.payload) for message in reader.feed(stream)] == [
        (Opcode.PING, b"?"),
        (Opcode.TEXT, b"hello"),
    ]


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (b"\x81\x02hi", 1002),
        (masked(b"x", 3), 1002),
        (bytes([0xC1]) + masked(b"x")[1:], 1002),
        (masked(b"x", Opcode.PING, final=False), 1002),
        (masked(b"x" * 126, Opcode.PING), 1002),
        (masked(b"x", Opcode.CONTINUATION), 1002),
        (masked(b"x", final=False) + masked(b"y"), 1002),
        (masked(b"x" * 1_001), 1009),
        (masked(b"x" * 600, final=False) + masked(b"y" * 600, Opcode.CONTINUATION), 1009),
    ],
)
def test_a_frame_out_of_protocol_has_its_close_code(stream: bytes, code: int) -> None:
    with pytest.raises(FrameError) as raised:
        FrameReader(1_000).feed(stream)
    assert raised.value.code == code


@given(st.binary(max_size=400))
def test_garbage_is_a_frame_error_or_nothing(garbage: bytes) -> None:
    with suppress(FrameError):
        assert all(len(message.payload) <= 200 for message in FrameReader(200).feed(garbage))


def test_a_close_reason_is_cut_between_characters() -> None:
    payload = close_payload(4200, "é" * 100)
    assert len(payload) <= 125
    assert payload[2:].decode() == "é" * 61
