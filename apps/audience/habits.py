"""At which hour of their own day people do things."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

from django.db import connection

from apps.core import clock

#: Fewer events than this in the window say nothing about somebody.
LEAST_EVENTS = 5
WINDOW = timedelta(days=90)

# Of hours with equally many events the earliest, so that the answer is the same each time.
_BEST_HOURS = """
SELECT DISTINCT ON (person) person, hour FROM (
    SELECT person, hour, done, sum(done) OVER (PARTITION BY person) AS together FROM (
        SELECT people.person, extract(hour FROM event.occurred_at AT TIME ZONE people.zone)::int AS hour,
               count(*) AS done
        FROM unnest(%(people)s::bigint[], %(zones)s::text[]) AS people (person, zone)
        JOIN audience_event event ON event.tenant_id = %(tenant)s AND event.subscriber_id = people.person
             AND event.occurred_at >= %(since)s AND event.occurred_at <= %(now)s
        GROUP BY 1, 2
    ) AS by_hour
) AS counted
WHERE together >= %(least)s ORDER BY person, done DESC, hour
"""


def best_hours(*, tenant_id: int, zones: Mapping[int, str]) -> dict[int, int]:
    """Row number -> the hour (0 to 23) in which the person did most in the last 90 days; nobody with too few events.

    zones: row number -> IANA name of the person's time zone.
    """
    now, known = clock.now(), _known_to_the_database()
    values: dict[str, Any] = {
        "tenant": tenant_id,
        "people": list(zones),
        "zones": [zone if zone in known else "UTC" for zone in zones.values()],
        "since": now - WINDOW,
        "now": now,
        "least": LEAST_EVENTS,
    }
    with connection.cursor() as cursor:
        cursor.execute(_BEST_HOURS, values)
        return dict(cursor.fetchall())


@lru_cache(maxsize=1)
def _known_to_the_database() -> frozenset[str]:
    """Its list of zones may be of another year than ours, and an unknown name would end the statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_timezone_names")
        return frozenset(name for (name,) in cursor.fetchall())
