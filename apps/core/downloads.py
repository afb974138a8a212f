"""Files of any length as answers: made piece by piece while they are sent, nothing held in memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

#: What a spreadsheet would run as a formula. Our exports put an apostrophe before it; the import takes it off again.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
CSV, NDJSON = "text/csv; charset=utf-8", "application/x-ndjson"
#: Tells a spreadsheet that the file is UTF-8.
BYTE_ORDER_MARK = "\ufeff"


def download(request: HttpRequest, file_name: str, content_type: str, texts: Iterator[str]) -> StreamingHttpResponse:
    """`texts` may open scopes while it makes a piece, but not hold one over a yield."""
    # Under ASGI Django would collect a plain iterator whole before it sends the first byte.
    content: Any = _in_threads(texts) if isinstance(request, ASGIRequest) else texts
    return StreamingHttpResponse(
        content, content_type=content_type, headers={"Content-Disposition": f'attachment; filename="{file_name}"'}
    )


async def _in_threads(texts: Iterator[str]) -> AsyncIterator[str]:
    following: Callable[[], str | None] = partial(next, texts, None)
    while (text := await sync_to_async(following)()) is not None:
        yield text


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Texts as they are, safe to open in a spreadsheet; other values as JSON; None as nothing."""
    text = io.StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return safe_cell(value)
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def safe_cell(text: str) -> str:
    """The text with an apostrophe before it when a spreadsheet would run it."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
