"""A subscriber's preference page: in their language, without a sign-in, opened by a signed link."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.cache import patch_cache_control
from django.utils.translation import get_supported_language_variant
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from apps.audience.models import Subscriber
from apps.audience.preferences import name_in, read_token
from apps.audience.services.preferences import categories_of, preferences_of, set_preferences
from apps.core.errors import NotFound
from apps.dashboard.access import open_page
from apps.tenants.scope import tenant_scope

_ONE_CLICK = "List-Unsubscribe"


@open_page
@csrf_exempt  # the link itself is the secret; a mail program unsubscribes by POST without any cookie (RFC 8058)
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """GET changes nothing, because mail scanners follow links. POST: `List-Unsubscribe=One-Click`, or the form."""
    linked = read_token(token)
    if linked is None:
        raise NotFound
    with tenant_scope(linked.tenant_id):
        people = Subscriber.objects.of(linked.tenant_id).select_related("application")
        person = people.filter(pk=linked.subscriber_id).first()
        if person is None:
            raise NotFound
        with translation.override(_language_of(request, person)):
            if request.method == "POST":
                _change(request, person)
                if _ONE_CLICK in request.POST:
                    return HttpResponse(status=204)  # a mail program follows no redirect
                return redirect(f"{request.path}?saved=1")
            response = render(request, "dashboard/public/preferences.html", _shown(request, person))
    patch_cache_control(response, private=True, no_store=True)
    response["X-Robots-Tag"] = "noindex"
    response["Referrer-Policy"] = "no-referrer"
    return response


def _change(request: HttpRequest, person: Subscriber) -> None:
    if _ONE_CLICK in request.POST or request.POST.get("action") == "unsubscribe":
        set_preferences(tenant=person.tenant_id, person=person, source="link", unsubscribed=True)
        return
    chosen = set(request.POST.getlist("wanted"))
    wanted = {category.key: category.key in chosen for category in categories_of(person.application)}
    set_preferences(tenant=person.tenant_id, person=person, source="link", unsubscribed=False, wanted=wanted)


def _shown(request: HttpRequest, person: Subscriber) -> dict[str, Any]:
    current = preferences_of(person=person)
    language = person.language or translation.get_language() or "en"
    return {
        "sender": person.application.name,
        "unsubscribed": current.unsubscribed,
        "is_saved": "saved" in request.GET,
        "categories": [
            (category.key, name_in(category.names, language, otherwise=category.key), current.wanted[category.key])
            for category in categories_of(person.application).order_by("pk")
        ],
    }


def _language_of(request: HttpRequest, person: Subscriber) -> str:
    """The person's, when the page speaks it; else the browser's."""
    try:
        return get_supported_language_variant(person.language.lower())
    except LookupError:
        return translation.get_language_from_request(request) or settings.LANGUAGE_CODE
