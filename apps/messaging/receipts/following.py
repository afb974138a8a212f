"""What a message asks for beyond being sent: a copy in the inbox, counted clicks, conversions. Pure.

As JSON: `{"inbox": {"expires_after": seconds}, "track_clicks": true, "conversion": {"event": name, "window": seconds,
"amount": property, "currency": "EUR"}}`, each part optional.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.audience.events import is_event_name
from apps.audience.values import MAX_ATTRIBUTE_NAME, is_name
from apps.messaging.errors import FollowUpInvalid
from apps.messaging.receipts.meaning import is_currency

_DAY = 86_400
#: Seconds: how long a copy lies in the inbox when nothing is said, and at most; within what a conversion may follow.
INBOX_DEFAULT, INBOX_MOST = 30 * _DAY, 90 * _DAY
WINDOW_LEAST, WINDOW_MOST = 60, 30 * _DAY


@dataclass(frozen=True, slots=True)
class Conversion:
    """event: name of a behaviour event. window: seconds after the message in which it counts. amount: the property of
    the event that says what it is worth in `currency`; empty: nothing does."""

    event: str
    window: int
    amount: str = ""
    currency: str = ""

    def to_json(self) -> dict[str, Any]:
        worth = {"amount": self.amount, "currency": self.currency} if self.amount else {}
        return {"event": self.event, "window": self.window, **worth}


@dataclass(frozen=True, slots=True)
class FollowUp:
    """inbox_seconds: how long the copy in the inbox lies there; None: there is none."""

    inbox_seconds: int | None = None
    track_clicks: bool = False
    conversion: Conversion | None = None

    def to_json(self) -> dict[str, Any]:
        """What is not asked for is left out."""
        parts: dict[str, Any] = {}
        if self.inbox_seconds is not None:
            parts["inbox"] = {"expires_after": self.inbox_seconds}
        if self.track_clicks:
            parts["track_clicks"] = True
        if self.conversion is not None:
            parts["conversion"] = self.conversion.to_json()
        return parts


def read_follow_up(raw: object, *, has_public_url: bool) -> FollowUp:
    """has_public_url: without one nobody could follow a counted link. Raises FollowUpInvalid."""
    parts = _members(raw, "", {"inbox", "track_clicks", "conversion"})
    track_clicks = parts.get("track_clicks") or False
    if not isinstance(track_clicks, bool):
        raise _refusal("track_clicks", _("Say true or false."))
    if track_clicks and not has_public_url:
        raise _refusal("track_clicks", _("Clicks cannot be counted until PUSHSAAS_PUBLIC_URL is set."))
    return FollowUp(_inbox_seconds(parts.get("inbox")), track_clicks, _conversion(parts.get("conversion")))


def follow_up_of(stored: Mapping[str, Any]) -> FollowUp:
    """What `to_json` made."""
    inbox, conversion = stored.get("inbox"), stored.get("conversion")
    return FollowUp(
        inbox["expires_after"] if inbox else None,
        bool(stored.get("track_clicks")),
        Conversion(**conversion) if conversion else None,
    )


def _inbox_seconds(raw: object) -> int | None:
    if raw is None:
        return None
    seconds = _members(raw, "inbox", {"expires_after"}).get("expires_after", INBOX_DEFAULT)
    return _seconds("inbox.expires_after", seconds, 60, INBOX_MOST)


def _conversion(raw: object) -> Conversion | None:
    if raw is None:
        return None
    parts = _members(raw, "conversion", {"event", "window", "amount", "currency"})
    event, amount, currency = parts.get("event"), parts.get("amount") or "", parts.get("currency") or ""
    if not is_event_name(event):
        raise _refusal("conversion.event", _("An event's name has 1 to 64 characters without control characters."))
    if amount and not is_name(amount, MAX_ATTRIBUTE_NAME):
        raise _refusal("conversion.amount", _("A property's name has 1 to 64 characters without control characters."))
    if bool(amount) != bool(currency) or (currency and not is_currency(currency)):
        raise _refusal("conversion.currency", _("An amount and a currency of three capital letters go together."))
    window = _seconds("conversion.window", parts.get("window"), WINDOW_LEAST, WINDOW_MOST)
    return Conversion(str(event), window, str(amount), str(currency))


def _members(raw: object, field: str, known: set[str]) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise _refusal(field, _("This is an object."))
    if unknown := sorted(str(name) for name in set(raw) - known):
        raise _refusal(f"{field}.{unknown[0][:64]}".strip("."), _("There is no such field."))
    return raw


def _seconds(field: str, value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _refusal(field, _("Use whole seconds from %(least)d to %(most)d.") % {"least": least, "most": most})
    return value


def _refusal(field: str, sentence: Any) -> FollowUpInvalid:
    return FollowUpInvalid(sentence, fields={f"follow_up.{field}".rstrip("."): [sentence]})
