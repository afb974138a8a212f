"""Many people into the table at once: COPY into a temporary table, then one INSERT … ON CONFLICT DO UPDATE.

The temporary table is not a detour: COPY into a table with row-level security is refused, and the conflict branch must
see which values were *not* given, which EXCLUDED cannot tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import orjson
from django.db import connection

from apps.audience.values import MAX_ATTRIBUTES, MAX_ATTRIBUTES_BYTES, SubscriberIn
from apps.core import clock
from apps.tenants.models import Application

_STAGE = """
CREATE TEMPORARY TABLE IF NOT EXISTS audience_incoming (
    external_id text COLLATE "C" PRIMARY KEY, attributes jsonb NOT NULL, tags text[], language text, timezone text
) ON COMMIT DELETE ROWS
"""
_COPY = "COPY audience_incoming (external_id, attributes, tags, language, timezone) FROM STDIN"
#: In the order of external ids, so that two batches about the same people wait for each other and never deadlock.
_MERGE = """
INSERT INTO audience_subscriber AS known
    (tenant_id, application_id, external_id, attributes, tags, language, timezone, created_at, updated_at)
SELECT %(tenant)s, %(application)s, external_id, jsonb_strip_nulls(attributes), COALESCE(tags, '{}'),
    COALESCE(language, ''), COALESCE(timezone, ''), %(now)s, %(now)s
FROM audience_incoming ORDER BY external_id
ON CONFLICT (tenant_id, application_id, external_id) DO UPDATE SET
    (attributes, tags, language, timezone, updated_at) = (
        SELECT jsonb_strip_nulls(known.attributes || given.attributes), COALESCE(given.tags, known.tags),
            COALESCE(given.language, known.language), COALESCE(given.timezone, known.timezone), %(now)s
        FROM audience_incoming given WHERE given.external_id = known.external_id
    )
WHERE (
    SELECT octet_length(merged::text) <= %(max_bytes)s
        AND (SELECT count(*) FROM jsonb_object_keys(merged)) <= %(max_attributes)s
    FROM (
        SELECT jsonb_strip_nulls(known.attributes || given.attributes) AS merged
        FROM audience_incoming given WHERE given.external_id = known.external_id
    ) AS outcome
)
RETURNING known.external_id, known.xmax = 0
"""


class Merged(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    #: Together with what was known the attributes would pass their limits; nothing of this person was changed.
    TOO_LARGE = "too_large"


def merge_subscribers(*, application: Application, people: Iterable[SubscriberIn]) -> dict[str, Merged]:
    """Creates or updates each person; external ids must differ. Call it inside the tenant's scope.

    Given attributes are laid over the known ones (None removes), given tags, language and time zone replace.
    """
    outcome: dict[str, Merged] = {}
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        cursor.execute("DELETE FROM audience_incoming")  # an earlier batch of the same transaction
        with cursor.copy(_COPY) as copy:
            for person in people:
                outcome[person.external_id] = Merged.TOO_LARGE
                copy.write_row(_row(person))
        cursor.execute(
            _MERGE,
            {
                "tenant": application.tenant_id,
                "application": application.pk,
                "now": clock.now(),
                "max_bytes": MAX_ATTRIBUTES_BYTES,
                "max_attributes": MAX_ATTRIBUTES,
            },
        )
        for external_id, is_new in cursor:
            outcome[external_id] = Merged.CREATED if is_new else Merged.UPDATED
    return outcome


def _row(person: SubscriberIn) -> tuple[str, str, list[str] | None, str | None, str | None]:
    tags = None if person.tags is None else list(person.tags)
    attributes = orjson.dumps(person.attributes).decode()
    return person.external_id, attributes, tags, person.language, person.timezone
