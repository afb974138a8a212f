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


class JsonBodyParser(BaseParser):
    """orjson refuses NaN, lone surrogates and depths that would exhaust the stack; U+0000 is refused here."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            value = orjson.loads(stream.read())
        except orjson.JSONDecodeError as error:
            raise MalformedBody(_("The body is not JSON: %(reason)s.") % {"reason": str(error)}) from None
        if _has_null_character(value):
            raise MalformedBody(_("The body holds the character U+0000, which cannot be stored."))
        return value


def _has_null_character(value: Any) -> bool:
    pending = [value]
    while pending:
        current = pending.pop()
        if isinstance(current, str):
            if "\0" in current:
                return True
        elif isinstance(current, dict):
            pending.extend(current)
            pending.extend(current.values())
        elif isinstance(current, list):
            pending.extend(current)
    return False


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
