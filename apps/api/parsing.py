"""Reading a JSON body that a stranger wrote: bounded in size and depth, and free of what PostgreSQL cannot store."""

from __future__ import annotations

from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.utils.translation import gettext as _
from rest_framework.parsers import BaseParser

from apps.api.errors import MalformedBody
from apps.realtime.errors import BodyTooLarge

#: Python's own JSON encoder gives up near 1,000 levels; nothing sensible needs a tenth of that.
MAX_DEPTH = 64


class JsonBodyParser(BaseParser):
    """orjson refuses NaN and lone surrogates; depth and U+0000 are refused here."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return parse_json(stream.read())


def parse_json(body: bytes) -> Any:
    """Raises MalformedBody."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedBody(_("The body is not JSON: %(reason)s.") % {"reason": str(error)}) from None
    _require_storable(value)
    return value


def _require_storable(value: Any) -> None:
    """Walks without recursion, because the depth is what is in question."""
    pending = [(value, 0)]
    while pending:
        current, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise MalformedBody(_("The body is nested more than %(depth)d levels deep.") % {"depth": MAX_DEPTH})
        if isinstance(current, str) and "\0" in current:
            raise MalformedBody(_("The body holds the character U+0000, which cannot be stored."))
        if isinstance(current, dict):
            pending.extend((name, depth) for name in current)
            pending.extend((child, depth + 1) for child in current.values())
        elif isinstance(current, list):
            pending.extend((child, depth + 1) for child in current)


def read_body(request: HttpRequest) -> bytes:
    """The whole body, at most DATA_UPLOAD_MAX_MEMORY_SIZE bytes. Raises BodyTooLarge."""
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    try:
        body = request.body
    except RequestDataTooBig:
        body = None
    if body is None or len(body) > limit:  # a chunked body declares no length, so Django does not see it coming
        raise BodyTooLarge(details={"limit_bytes": limit})
    return body
