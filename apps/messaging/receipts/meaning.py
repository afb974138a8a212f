"""What a receipt may say, and what it implies. Pure.

Whoever clicked has opened, and whoever opened, dismissed or converted has received: a receipt brings the earlier ones
along, at its own time. Of each kind the first receipt of a delivery counts, and later ones change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from apps.messaging.content.buttons import is_action

#: What a phone's clock says is believed between these; outside of them the receipt happened now.
_OLDEST = timedelta(days=30)
_MOST = Decimal("1e12")
_DECIMALS = 4
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_FIELDS = frozenset({"token", "delivery_id", "kind", "at", "amount", "currency", "button"})

MESSAGES: dict[str, Any] = {
    "not_an_object": _("A receipt is an object."),
    "unknown_field": _("There is no such field."),
    "kind_unknown": _("A receipt is received, opened, clicked, dismissed or converted."),
    "token_invalid": _("This is not a token of a push."),
    "delivery_unknown": _("There is no such delivery, or its person has been erased."),
    "at_invalid": _("This is not a time such as 2026-01-31T08:00:00Z or Unix milliseconds."),
    "amount_invalid": _("An amount is a positive number with at most 4 decimals, below 1,000,000,000,000."),
    "amount_unexpected": _("Only a conversion has an amount."),
    "button_invalid": _("A click may name a button: 1 to 16 small letters, digits and _."),
    "currency_invalid": _("A currency has three capital letters, and goes with an amount."),
}


class Kind(StrEnum):
    """As stored, as the API says it."""

    RECEIVED = "received"
    OPENED = "opened"
    CLICKED = "clicked"
    DISMISSED = "dismissed"
    CONVERTED = "converted"


IMPLIED: Mapping[Kind, tuple[Kind, ...]] = {
    Kind.RECEIVED: (),
    Kind.OPENED: (Kind.RECEIVED,),
    Kind.CLICKED: (Kind.RECEIVED, Kind.OPENED),
    Kind.DISMISSED: (Kind.RECEIVED,),
    Kind.CONVERTED: (Kind.RECEIVED,),
}


class ReceiptProblem(ValueError):
    """One reason why a receipt cannot be taken. code: a key of MESSAGES. field: where in the receipt."""

    def __init__(self, code: str, field: str = "") -> None:
        super().__init__(code)
        self.code, self.field = code, field

    @property
    def message(self) -> Any:
        return MESSAGES[self.code]


@dataclass(frozen=True, slots=True)
class ReceiptIn:
    """delivery_id: row number. amount: of a conversion, in currency (ISO 4217); None: it is worth nothing.

    source: names what was counted, so that the same thing never counts for two deliveries; empty: nothing to compare.
    implies: whether the earlier kinds come along; not for somebody who was never sent anything. button: of a click.
    """

    delivery_id: int
    kind: Kind
    at: datetime
    amount: Decimal | None = None
    currency: str = ""
    source: str = ""
    implies: bool = True
    button: str = ""


def read_receipt(raw: object, *, delivery_id: int, now: datetime) -> ReceiptIn:
    """A JSON object as received, about a delivery that the caller has made out. Raises ReceiptProblem."""
    if not isinstance(raw, Mapping):
        raise ReceiptProblem("not_an_object")
    for name in raw:
        if name not in _FIELDS:
            raise ReceiptProblem("unknown_field", str(name)[:64])
    try:
        kind = Kind(str(raw.get("kind")))
    except ValueError:
        raise ReceiptProblem("kind_unknown", "kind") from None
    amount, currency = _read_value(raw, kind)
    at, button = _read_instant(raw.get("at"), now), _read_button(raw.get("button"), kind)
    return ReceiptIn(delivery_id, kind, at, amount, currency, button=button)


def _read_button(value: object, kind: Kind) -> str:
    if value is None or value == "":
        return ""
    if kind is not Kind.CLICKED or not isinstance(value, str) or not is_action(value):
        raise ReceiptProblem("button_invalid", "button")
    return value


def _read_value(raw: Mapping[str, Any], kind: Kind) -> tuple[Decimal | None, str]:
    amount, currency = raw.get("amount"), raw.get("currency")
    if amount is None and currency is None:
        return None, ""
    if kind is not Kind.CONVERTED:
        raise ReceiptProblem("amount_unexpected", "amount" if amount is not None else "currency")
    if amount is None or not is_currency(currency):
        raise ReceiptProblem("currency_invalid", "currency")
    read = read_amount(amount)
    if read is None:
        raise ReceiptProblem("amount_invalid", "amount")
    return read, str(currency)


def is_currency(value: object) -> bool:
    return isinstance(value, str) and bool(_CURRENCY.fullmatch(value))


def read_amount(value: object) -> Decimal | None:
    """A number, or a text that is one; None for anything else, and for what is not positive, too large or too fine."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > 32:
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    if not amount.is_finite() or not 0 < amount < _MOST:
        return None
    exact = amount.quantize(Decimal(1).scaleb(-_DECIMALS))
    return exact if exact == amount else None


def rounded_amount(value: object) -> Decimal | None:
    """As `read_amount`, of an event's property: what is too fine is rounded half to even."""
    try:
        amount = Decimal(str(value)[:64])
        return read_amount(str(round(amount, _DECIMALS))) if amount.is_finite() and abs(amount) < _MOST else None
    except InvalidOperation:
        return None


def _read_instant(value: object, now: datetime) -> datetime:
    """Between 30 days ago and now; a clock that is further off says nothing."""
    if value is None:
        return now
    try:
        instant = _instant_of(value)
    except (ValueError, OverflowError, OSError):
        instant = None
    if instant is None:
        raise ReceiptProblem("at_invalid", "at")
    return instant if now - _OLDEST <= instant <= now else now


def _instant_of(value: object) -> datetime | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value / 1_000, UTC)
    instant = parse_datetime(value) if isinstance(value, str) else None
    return instant.astimezone(UTC) if instant is not None and instant.tzinfo is not None else None
