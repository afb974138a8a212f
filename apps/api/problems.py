"""Errors as `application/problem+json` (RFC 9457): the one place where a category becomes an HTTP status."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions

from apps.core.errors import Category, HouseError

CONTENT_TYPE = "application/problem+json"
_STATUS: Mapping[Category, HTTPStatus] = {
    Category.INVALID: HTTPStatus.BAD_REQUEST,
    Category.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Category.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Category.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Category.CONFLICT: HTTPStatus.CONFLICT,
    Category.MISMATCH: HTTPStatus.UNPROCESSABLE_ENTITY,
    Category.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Category.LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    Category.PAYMENT_REQUIRED: HTTPStatus.PAYMENT_REQUIRED,
    Category.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
#: Errors that Django or its REST framework raises before our code is reached.
_FOREIGN: tuple[tuple[type[Exception], HTTPStatus, str], ...] = (
    (exceptions.MethodNotAllowed, HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed"),
    (exceptions.NotAcceptable, HTTPStatus.NOT_ACCEPTABLE, "not_acceptable"),
    (exceptions.UnsupportedMediaType, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
    (exceptions.ParseError, HTTPStatus.BAD_REQUEST, "malformed_json"),
    (Http404, HTTPStatus.NOT_FOUND, "not_found"),
    (PermissionDenied, HTTPStatus.FORBIDDEN, "forbidden"),
    (SuspiciousOperation, HTTPStatus.BAD_REQUEST, "bad_request"),
    # PostgreSQL is away, or chose this transaction as a deadlock's victim: both pass.
    (OperationalError, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable"),
    (InterfaceError, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable"),
)
#: For an answer that never was an exception of ours: the resolver's 404, a middleware's 400, a crash.
_BY_STATUS: Mapping[int, str] = {
    **{status: code for _kind, status, code in _FOREIGN},
    HTTPStatus.BAD_REQUEST: "bad_request",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body_too_large",
    HTTPStatus.INTERNAL_SERVER_ERROR: "internal_error",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """errors: field (dotted path, `_` for the whole body) -> sentences. details: members of this kind of problem."""

    status: int
    code: str
    detail: str = ""
    errors: Mapping[str, list[str]] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    retry_after: float | None = None

    @property
    def body(self) -> dict[str, Any]:
        title = HTTPStatus(self.status).phrase
        members: dict[str, Any] = {
            "type": f"urn:pushsaas:problem:{self.code}",
            "title": title,
            "status": int(self.status),
            "code": self.code,
            "detail": self.detail or title,
        }
        if self.errors:
            members["errors"] = dict(self.errors)
        return {**self.details, **members}

    @property
    def headers(self) -> dict[str, str]:
        headers = {}
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = 'Bearer realm="pushsaas"'
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after)))
        return headers


def problem_of(error: Exception) -> Problem | None:
    """The problem a client is told, or None for a crash: that one is for the log."""
    if isinstance(error, HouseError):
        return Problem(
            _STATUS[error.category],
            error.code,
            str(error.message),
            {name: [str(sentence) for sentence in sentences] for name, sentences in error.fields.items()},
            error.details,
            error.retry_after,
        )
    if isinstance(error, exceptions.ValidationError):
        return Problem(HTTPStatus.BAD_REQUEST, "invalid_input", errors=_flattened(error.detail))
    for kind, status, code in _FOREIGN:
        if isinstance(error, kind):
            said = str(error.detail) if isinstance(error, exceptions.APIException) else ""
            return Problem(status, code, said, retry_after=1 if code == "unavailable" else None)
    return None


def problem_of_status(status: int) -> Problem:
    return Problem(status, _BY_STATUS.get(status, HTTPStatus(status).name.lower()))


def _flattened(detail: Any, path: str = "") -> dict[str, list[str]]:
    """The framework's nested errors as dotted paths: `{"subscribers.3.language": ["…"]}`."""
    if isinstance(detail, Mapping):
        children = ((path if name == "non_field_errors" else f"{path}.{name}", child) for name, child in detail.items())
    elif isinstance(detail, list) and any(isinstance(child, Mapping | list) for child in detail):
        children = ((f"{path}.{index}", child) for index, child in enumerate(detail) if child)
    else:
        sentences = detail if isinstance(detail, list) else [detail]
        return {path.strip(".") or "_": [str(sentence) for sentence in sentences]}
    flat: dict[str, list[str]] = {}
    for child_path, child in children:
        for name, sentences in _flattened(child, child_path).items():
            flat.setdefault(name, []).extend(sentences)
    return flat
