"""What our header blocks mean to somebody else's decoder, and what others' mean to us."""

from __future__ import annotations

import pytest
from hpack import Decoder, Encoder
from hpack.exceptions import HPACKError
from hypothesis import given
from hypothesis import strategies as st

from apps.providers.exchanges import Request
from apps.providers.http2.headers import MAX_BLOCK, NO_TABLE, RequestWriter, fields_of, status_of

ORIGIN = "https://push.example:8443"
_text = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=300)


def _read(block: bytes) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in Decoder().decode(NO_TABLE + block)]


def test_a_request_reads_as_it_was_meant() -> None:
    request = Request(f"{ORIGIN}/3/device/ab%20c?x=1", {"Authorization": "bearer x", "apns-topic": "com.shop"}, b"{}")
    assert _read(RequestWriter(ORIGIN).block(request)) == [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "push.example:8443"),
        (":path", "/3/device/ab%20c?x=1"),
        ("user-agent", "pushsaas"),
        ("authorization", "bearer x"),
        ("apns-topic", "com.shop"),
        ("content-length", "2"),
    ]


@given(st.lists(st.tuples(st.sampled_from(["x-a", "x-b", "authorization"]), _text), max_size=6), st.integers(0, 40_000))
def test_values_of_any_length_arrive_whatever_came_before(fields: list[tuple[str, str]], size: int) -> None:
    writer = RequestWriter(ORIGIN)
    for name, value in [*fields, ("x-long", "v" * size)]:
        assert _read(writer.block(Request(f"{ORIGIN}/", {name: value}, method="DELETE")))[5:] == [(name, value)]


def test_secrets_are_marked_for_proxies_not_to_index() -> None:
    written = RequestWriter(ORIGIN).block(Request(ORIGIN, {"authorization": "bearer x", "ttl": "0"}))
    assert b"\x10\x0dauthorization\x08bearer x" in written
    assert b"\x00\x03ttl\x010" in written


@pytest.mark.parametrize(
    "request_",
    [
        Request(f"{ORIGIN}/", {"x": "a\nb"}),
        Request(f"{ORIGIN}/", {"x": "a\x00b"}),
        Request(f"{ORIGIN}/", {"x": "é"}),
        Request(f"{ORIGIN}/", {"x": " a"}),
        Request(f"{ORIGIN}/", {"x": "a "}),
        Request(f"{ORIGIN}/", {":path": "/other"}),
        Request(f"{ORIGIN}/", {"x y": "a"}),
        Request(f"{ORIGIN}/", {"": "a"}),
        Request(f"{ORIGIN}/", {"connection": "close"}),
        Request(f"{ORIGIN}/", {"content-length": "7"}),
        Request(f"{ORIGIN}/a b", {}),
        Request(f"{ORIGIN}/a#b", {}),
        Request(f"{ORIGIN}/é", {}),
        Request(f"{ORIGIN}.evil/", {}),
        Request("https://other.example/", {}),
        Request(f"{ORIGIN}/", {}, method="PO ST\n"),
    ],
    ids=lambda request: f"{request.url[-8:]}-{request.headers}",
)
def test_what_cannot_be_said_is_not_written(request_: Request) -> None:
    writer = RequestWriter(ORIGIN)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"origin|path|text|name"):
            writer.block(request_)


@pytest.mark.parametrize("start", [b"", NO_TABLE], ids=["plain", "table-given-up-first"])
def test_200_is_known_before_its_fields_are_read(start: bytes) -> None:
    status, fields = status_of(start + b"\x88\x00\x07apns-id\x03abc\x00\x01a\x011\x00\x01a\x012")
    assert (status, dict(fields)) == (200, {"apns-id": "abc", "a": "2"})


def test_fields_of_a_200_that_cannot_be_read_are_none() -> None:
    status, fields = status_of(b"\x88\xff")
    assert (status, dict(fields)) == (200, {})


def test_another_status_is_read_with_its_fields() -> None:
    written = Encoder().encode([(":status", "429"), ("retry-after", "7")])
    assert status_of(written) == (429, {"retry-after": "7"})


@pytest.mark.parametrize("fields", [[("a", "b")], [(":status", "ok")], [(":status", "²00")], [(":status", "0429")]])
def test_an_answer_without_a_status_has_none(fields: list[tuple[str, str]]) -> None:
    assert status_of(Encoder().encode(fields))[0] == 0


@pytest.mark.parametrize(
    "block",
    [b"\xbe", b"\x3f\xe1\x1f\x8d", b"\x8d\x80", b"\x00\x05ab", b"\x7f\xff\xff\xff\xff\xff\xff"],
    ids=["table-we-do-not-keep", "larger-table", "index-0", "cut-short", "endless-number"],
)
def test_what_is_no_header_block_is_refused(block: bytes) -> None:
    with pytest.raises(HPACKError):
        status_of(block)


def test_a_small_block_does_not_become_a_large_list() -> None:
    bomb = b"\x8d" + (b"\x00\x01a\x7f\x80\x02" + b"v" * 383) * (MAX_BLOCK // 300)
    with pytest.raises(HPACKError):
        fields_of(bomb)
