"""CSV answers: streamed row by row, UTF-8 with a byte order mark, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import Any

from django.http import StreamingHttpResponse

from apps.core.downloads import safe_cell


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def csv_response(rows: Iterable[Sequence[str]], *, filename: str) -> StreamingHttpResponse:
    """rows: header first. They are read while the answer is sent, so they must not need an open scope."""
    writer: Any = csv.writer(_Echo())
    lines = (writer.writerow([safe_cell(cell) for cell in row]).encode() for row in rows)
    response = StreamingHttpResponse(_marked(lines), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


def _marked(lines: Iterable[bytes]) -> Iterable[bytes]:
    yield b"\xef\xbb\xbf"
    yield from lines
