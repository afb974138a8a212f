"""The protocol without a socket: RFC 9113 by a strict server, then everything a server may do wrong."""

from __future__ import annotations

import pytest
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, PingAckReceived, RequestReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes
from hyperframe.frame import ExtensionFrame, Frame, PingFrame, PriorityFrame, PushPromiseFrame, SettingsFrame

from apps.providers.exchanges import MAX_BODY, Lost, Reply
from apps.providers.http2.conversation import WINDOW, Conversation
from apps.providers.http2.frames import MAX_FRAME, MAX_STREAM
from tests.providers.http2.peers import (
    Strict,
    answer,
    begin,
    block,
    data,
    goodbye,
    greeted,
    head,
    more,
    reset,
    window,
    wire,
)


def _body_of(events: list[object]) -> bytes:
    return b"".join(bytes(event.data or b"") for event in events if isinstance(event, DataReceived))


def test_a_strict_server_takes_many_requests_and_is_understood() -> None:
    server, conversation = Strict(), Conversation()
    server.hears(conversation)
    server.says(conversation)
    for number in range(50):
        begin(conversation, number, body=b"x" * number)
    events = server.hears(conversation)
    assert sum(isinstance(event, RequestReceived) for event in events) == 50
    assert len(_body_of(events)) == sum(range(50))
    for number in range(50):
        server.h2.send_headers(2 * number + 1, [(":status", "200"), ("x-number", str(number))])
        server.h2.send_data(2 * number + 1, b"y" * number, end_stream=True)
    server.says(conversation)
    found = {key: end for key, end in conversation.take_finished() if isinstance(end, Reply)}
    assert [(end.status, end.headers["x-number"], len(end.body)) for end in found.values()] == [
        (200, str(number), number) for number in range(50)
    ]
    assert conversation.under_way == 0


def test_nothing_begins_before_the_server_has_said_its_settings() -> None:
    conversation = Conversation()
    assert conversation.room == 0
    conversation.receive(wire(SettingsFrame(0, settings={SettingCodes.MAX_CONCURRENT_STREAMS: 7})))
    assert conversation.room == 7


def test_the_number_of_streams_follows_the_server() -> None:
    conversation = greeted({SettingCodes.MAX_CONCURRENT_STREAMS: 1})
    begin(conversation, "first")
    assert conversation.room == 0
    conversation.receive(wire(SettingsFrame(0, settings={SettingCodes.MAX_CONCURRENT_STREAMS: 3})))
    assert conversation.room == 2
    conversation.receive(wire(SettingsFrame(0, settings={SettingCodes.MAX_CONCURRENT_STREAMS: 0})))
    assert conversation.room == 0


def test_a_body_waits_for_both_windows_and_leaves_whole() -> None:
    server, conversation = Strict(), Conversation()
    server.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 10})
    server.hears(conversation)
    server.says(conversation)
    body = bytes(range(256)) * 400
    begin(conversation, body=body)
    arrived = b""
    while len(arrived) < len(body):
        events = server.hears(conversation)
        arrived += _body_of(events)
        assert events
        for stream in (0, 1):
            server.h2.increment_flow_control_window(20_000, stream or None)
        server.says(conversation)
    assert arrived == body
    assert any(isinstance(event, StreamEnded) for event in [*events, *server.hears(conversation)])


def test_a_window_made_smaller_is_believed_and_made_larger_goes_on() -> None:
    server, conversation = Strict(), Conversation()
    server.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 100})
    server.hears(conversation)
    server.says(conversation)
    begin(conversation, body=b"x" * 300)
    assert len(_body_of(server.hears(conversation))) == 100
    server.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 50})
    server.h2.increment_flow_control_window(60, 1)
    server.says(conversation)
    assert len(_body_of(server.hears(conversation))) == 10
    server.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1_000})
    server.says(conversation)
    assert len(_body_of(server.hears(conversation))) == 190


def test_one_body_that_waits_for_its_own_window_holds_up_nobody() -> None:
    conversation = greeted({SettingCodes.INITIAL_WINDOW_SIZE: 10})
    begin(conversation, "long", body=b"x" * 11)
    begin(conversation, "short", body=b"x" * 10)
    conversation.receive(wire(answer(3)))
    assert [key for key, _end in conversation.take_finished()] == ["short"]


def test_an_answer_before_the_body_has_left_ends_the_request() -> None:
    server, conversation = Strict(), Conversation()
    server.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 10})
    server.hears(conversation)
    server.says(conversation)
    begin(conversation, body=b"x" * 11)
    server.hears(conversation)
    server.h2.send_headers(1, [(":status", "413")], end_stream=True)
    server.says(conversation)
    [(_key, end)] = conversation.take_finished()
    assert isinstance(end, Reply)
    assert end.status == 413
    assert any(isinstance(event, StreamReset) for event in server.hears(conversation))


