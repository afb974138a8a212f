"""Reading CSV bytes: offsets, quoting, damage."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.audience.importing.detection import Detected, FileRefused, detect, detect_delimiter
from apps.audience.importing.records import MAX_RECORD, Record, Records


def _read(content: bytes, *, encoding: str = "utf-8", offset: int = 0, line: int = 1) -> list[Record]:
    return list(Records(io.BytesIO(content), encoding=encoding, delimiter=",", offset=offset, line=line))


def _told(records: list[Record]) -> list[tuple[int, list[str] | None, str]]:
    return [(record.line, record.cells, record.problem) for record in records]


def test_quoted_line_breaks_stay_in_their_record() -> None:
    records = _read(b'a,"x\ny",1\r\n\r\nb,"""q""",2')

    assert _told(records) == [(1, ["a", "x\ny", "1"], ""), (4, ["b", '"q"', "2"], "")]


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.lists(st.text('a,;"\n\té长', max_size=4), min_size=1, max_size=3), max_size=8),
    st.sampled_from(["utf-8", "gb18030"]),
)
def test_reading_can_go_on_at_the_end_of_any_record(rows: list[list[str]], encoding: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    content = text.getvalue().encode(encoding)

    whole = _read(content, encoding=encoding)

    assert [record.cells for record in whole] == rows
    for index, record in enumerate(whole):
        rest = _read(content, encoding=encoding, offset=record.end, line=record.next_line)
        assert rest == whole[index + 1 :]


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (b'"x"y,1\n', "broken_quotes"),
        (b"\xff\xfe,1\n", "bad_encoding"),
        (b"a\x00b,1\n", "nul_byte"),
        (b"a\rb,1\n", "carriage_return"),
        (b"x" * (MAX_RECORD + 10) + b",1\n", "row_too_long"),
    ],
)
def test_a_damaged_line_costs_only_itself(damage: bytes, problem: str) -> None:
    records = _read(b"before,1\n" + damage + b"after,1\n")

    assert [record.problem for record in records] == ["", problem, ""]
    assert (records[1].line, records[2].line) == (2, 3)
    assert records[2].cells == ["after", "1"]


@pytest.mark.parametrize("rest", [b"", b"ok,1\n" * 3, b"ok,1\n" * 20_000])
def test_a_quote_that_is_never_closed_costs_one_line(rest: bytes) -> None:
    records = _read(b'"open,1\n' + rest)

    assert (records[0].line, records[0].problem) == (1, "quote_not_closed")
    assert len(records) == 1 + rest.count(b"\n")
    assert all(record.cells == ["ok", "1"] for record in records[1:])


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"id\na\n", Detected("csv", "utf-8", 0)),
        (b"\xef\xbb\xbfid\na\n", Detected("csv", "utf-8", 3)),
        ("id,名字\na,张三\n".encode(), Detected("csv", "utf-8", 0)),
        ("id,名字\na,张三\n".encode("gb18030"), Detected("csv", "gb18030", 0)),
        ("id,名\n".encode() + b"a,\xff\n", Detected("csv", "utf-8", 0)),  # one damaged line in a UTF-8 file
        (b'{"external_id": "ada"}\n', Detected("ndjson", "utf-8", 0)),
        (b'\xef\xbb\xbf\n  {"external_id": "ada"}', Detected("ndjson", "utf-8", 3)),
        (b'"{id}"\na\n', Detected("csv", "utf-8", 0)),
        (b"id\n" * 400_000 + "长".encode(), Detected("csv", "utf-8", 0)),  # a character across two chunks
    ],
)
def test_the_encoding_is_found(content: bytes, found: Detected) -> None:
    assert detect(io.BytesIO(content)) == found


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \r\n", "empty"),
        (b"PK\x03\x04rest", "spreadsheet"),
        ("id\na\n".encode("utf-16"), "utf16"),
        (b"\x89PNG\r\n\x1a\n\0\0", "binary"),
        (b"id\ra\rb", "old_mac"),
        (b"id,n\na,caf\xe9\n\xe9,\xff\n", "encoding"),
    ],
)
def test_what_is_no_csv_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(FileRefused) as refused:
        detect(io.BytesIO(content))

    assert refused.value.code == code
    assert str(refused.value.message)


@pytest.mark.parametrize(
    ("header", "delimiter"), [("a,b;c,d", ","), ("a;b;c", ";"), ("a\tb", "\t"), ('"a,b,c";d', ";")]
)
def test_the_delimiter_is_found(header: str, delimiter: str) -> None:
    assert detect_delimiter(header) == delimiter
