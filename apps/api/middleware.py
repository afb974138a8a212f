"""Everything below /api/ answers as the API does, whoever answers: request id, no caching, problem+json."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from apps.api.problems import CONTENT_TYPE, Problem, problem_of_status

#: Whoever answers an error in one of these has said what is wrong: RFC 9457, or the OAuth endpoints' RFC 6749.
_SAID = frozenset({CONTENT_TYPE, "application/json"})
_REQUEST_ID = re.compile(r"[0-9A-Za-z._-]{8,64}")


class ApiMiddleware:
    """Stands first, so that the answers of every other middleware pass through it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith("/api/"):
            return self.get_response(request)
        response = self._answer(request)
        given = request.headers.get("X-Request-Id", "")
        response["X-Request-Id"] = given if _REQUEST_ID.fullmatch(given) else f"req_{secrets.token_hex(12)}"
        response.setdefault("Cache-Control", "no-store")
        return response

    def _answer(self, request: HttpRequest) -> HttpResponse:
        # A redirect to https would come after the key has already crossed the network in clear, and hide it.
        if getattr(settings, "SECURE_SSL_REDIRECT", False) and not request.is_secure():
            return _json(Problem(HTTPStatus.FORBIDDEN, "https_required"))
        if "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            return _json(problem_of_status(HTTPStatus.BAD_REQUEST))  # PostgreSQL has no text with U+0000
        response = self.get_response(request)
        if response.status_code >= HTTPStatus.BAD_REQUEST and response.get("Content-Type", "") not in _SAID:
            response.content = json.dumps(problem_of_status(response.status_code).body)
            response["Content-Type"] = CONTENT_TYPE
        return response


def _json(problem: Problem) -> HttpResponse:
    return JsonResponse(problem.body, status=problem.status, content_type=CONTENT_TYPE)