def test_long_fields_leave_in_frames_that_the_server_takes() -> None:
    server, conversation = Strict(), Conversation()
    server.hears(conversation)
    server.says(conversation)
    fields = b"\x83\x87\x01\x04host\x04\x01/" + b"\x00\x01a\x7f\x80\x7f" + b"v" * 16_383
    conversation.begin("key", fields + b"\x00\x01b\x7f\x80\x7f" + b"w" * 16_383, b"", 0.0)
    [event] = [event for event in server.hears(conversation) if isinstance(event, RequestReceived)]
    assert dict(event.headers)["b"] == "w" * 16_383


def test_pings_and_settings_are_acknowledged() -> None:
    server, conversation = Strict(), Conversation()
    server.hears(conversation)
    server.says(conversation)
    server.h2.ping(b"12345678")
    server.says(conversation)
    assert [event.ping_data for event in server.hears(conversation) if isinstance(event, PingAckReceived)] == [
        b"12345678"
    ]


def test_early_hints_and_trailers_are_passed_over() -> None:
    conversation = greeted()
    begin(conversation)
    conversation.receive(wire(
        head(1, (":status", "103"), ("link", "</a>")), head(1, (":status", "503"), ("a", "b")), data(1, b"body"),
        head(1, ("grpc-status", "14"), flags=("END_HEADERS", "END_STREAM")),
    ))  # fmt: skip
    assert conversation.take_finished() == [("push-1", Reply(503, {"a": "b"}, b"body"))]


def test_fields_may_come_in_pieces_and_with_padding() -> None:
    conversation = greeted()
    begin(conversation)
    written = block((":status", "410"), ("x", "y" * 100))
    first = head(1, flags=())
    first.data = written[:5]
    conversation.receive(wire(first, more(1, b""), more(1, written[5:50]), more(1, written[50:], "END_HEADERS")))
    conversation.receive(wire(data(1, b"{}", padding=200), data(1, b"", "END_STREAM", padding=9)))
    [(_key, end)] = conversation.take_finished()
    assert end == Reply(410, {"x": "y" * 100}, b"{}")


def test_unknown_frames_are_passed_over() -> None:
    conversation = greeted()
    begin(conversation)
    other = ExtensionFrame(type=0xA, stream_id=0, body=b"altsvc")
    conversation.receive(wire(other, PriorityFrame(1, depends_on=3), answer(1)))
    assert len(conversation.take_finished()) == 1


@pytest.mark.parametrize(
    ("frames", "ends"),
    [
        ([goodbye(1)], {"b": None, "c": None}),
        ([goodbye(MAX_STREAM)], {}),
        ([goodbye(MAX_STREAM), goodbye(3)], {"c": None}),
        ([goodbye(1), goodbye(5)], {"b": None, "c": None}),
        ([goodbye(0)], {"a": None, "b": None, "c": None}),
    ],
    ids=["first", "warning", "warning-then-last", "never-larger", "none"],
)
def test_streams_above_the_last_of_a_goodbye_are_untouched(frames: list[Frame], ends: dict[str, None]) -> None:
    conversation = greeted()
    for key in "abc":
        begin(conversation, key)
    conversation.receive(wire(*frames))
    assert dict(conversation.take_finished()) == ends
    assert conversation.room == 0
    assert not conversation.failure


def test_after_a_goodbye_answers_still_count_and_its_words_are_kept() -> None:
    conversation = greeted()
    for key in "ab":
        begin(conversation, key)
    conversation.receive(wire(goodbye(1, b'{"reason":"Shutdown"}'), answer(1), answer(3)))
    assert [(key, getattr(end, "status", end)) for key, end in conversation.take_finished()] == [
        ("b", None),
        ("a", 200),
    ]
    assert conversation.farewell == b'{"reason":"Shutdown"}'


@pytest.mark.parametrize(
    ("code", "end"),
    [(ErrorCodes.REFUSED_STREAM, None), (ErrorCodes.CANCEL, Lost(True, "reset")),
     (ErrorCodes.NO_ERROR, Lost(True, "reset")), (ErrorCodes.HTTP_1_1_REQUIRED, Lost(True, "reset"))],
)  # fmt: skip
def test_only_a_refused_stream_is_untouched(code: ErrorCodes, end: Lost | None) -> None:
    conversation = greeted()
    begin(conversation)
    conversation.receive(wire(reset(1, code)))
    assert conversation.take_finished() == [("push-1", end)]


