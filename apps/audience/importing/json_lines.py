"""NDJSON files: one JSON object per line, each a person as `POST /subscribers` takes it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import orjson

from apps.audience.importing.records import MAX_RECORD, Record
from apps.audience.values import SubscriberIn, ValueProblem, read_subscriber


def json_lines(file: BinaryIO, *, offset: int, line: int) -> Iterator[Record]:
    """Each line as a record of one cell, from `offset` on, which is the start of line number `line`."""
    file.seek(offset)
    while raw := file.readline(MAX_RECORD + 1):
        first, problem = line, ""
        offset += len(raw)
        line += 1
        if len(raw) > MAX_RECORD:
            offset += _skip_line(file, raw)
            problem = "row_too_long"
        text = raw.decode("utf-8", "replace").strip()
        if text:  # a blank line is no record
            problem = problem or _undecodable(raw)
            yield Record(first, None if problem else [text], problem, offset, line, raw[:MAX_RECORD])


def _skip_line(file: BinaryIO, piece: bytes) -> int:
    """Goes behind the line of which `piece` is the beginning. How many bytes that was."""
    skipped = 0
    while piece and not piece.endswith(b"\n"):
        piece = file.readline(MAX_RECORD)
        skipped += len(piece)
    return skipped


def _undecodable(raw: bytes) -> str:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return "bad_encoding"
    return ""


class JsonReader:
    """Turns the one cell of a record into a person. A member that is absent or null says nothing about its field; an
    attribute that is null is removed."""

    def read(self, cells: Sequence[str]) -> SubscriberIn:
        """Raises ValueProblem."""
        try:
            raw = orjson.loads(cells[0])
        except orjson.JSONDecodeError:
            raise ValueProblem("not_json", "") from None
        return read_subscriber(raw)
