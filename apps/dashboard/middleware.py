"""The dashboard's part of every request: errors become pages, messages reach htmx, a person's language follows them."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.conf import settings
from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import translation

from apps.core.errors import HouseError
from apps.dashboard.failures import error_json, error_page, error_toast

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class HouseErrorPages:
    """A HouseError that no form caught becomes a page with its code, a toast for htmx, JSON for a script."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, HouseError):
            return None
        if getattr(request, "htmx", False):
            return error_toast(exception)
        if request.headers.get("Accept") == "application/json":
            return error_json(exception)
        return error_page(request, exception)


class PersonalLanguage:
    """A browser without a language cookie speaks the language its signed-in person chose elsewhere."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.LANGUAGE_COOKIE_NAME not in request.COOKIES and settings.SESSION_COOKIE_NAME in request.COOKIES:
            language = getattr(request.user, "language", "")
            if language in dict(settings.LANGUAGES):
                translation.activate(language)
                request.LANGUAGE_CODE = language
        return self._get_response(request)


class ToastsForHtmx:
    """A fragment has no place for messages, so they travel in a header and the page shows them."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if getattr(request, "htmx", False) and not response.has_header("HX-Redirect") and response.status_code < 300:
            toasts = [{"level": m.level_tag, "text": str(m.message)} for m in get_messages(request)]
            if toasts and not response.has_header("HX-Trigger"):
                response["HX-Trigger"] = json.dumps({"toasts": {"items": toasts}})
        return response
