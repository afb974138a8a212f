"""Who a slice goes to, as plain values: what the planner, the templates and the providers may know of a person."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.db import connection

from apps.audience.models import Subscriber
from apps.messaging.models import Message

_PEOPLE = """
SELECT id, external_id, attributes::text, tags, language, timezone FROM audience_subscriber
WHERE tenant_id = %s AND id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A subscriber as the sending side sees one. number: row number, never shown."""

    number: int
    external_id: str
    attributes: Mapping[str, Any]
    tags: tuple[str, ...]
    language: str
    timezone: str


#: The columns of a Recipient, in its order, for `values_list`.
COLUMNS = ("pk", "external_id", "attributes", "tags", "language", "timezone")


def recipient_of(subscriber: Subscriber) -> Recipient:
    return Recipient(*(getattr(subscriber, column) for column in COLUMNS))


def recipients_by_number(tenant_id: int, numbers: Iterable[int]) -> dict[int, Recipient]:
    """Those that still exist. Inside the tenant's scope."""
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE, [tenant_id, list(numbers)])
        return {
            number: Recipient(number, external_id, orjson.loads(attributes), tuple(tags), language, timezone)
            for number, external_id, attributes, tags, language, timezone in cursor.fetchall()
        }


def variables_for(recipient: Recipient, message: Message) -> dict[str, Any]:
    """What a template may read: plain values from an allow-list, never a model."""
    return {
        "subscriber": {
            **recipient.attributes,
            "external_id": recipient.external_id,
            "language": recipient.language,
            "timezone": recipient.timezone,
            "tags": recipient.tags,
        },
        "campaign": {"name": message.name},
        "variables": message.variables,
    }


def push_id(message_id: int, subscriber: int) -> str:
    """The same for every attempt and route of a message to a person, so that a receiver can drop a repeat."""
    name = f"{message_id}:{subscriber}".encode()
    return hashlib.blake2b(name, digest_size=16, key=settings.ID_KEY).hexdigest()
