"""Pages for when something goes wrong: Django's handlers, and the one mapping from an error's category to a status."""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from apps.core.errors import Category, HouseError
from apps.dashboard.errors import NoApplication

STATUS = {
    Category.INVALID: 400,
    Category.UNAUTHENTICATED: 401,
    Category.PAYMENT_REQUIRED: 402,
    Category.FORBIDDEN: 403,
    Category.NOT_FOUND: 404,
    Category.CONFLICT: 409,
    Category.TOO_LARGE: 413,
    Category.MISMATCH: 422,
    Category.LIMITED: 429,
    Category.UNAVAILABLE: 503,
}


def error_page(request: HttpRequest, error: HouseError) -> HttpResponse:
    if isinstance(error, NoApplication):
        return render(request, "dashboard/no_application.html", status=200 if request.method == "GET" else 404)
    status = STATUS[error.category]
    if status == 404 and not error.message:
        return _page(request, 404, "not_found")
    details = [str(sentence) for sentences in error.fields.values() for sentence in sentences]
    context = {"status": status, "code": error.code, "message": error.message, "details": details}
    return render(request, "errors/house.html", context, status=status)


def error_toast(error: HouseError) -> HttpResponse:
    """htmx swaps nothing in on an error status, but it does fire the events of this header."""
    toast = {"level": "error", "text": _in_words(error)}
    trigger = json.dumps({"toasts": {"items": [toast]}})
    return HttpResponse(status=STATUS[error.category], headers={"HX-Trigger": trigger})


def error_json(error: HouseError) -> JsonResponse:
    return JsonResponse({"code": error.code, "message": _in_words(error)}, status=STATUS[error.category])


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, 400, "bad_request")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, 403, "forbidden")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, 404, "not_found")


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    context = {"status": 403, "code": "csrf_failed", "message": _("This form has expired. Go back, reload, try again.")}
    return render(request, "errors/house.html", context, status=403)


def server_error(request: HttpRequest) -> HttpResponse:
    """Rendered without the request: whatever broke may be what a context processor would touch."""
    return HttpResponse(render_to_string("errors/500.html"), status=500)


def _in_words(error: HouseError) -> str:
    sentences = [str(error.message), *(str(s) for group in error.fields.values() for s in group)]
    return " ".join(filter(None, sentences)) or error.code


def _page(request: HttpRequest, status: int, code: str) -> HttpResponse:
    return render(request, f"errors/{status}.html", {"status": status, "code": code}, status=status)
