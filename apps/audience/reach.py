"""Where people are reached, read for sending: one statement and plain values, because it runs for millions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from django.db import connection

_REACHABLE = """
SELECT subscriber_id, id, address, address_kind, environment, public_key, auth_secret, sender_key FROM audience_device
WHERE tenant_id = %(tenant)s AND application_id = %(application)s AND provider = %(provider)s
  AND subscriber_id = ANY(%(subscribers)s) AND retired_at IS NULL AND quarantined_at IS NULL
ORDER BY registered_at DESC
"""


class Reached(NamedTuple):
    """A device that may be sent to; the members are those of apps.audience.models.Device."""

    subscriber_id: int
    id: int
    address: str
    address_kind: str
    environment: str
    public_key: str
    auth_secret: str
    sender_key: str


def reachable_devices(
    *, tenant_id: int, application_id: int, provider: str, subscribers: Sequence[int]
) -> dict[int, list[Reached]]:
    """Subscriber (row number) -> devices of the network, the one registered last first. Inside the tenant's scope."""
    found: dict[int, list[Reached]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            _REACHABLE,
            {"tenant": tenant_id, "application": application_id, "provider": provider, "subscribers": [*subscribers]},
        )
        for row in cursor.fetchall():
            found[row[0]].append(Reached(*row))
    return found
