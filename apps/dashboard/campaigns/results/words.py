"""Names and figures of results, as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.campaigns.experiments.sequential import Difference
from apps.dashboard.route_names import route_name
from apps.messaging.ledger.results import Dimension, Key
from apps.messaging.ledger.states import HELD_OUT, UNDECIDED

#: From everybody to those who did what was hoped for, what went wrong beside where it did.
STEPS = (
    "planned", "suppressed", "attempted", "accepted", "failed", "unknown", "received", "opened", "clicked", "converted",
)  # fmt: skip
_STEP_NAMES: Mapping[str, Any] = {
    "planned": _("Planned"),
    "suppressed": _("Left out"),
    "attempted": _("Attempted"),
    "accepted": _("Accepted"),
    "failed": _("Not delivered"),
    "unknown": _("Unknown"),
    "received": _("Received"),
    "opened": _("Opened"),
    "clicked": _("Clicked"),
    "converted": _("Converted"),
}
_BASE_NAMES: Mapping[str, Any] = {
    "planned": _("of planned"),
    "attempted": _("of attempted"),
    "accepted": _("of accepted"),
}
_ARMS: Mapping[str, Any] = {
    "": _("No variant"),
    HELD_OUT: _("Held out"),
    UNDECIDED: _("Wait for the winner"),
}


def step_name(step: str) -> str:
    return str(_STEP_NAMES[step])


def base_name(base: str) -> str:
    return str(_BASE_NAMES[base])


def percent(rate: float | None) -> str:
    """`12.3 %`; a dash where there is nothing to divide."""
    return "—" if rate is None else f"{number_format(rate * 100, 1)} %"


def money(revenue: Mapping[str, Decimal]) -> list[str]:
    """`1,234.50 EUR`, a line per currency."""
    return [
        f"{number_format(amount, 2, force_grouping=True)} {currency}" for currency, amount in sorted(revenue.items())
    ]


def points(value: float) -> str:
    """`+2.1` or `−0.4`, in percent points."""
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return f"{sign}{number_format(abs(value) * 100, 1)}"


def interval_in_words(found: Difference) -> str:
    """`+2.1 (−0.4 to +4.6)`, in percent points."""
    return gettext("%(estimate)s (%(low)s to %(high)s)") % {
        "estimate": points(found.estimate), "low": points(found.low), "high": points(found.high)
    }  # fmt: skip


def key_name(by: Dimension, key: Key, timezone: str) -> str:
    """Of a row of a breakdown, in the organisation's words and time."""
    if isinstance(key, datetime):
        return date_format(key.astimezone(ZoneInfo(timezone)), "SHORT_DATETIME_FORMAT")
    if by is Dimension.VARIANT:
        return str(_ARMS.get(key or "") or str(key).upper())
    if by is Dimension.ROUTE:
        return str(route_name(key or ""))
    return key or gettext("not known")
