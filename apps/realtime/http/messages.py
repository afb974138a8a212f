"""One HTTP request read, one JSON reply written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.conf import settings

from apps.core.errors import Category, HouseError
from apps.realtime.errors import AllowanceSpent, BadRequest, BodyTooLarge
from apps.realtime.protocol.signing import query_pairs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

#: No valid call is larger: ten events of 10 KB, each escaped, fit.
MAX_BODY = 512 * 1024

_STATUS = {
    Category.INVALID: 400,
    Category.UNAUTHENTICATED: 401,
    Category.PAYMENT_REQUIRED: 402,
    Category.FORBIDDEN: 403,
    Category.NOT_FOUND: 404,
    Category.CONFLICT: 409,
    Category.MISMATCH: 412,
    Category.TOO_LARGE: 413,
    Category.LIMITED: 429,
    Category.UNAVAILABLE: 503,
}


@dataclass(frozen=True, slots=True)
class Request:
    """path: as sent, undecoded. headers: lower-case names; the last of several wins."""

    method: str
    path: str
    query: bytes
    headers: dict[bytes, bytes]
    body: bytes
    is_secure: bool = False

    def header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")

    def parameters(self) -> dict[str, str]:
        return dict(query_pairs(self.query))

    def json(self) -> dict[str, Any]:
        """Raises BadRequest."""
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise BadRequest(f"The body is not valid JSON: {error}") from None
        if not isinstance(value, dict):
            raise BadRequest("The body must be a JSON object.")
        return value


@dataclass(frozen=True, slots=True)
class Reply:
    """Always JSON, whatever the status: SDKs parse it."""

    value: Any
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = field(default=())

    async def send(self, send: Send) -> None:
        body = orjson.dumps(self.value)
        await send(
            {
                "type": "http.response.start",
                "status": self.status,
                "headers": [
                    (b"content-type", b"application/json"),
                    (b"content-length", str(len(body)).encode()),
                    *self.headers,
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})


def error_reply(error: HouseError) -> Reply:
    """`{"code", "message", …}`. retry_after becomes a header."""
    code = "quota_exceeded" if isinstance(error, AllowanceSpent) else error.code
    headers = ((b"retry-after", str(max(1, round(error.retry_after))).encode()),) if error.retry_after else ()
    value = {"code": code, "message": str(error.message), **error.details}
    return Reply(value, _STATUS[error.category], headers)


def is_secure(scope: Scope) -> bool:
    """Whether it came by TLS, to us or to a proxy that is ours."""
    if scope.get("scheme") in ("https", "wss"):
        return True
    return settings.TRUSTED_HOPS > 0 and dict(scope["headers"]).get(b"x-forwarded-proto") == b"https"


async def read_request(scope: Scope, receive: Receive) -> Request:
    """Raises BodyTooLarge before the whole of a huge body is in memory."""
    headers = dict(scope["headers"])
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > MAX_BODY:
        raise BodyTooLarge
    chunks, size = [], 0
    while True:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY:
            raise BodyTooLarge
        chunks.append(chunk)
        if not message.get("more_body", False):
            break
    path = scope.get("raw_path") or scope["path"].encode()
    query, body = scope.get("query_string", b""), b"".join(chunks)
    return Request(scope["method"], path.decode("latin-1"), query, headers, body, is_secure(scope))
