"""What one behaviour event may look like. Pure.

Limits: a name of 64 characters; an id of 128 printable ASCII characters; 50 properties and 4 KB of JSON. An event is
taken from 30 days after it happened to 10 minutes before. An id is remembered for longer than that span, so that an
event with a time of its own can never be counted twice: its repeat is known, or it is too old.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import orjson
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from apps.audience import values
from apps.audience.values import ValueProblem

MAX_EVENT_NAME = 64
MAX_EVENT_ID = 128
MAX_PROPERTIES = 50
MAX_PROPERTIES_BYTES = 4_096
OLDEST, NEWEST = timedelta(days=30), timedelta(minutes=10)
#: How long an id is remembered.
IDS_KEPT = OLDEST + NEWEST + timedelta(days=1)

_EVENT_ID = re.compile(r"[!-~]{1,128}", re.ASCII)
_FIELDS = frozenset({"id", "external_id", "name", "occurred_at", "properties"})

MESSAGES: dict[str, Any] = {
    **values.MESSAGES,
    "event_not_an_object": _("An event is an object."),
    "event_id_invalid": _("An event's id has 1 to 128 printable ASCII characters."),
    "event_id_reused": _("Another event had this id."),
    "event_name_invalid": _("An event's name has 1 to 64 characters without control characters."),
    "occurred_at_invalid": _("This is not a time such as 2026-01-31T08:00:00Z."),
    "occurred_at_too_old": _("An event is taken up to 30 days after it happened."),
    "occurred_at_in_the_future": _("This is more than 10 minutes in the future."),
    "properties_invalid": _("Properties are an object of names and values."),
    "property_name_invalid": _("A property's name has 1 to 64 characters without control characters."),
    "property_value_invalid": _("A value may not hold NUL, broken text, deep nesting or huge numbers."),
    "too_many_properties": _("An event has at most 50 properties."),
    "properties_too_large": _("The properties of an event take at most 4 KB."),
    "subscriber_gone": _("This person was erased at this very moment. Send the event again."),
}


class EventProblem(ValueProblem):
    """One reason why an event cannot be recorded. code: a key of MESSAGES."""

    @property
    def message(self) -> Any:
        return MESSAGES[self.code]


@dataclass(frozen=True, slots=True)
class EventIn:
    """has_own_id: the sender named it, so that a repeat can be known."""

    external_id: str
    name: str
    occurred_at: datetime
    event_id: str
    has_own_id: bool
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def payload_hash(self) -> bytes:
        facts = orjson.dumps([self.external_id, self.name, self.properties], option=orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(facts, digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class EventPosition:
    """A place in a person's events, as it travels in a cursor."""

    occurred_at: datetime
    event_id: str

    def encode(self) -> str:
        plain = f"{self.occurred_at.isoformat()} {self.event_id}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, cursor: str) -> Self | None:
        """None when it is not a cursor of ours."""
        try:
            plain = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
            instant, _space, event_id = plain.partition(" ")
            occurred_at = datetime.fromisoformat(instant)
        except (binascii.Error, ValueError):
            return None
        is_ours = occurred_at.tzinfo is not None and _EVENT_ID.fullmatch(event_id)
        return cls(occurred_at, event_id) if is_ours else None


def read_event(raw: object, *, now: datetime) -> EventIn:
    """A JSON object as received. Raises ValueProblem."""
    if not isinstance(raw, Mapping):
        raise EventProblem("event_not_an_object", "")
    for name in raw:
        if name not in _FIELDS:
            raise EventProblem("unknown_field", str(name)[:64])
    given_id, properties = raw.get("id"), raw.get("properties")
    return EventIn(
        external_id=values.read_external_id(raw.get("external_id")),
        name=_read_name(raw.get("name")),
        occurred_at=_read_instant(raw.get("occurred_at"), now),
        event_id=secrets.token_urlsafe(18) if given_id is None else _read_id(given_id),
        has_own_id=given_id is not None,
        properties={} if properties is None else _read_properties(properties),
    )


def _read_id(value: object) -> str:
    if not isinstance(value, str) or not _EVENT_ID.fullmatch(value):
        raise EventProblem("event_id_invalid", "id")
    return value


def _read_name(value: object) -> str:
    if not is_event_name(value):
        raise EventProblem("event_name_invalid", "name")
    return str(value)


def is_event_name(value: object) -> bool:
    return values.is_name(value, MAX_EVENT_NAME)


def _read_instant(value: object, now: datetime) -> datetime:
    if value is None:
        return now
    try:
        instant = parse_datetime(value) if isinstance(value, str) else None
        moment = instant.astimezone(UTC) if instant is not None and instant.tzinfo is not None else None
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        raise EventProblem("occurred_at_invalid", "occurred_at")
    if moment < now - OLDEST:
        raise EventProblem("occurred_at_too_old", "occurred_at")
    if moment > now + NEWEST:
        raise EventProblem("occurred_at_in_the_future", "occurred_at")
    return moment


def _read_properties(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise EventProblem("properties_invalid", "properties")
    if len(value) > MAX_PROPERTIES:
        raise EventProblem("too_many_properties", "properties")
    properties = {name: _read_property(name, inner) for name, inner in value.items() if inner is not None}
    if len(orjson.dumps(properties)) > MAX_PROPERTIES_BYTES:
        raise EventProblem("properties_too_large", "properties")
    return properties


def _read_property(name: object, value: object) -> Any:
    if not values.is_name(name, values.MAX_ATTRIBUTE_NAME):
        raise EventProblem("property_name_invalid", "properties")
    try:
        return values.storable(value)
    except ValueError:
        raise EventProblem("property_value_invalid", f"properties.{name}") from None
