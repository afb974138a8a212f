"""Whether an endpoint is a UnifiedPush server's, asked of it once, when a device is registered with it.

Source: UnifiedPush, server interface SERV_1.2.0, "Discovery". The address is a stranger's: it goes through the guard of
apps/core/egress.py, and no redirect is followed.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.egress import read_url, resolve
from apps.core.errors import Category, HouseError
from apps.providers.answers import json_object
from apps.providers.exchanges import Lane, Reply, Request
from apps.providers.http import exchange

_VERSION = 1
_TIMEOUT = 5.0


class NotUnifiedPush(HouseError):
    """The server answered, and is something else: with this nobody can use us to post to pages of the web."""

    category = Category.INVALID
    code = "not_unifiedpush"
    default_message = _("There is no UnifiedPush server at this address.")


class EndpointSilent(HouseError):
    category = Category.UNAVAILABLE
    code = "unifiedpush_silent"
    default_message = _("The UnifiedPush server at this address does not answer. Try again later.")


def require_unifiedpush(url: str) -> None:
    """Asks the endpoint what it is; blocks for some seconds at most, so call it outside of any scope.

    Raises AddressRefused, NotUnifiedPush, EndpointSilent.
    """
    place = read_url(url)
    lane = Lane("unifiedpush", place.origin, resolve(place), timeout=_TIMEOUT, unproven=frozenset())
    [answer] = exchange(lane, [Request(place.url, {"accept": "application/json"}, method="GET")], deadline=_TIMEOUT)
    if not isinstance(answer, Reply) or answer.status >= 500:
        raise EndpointSilent
    told = json_object(answer.body).get("unifiedpush")
    if answer.status != 200 or not isinstance(told, dict) or told.get("version") != _VERSION:
        raise NotUnifiedPush(fields={"address": [NotUnifiedPush.default_message]})
