"""The records of a CSV file, each with the byte offset at which the next one starts. Pure.

An offset that was committed together with the rows before it is all that is needed to go on after a crash. A record
that cannot be read is given back with a reason, and reading goes on at the next physical line, so that one stray
quotation mark does not swallow the rest of the file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

#: Longest record in bytes, quoted line breaks included.
MAX_RECORD = 65_536


@dataclass(frozen=True, slots=True)
class Record:
    """line: number of its first physical line, from 1. cells: None when it could not be read. problem: a key of
    `importing.columns.MESSAGES`. end, next_line: where the next record starts. raw: the bytes, cut at MAX_RECORD."""

    line: int
    cells: list[str] | None
    problem: str
    end: int
    next_line: int
    raw: bytes


class _TooLong(Exception):
    """The record passed MAX_RECORD."""


class Records:
    """An iterator over the records from `offset` on, which is the start of physical line number `line`."""

    def __init__(self, file: BinaryIO, *, encoding: str, delimiter: str, offset: int, line: int) -> None:
        self._file, self._encoding, self._delimiter = file, encoding, delimiter
        self._held: list[bytes] = []
        self._restart(offset, line)

    def _restart(self, offset: int, line: int) -> None:
        self._offset, self._line = offset, line
        self._file.seek(offset)
        self._held.clear()
        self._at_end = False
        # csv.reader asks for a line only when it needs one, so what is held is exactly the record it is reading.
        self._reader = csv.reader(self._physical_lines(), delimiter=self._delimiter, strict=True)

    def _physical_lines(self) -> Iterator[str]:
        size = 0
        while raw := self._file.readline(MAX_RECORD + 1):
            size = len(raw) if not self._held else size + len(raw)
            self._held.append(raw)
            if size > MAX_RECORD:
                raise _TooLong
            yield raw.decode(self._encoding)
        self._at_end = True

    def __iter__(self) -> Iterator[Record]:
        return self

    def __next__(self) -> Record:
        while True:
            problem, cells = "", None
            try:
                cells = next(self._reader)
            except UnicodeDecodeError:
                problem = "bad_encoding"
            except (csv.Error, _TooLong) as error:
                problem = self._reason(error)
            raw = b"".join(self._held)
            if cells is None:
                return self._skipped(problem)
            first, end = self._line, self._offset + len(raw)
            self._line, self._offset = first + len(self._held), end
            self._held.clear()
            if cells:  # a blank line is no record
                return Record(first, cells, "nul_byte" if b"\0" in raw else "", end, self._line, raw)

    def _reason(self, error: Exception) -> str:
        if isinstance(error, _TooLong):
            return "row_too_long" if len(self._held) == 1 else "quote_not_closed"
        if self._at_end:
            return "quote_not_closed"
        return "carriage_return" if b"\r" in self._held[-1].rstrip(b"\r\n") else "broken_quotes"

    def _skipped(self, problem: str) -> Record:
        """Gives up the physical line on which the record began and starts anew behind it."""
        first, raw = self._line, self._held[0]
        self._file.seek(self._offset + len(raw))
        piece = raw
        while piece and not piece.endswith(b"\n"):
            piece = self._file.readline(MAX_RECORD)
        self._restart(self._file.tell(), first + 1)
        return Record(first, None, problem, self._offset, self._line, raw[:MAX_RECORD])
