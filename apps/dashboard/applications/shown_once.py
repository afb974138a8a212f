"""Hands a fresh secret from the POST that made it to the one page that shows it.

It waits in the session, sealed, so that no copy of the database holds it in clear, and is gone once it was shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from apps.core.sealing import SealBroken, seal, unseal
from apps.dashboard.access import DashboardRequest

_KEY = "shown_once"


def keep(request: DashboardRequest, place: str, values: Mapping[str, str]) -> None:
    """place: public id of the page's object. values: short names -> texts."""
    request.session[_KEY] = [place, seal(json.dumps(dict(values)), context=_context(request, place))]


def take(request: DashboardRequest, place: str) -> dict[str, str]:
    """What was kept for this place, once; empty when there is nothing (any more)."""
    waiting = request.session.get(_KEY)
    if not waiting or waiting[0] != place:
        return {}
    del request.session[_KEY]
    try:
        values: dict[str, str] = json.loads(unseal(waiting[1], context=_context(request, place)))
    except SealBroken:
        return {}
    return values


def _context(request: DashboardRequest, place: str) -> str:
    return f"dashboard.shown_once|{request.user.pk}|{place}"
