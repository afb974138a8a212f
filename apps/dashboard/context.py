"""What every dashboard template may use: the sidebar's links, the role's permissions, the theme, the languages."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language_info

from apps.dashboard.navigation import LinkGroup, links_for
from apps.tenants.permissions import PERMISSIONS, Role

THEMES = ("system", "light", "dark")
THEME_COOKIE = "theme"


def shell(request: HttpRequest) -> dict[str, Any]:
    """Nothing is computed for a template that does not ask. `permissions` is a set of `area.verb` names."""
    membership = getattr(request, "membership", None)

    def links() -> list[LinkGroup]:
        return links_for(membership.role, request.path) if membership else []

    return {
        "tenant": getattr(request, "tenant", None),
        "membership": membership,
        "memberships": getattr(request, "memberships", []),
        "application": getattr(request, "application", None),
        "applications": getattr(request, "applications", []),
        "permissions": PERMISSIONS[Role(membership.role)] if membership else frozenset(),
        "navigation": SimpleLazyObject(links),
        "theme": theme_of(request),
        "themes": THEMES,
        "languages": [get_language_info(code) for code, _name in settings.LANGUAGES],
    }


def theme_of(request: HttpRequest) -> str:
    chosen = request.COOKIES.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else "system"
