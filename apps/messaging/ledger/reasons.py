"""Why somebody did not get it, in people's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.messaging.ledger.states import Reason

#: Complete: a test holds it against Reason.
REASON_NAMES: Mapping[Reason, Any] = {
    Reason.OPTED_OUT: _("unsubscribed"),
    Reason.PREFERENCE_OFF: _("does not want this category"),
    Reason.NOT_IN_AUDIENCE: _("no longer there"),
    Reason.LOCAL_TIME_PASSED: _("local time had passed"),
    Reason.QUIET_HOURS: _("quiet hours"),
    Reason.FREQUENCY_CAP: _("had enough messages"),
    Reason.PROVIDER_QUOTA: _("over the provider’s quota"),
    Reason.EXPIRED: _("expired"),
    Reason.CANCELED: _("cancelled"),
    Reason.SPEND_CAP: _("over the quota"),
    Reason.ANSWERED: _("had it by another route"),
    Reason.HOLDOUT: _("held out for comparison"),
    Reason.TEMPLATE_ERROR: _("words could not be made"),
}

#: What our own routes answer; networks have codes of their own.
ROUTE_REASONS: Mapping[str, Any] = {
    "not_connected": _("not connected"),
    "no_device": _("no device"),
    "provider_failed": _("the route failed"),
}

_NAMES: Mapping[str, Any] = {**{reason.value: name for reason, name in REASON_NAMES.items()}, **ROUTE_REASONS}


def reason_name(reason: str) -> Any:
    """The name of a reason; a network's own code stays as it is."""
    return _NAMES.get(reason, reason)