def test_a_stream_refused_after_its_answer_began_was_touched() -> None:
    conversation = greeted()
    begin(conversation)
    conversation.receive(wire(head(1, (":status", "200")), reset(1, ErrorCodes.REFUSED_STREAM)))
    assert conversation.take_finished() == [("push-1", Lost(True, "reset"))]


def test_what_is_late_is_given_up_and_what_then_comes_is_passed_over() -> None:
    server, conversation = Strict(), Conversation()
    server.hears(conversation)
    server.says(conversation)
    begin(conversation, "old", now=1.0)
    begin(conversation, "young", now=2.0)
    server.hears(conversation)
    conversation.expire(2.0)
    assert conversation.take_finished() == [("old", Lost(True, "timeout"))]
    conversation.receive(wire(head(1, (":status", "200")), data(1, b"late", "END_STREAM"), answer(3)))
    assert [key for key, _end in conversation.take_finished()] == ["young"]
    assert [event.error_code for event in server.hears(conversation) if isinstance(event, StreamReset)] == [
        ErrorCodes.CANCEL
    ]


def test_an_answer_is_read_no_further_than_we_keep() -> None:
    server, conversation = Strict(), Conversation()
    server.hears(conversation)
    server.says(conversation)
    begin(conversation)
    server.hears(conversation)
    server.h2.send_headers(1, [(":status", "200")])
    for _ in range(MAX_BODY // MAX_FRAME):
        server.h2.send_data(1, b"x" * MAX_FRAME)
    assert server.h2.local_flow_control_window(1) == 0
    server.says(conversation)
    [(_key, end)] = conversation.take_finished()
    assert isinstance(end, Reply)
    assert len(end.body) == MAX_BODY
    assert any(isinstance(event, StreamReset) for event in server.hears(conversation))


def test_the_connection_window_is_given_back() -> None:
    conversation = greeted()
    for number in range(3 * WINDOW // MAX_BODY):
        begin(conversation, number)
        pieces = [data(2 * number + 1, b"x" * MAX_FRAME) for _ in range(MAX_BODY // MAX_FRAME - 1)]
        conversation.receive(
            wire(head(2 * number + 1, (":status", "200")), *pieces, data(2 * number + 1, b"", "END_STREAM"))
        )
    assert not conversation.failure
    assert conversation.take_output().count(b"\x00\x00\x04\x08\x00\x00\x00\x00\x00") >= 3


def test_numbers_are_not_used_twice_when_they_run_out() -> None:
    conversation = greeted()
    conversation.streams.next = MAX_STREAM - 2
    begin(conversation, "last but one")
    assert conversation.is_open
    begin(conversation, "last")
    assert not conversation.is_open
    conversation.receive(wire(answer(MAX_STREAM)))
    assert [key for key, _end in conversation.take_finished()] == ["last"]


def _raw(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


_BROKEN = {
    "frame-too-large": b"\x00\x40\x01\x00\x00\x00\x00\x00\x01",
    "answer-to-nobody": wire(answer(5)),
    "answer-of-an-even-stream": wire(answer(2)),
    "answer-of-no-stream": _raw(1, 5, 0, b"\x88"),
    "answer-twice": wire(answer(1), answer(1)),
    "body-after-the-end": wire(answer(1), data(1, b"x")),
    "body-of-no-stream": _raw(0, 0, 0, b"x"),
    "more-padding-than-payload": _raw(0, 8, 1, b"\x02x"),
    "padding-of-nothing": _raw(0, 8, 1, b""),
    "priority-cut-short": _raw(1, 0x24, 1, b"\x00\x00"),
    "priority-of-another-size": _raw(2, 0, 1, b"\x00"),
    "priority-of-no-stream": _raw(2, 0, 0, b"\x00" * 5),
    "other-frame-in-a-block": _raw(1, 0, 1, b"\x88") + wire(PingFrame(0, opaque_data=b"12345678")),
    "unknown-frame-in-a-block": _raw(1, 0, 1, b"\x88") + _raw(0xA, 0, 0, b""),
    "block-goes-on-elsewhere": _raw(1, 0, 1, b"\x88") + wire(more(3, b"", "END_HEADERS")),
    "goes-on-from-nothing": wire(more(1, b"", "END_HEADERS")),
    "endless-block": _raw(1, 0, 1, b"\x88") + wire(*[more(1, b"x" * MAX_FRAME) for _ in range(5)]),
    "endless-empty-pieces": _raw(1, 0, 1, b"\x88") + wire(*[more(1, b"") for _ in range(50)]),
    "unreadable-fields": _raw(1, 5, 1, b"\xbe"),
    "reset-of-another-size": _raw(3, 0, 1, b"\x00"),
    "reset-of-a-stream-that-never-was": wire(reset(99, 0)),
    "settings-of-a-stream": _raw(4, 0, 1, b""),
    "settings-of-another-size": _raw(4, 0, 0, b"\x00"),
    "acknowledgement-with-words": _raw(4, 1, 0, b"\x00" * 6),
    "settings-that-push": _raw(4, 0, 0, b"\x00\x02\x00\x00\x00\x01"),
    "settings-with-small-frames": _raw(4, 0, 0, b"\x00\x05\x00\x00\x00\x01"),
    "settings-with-a-huge-window": _raw(4, 0, 0, b"\x00\x04\xff\xff\xff\xff"),
    "ping-of-another-size": _raw(6, 0, 0, b"1234567"),
    "ping-of-a-stream": _raw(6, 0, 1, b"12345678"),
    "goodbye-cut-short": _raw(7, 0, 0, b"1234567"),
    "goodbye-of-a-stream": _raw(7, 0, 1, b"12345678"),
    "window-of-another-size": _raw(8, 0, 0, b"123"),
    "window-of-nothing": _raw(8, 0, 0, b"\x00" * 4),
    "window-out-of-bounds": _raw(8, 0, 0, b"\x7f\xff\xff\xff"),
    "window-of-a-stream-that-never-was": wire(window(7, 1)),
    "promise": wire(PushPromiseFrame(1, promised_stream_id=2, data=block((":path", "/")), flags=["END_HEADERS"])),
}  # fmt: skip


@pytest.mark.parametrize("said", _BROKEN.values(), ids=_BROKEN.keys())
def test_who_breaks_the_rules_is_left_with_everything_unknown(said: bytes) -> None:
    conversation = greeted()
    begin(conversation, "a")
    begin(conversation, "b")
    conversation.take_output()
    conversation.receive(said)
    ends = conversation.take_finished()
    assert conversation.failure.startswith("protocol: ")
    assert {key for key, _end in ends} == {"a", "b"}
    assert {end for _key, end in ends[-1:]} == {Lost(True, conversation.failure)}
    assert conversation.take_output()[3] == 7  # says goodbye
    conversation.receive(wire(answer(1)))
    assert conversation.take_finished() == []


@pytest.mark.parametrize(
    "said",
    [
        [data(1, b"x")],
        [head(1, ("a", "b"))],
        [head(1, (":status", "101"))],
        [head(1, (":status", "103"), flags=("END_HEADERS", "END_STREAM"))],
        [head(1, (":status", "200")), head(1, ("a", "b"))],
    ],
    ids=["body-first", "no-status", "switching", "only-a-hint", "trailers-that-do-not-end"],
)
def test_a_malformed_answer_costs_its_own_stream_alone(said: list[Frame]) -> None:
    conversation = greeted()
    begin(conversation, "a")
    begin(conversation, "b")
    conversation.receive(wire(*said, answer(3)))
    (first, lost), (second, reply) = conversation.take_finished()
    assert (first, lost, second) == ("a", Lost(True, "malformed_answer"), "b")
    assert isinstance(reply, Reply)
    assert not conversation.failure


@pytest.mark.parametrize("said", [wire(answer(1)), wire(SettingsFrame(0, flags=["ACK"])), b"HTTP/1.1 400 Bad\r\n\r\n"])
def test_a_server_that_does_not_begin_with_settings_is_left(said: bytes) -> None:
    conversation = Conversation()
    conversation.receive(said)
    assert conversation.failure
    assert not conversation.is_open


def test_who_sends_more_than_a_window_is_left() -> None:
    conversation = greeted()
    begin(conversation)
    conversation.receive(wire(head(1, (":status", "200")), data(1, b"x", padding=255)))
    pieces = [data(1, b"x" * MAX_FRAME) for _ in range(MAX_BODY // MAX_FRAME)]
    conversation.receive(wire(*pieces))
    assert conversation.failure == "protocol: stream window"


def test_acknowledgements_that_nobody_reads_have_an_end() -> None:
    conversation = greeted()
    conversation.receive(wire(PingFrame(0, opaque_data=b"12345678")) * 20_000)
    assert conversation.failure == "protocol: unread acknowledgements"


def test_goodbye_of_ours_is_understood() -> None:
    server, conversation = Strict(), Conversation()
    server.hears(conversation)
    server.says(conversation)
    conversation.close()
    assert any(isinstance(event, ConnectionTerminated) for event in server.hears(conversation))
    assert conversation.room == 0
