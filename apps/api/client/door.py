"""What every door for clients does: any origin may call it, callers are counted by network, errors are problem+json."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

import orjson
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import MethodNotAllowed

from apps.api import ratelimit
from apps.api.errors import RateLimited
from apps.api.parsing import parse_json, read_body
from apps.api.problems import CONTENT_TYPE, problem_of
from apps.core.addresses import client_ip, network_of
from apps.realtime.errors import BodyTooLarge

logger = logging.getLogger(__name__)

#: No cookie is read and the caller proves itself by what it sends, so the page that calls does not matter.
_ANY_ORIGIN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Expose-Headers": "Retry-After",
    "Access-Control-Max-Age": "86400",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "cross-origin",
}

View = Callable[..., Any]


def client_door(**views: View) -> Callable[..., HttpResponse]:
    """One route. views: method -> what answers it, with JSON values or a response.

    Before the view: preflight (204), method (405), rate (429).
    """
    return cast("Callable[..., HttpResponse]", csrf_exempt(wraps(next(iter(views.values())))(_Door(views))))


class _Door:
    def __init__(self, views: dict[str, View]) -> None:
        self.views = views

    def __call__(self, request: HttpRequest, **named: Any) -> HttpResponse:
        if request.method == "OPTIONS":
            return HttpResponse(status=204, headers=_ANY_ORIGIN)
        try:
            response = self._answer(request, named)
        except Exception as error:
            response = _problem(error)
        for name, value in _ANY_ORIGIN.items():
            response[name] = value
        return response

    def _answer(self, request: HttpRequest, named: dict[str, Any]) -> HttpResponse:
        method = str(request.method)
        view = self.views.get(method)
        if view is None:
            raise MethodNotAllowed(method)
        allowance = ratelimit.take_for_network(network_of(client_ip(request)))
        if allowance is not None and not allowance.allowed:
            raise RateLimited(retry_after=allowance.next_in)
        answer = view(request, **named)
        if isinstance(answer, HttpResponse):
            return answer
        return HttpResponse(orjson.dumps(answer, default=str), content_type="application/json")


def _problem(error: Exception) -> HttpResponse:
    problem = problem_of(error)
    if problem is None:
        raise error
    if isinstance(error, DatabaseError | InterfaceError):
        logger.warning("client.unavailable", exc_info=error)
    body = orjson.dumps(problem.body, default=str)
    return HttpResponse(body, status=problem.status, content_type=CONTENT_TYPE, headers=problem.headers)


def body_of(request: HttpRequest, *, limit: int) -> Any:
    """The JSON of the body, whatever type it is declared as: a beacon cannot declare JSON. limit: bytes.

    Raises BodyTooLarge, MalformedBody.
    """
    return parse_json(bytes_of(request, limit=limit))


def bytes_of(request: HttpRequest, *, limit: int) -> bytes:
    """Raises BodyTooLarge."""
    body = read_body(request)
    if len(body) > limit:
        raise BodyTooLarge(details={"limit_bytes": limit})
    return body
