"""What a tenant tells of any vendor, what a vendor allows, and how the first is checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.providers.base import CredentialField, Limits
from apps.providers.errors import CredentialInvalid

#: Devices of one request (the vendors take 1,000): a lost answer leaves no more than these unknown.
BATCH = 200

LIMIT_FIELDS = (
    CredentialField(
        "daily_quota", _("Marketing messages a day"), is_secret=False, is_required=False,
        help=_("As the vendor's console shows it. What is beyond it waits for the next day in China."),
    ),
    CredentialField(
        "per_second", _("Messages a second"), is_secret=False, is_required=False,
        help=_("When the vendor has granted you another rate than its usual one."),
    ),
)  # fmt: skip
RECEIPTS = CredentialField(
    "receipts", _("Receipts"), is_secret=False, is_required=False,
    choices=(("each", _("Of every push; nothing shares a request then")),),
    help=_("What arrived and was tapped, by the vendor's word. Without it only pushes sent alone are reported."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rules:
    """What a vendor allows an application. per_second: devices, or requests. batch: devices of one request; 1: one.

    title, body: the longest texts, in characters (or what `measure` counts). ttl: shortest and longest, in seconds.
    marketing_a_day: messages of that class that a device is shown a day. The vendor sees to it, nobody here counts.
    """

    per_second: float
    title: int
    body: int
    ttl: tuple[int, int]
    marketing_a_day: int
    batch: int = BATCH
    per_second_is_of_requests: bool = False
    measure: Callable[[str], int] = len


def limits_in_china(per_second: int | None = None) -> Limits:
    """What is planned with: the rate, and the days by which `daily_quota` counts marketing."""
    return Limits(None if per_second is None else per_second * 60, day_begins=8 * 3_600, marketing_only=True)


def text_field(name: str, label: Any, help: Any = "", *, is_required: bool = False) -> CredentialField:
    """A field that is no secret."""
    return CredentialField(name, label, is_secret=False, is_required=is_required, help=help)


def choice_field(name: str, label: Any, values: Iterable[str], help: Any) -> CredentialField:
    """One of the vendor's own words, which are shown as they are; or none."""
    choices = tuple((value, value) for value in values)
    return CredentialField(name, label, is_secret=False, is_required=False, help=help, choices=choices)


def check_limits(values: Mapping[str, str]) -> None:
    for field in LIMIT_FIELDS:
        text = values.get(field.name, "")
        if text and not (text.isascii() and text.isdecimal() and len(text) < 12 and int(text)):
            raise CredentialInvalid(field.name, _("Enter a whole number above 0."))


def check_names(values: Mapping[str, str], *fields: str) -> None:
    """That these can stand in a URL or a header."""
    for field in fields:
        text = values.get(field, "")
        plain = text.replace("-", "").replace("_", "").replace(".", "")
        if text and not (plain.isascii() and plain.isalnum() and len(text) <= 200):
            raise CredentialInvalid(field, _("Letters and digits only, as the vendor's console shows them."))
