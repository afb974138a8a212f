"""Many people into the table at once: COPY into a temporary table, then one INSERT … ON CONFLICT DO UPDATE.

The temporary table is not a detour: COPY into a table with row-level security is refused, and the conflict branch must
see which values were *not* given, which EXCLUDED cannot tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson
from django.db import connection

from apps.audience.services.aliases import give_aliases, refused_aliases
from apps.audience.values import MAX_ATTRIBUTES, MAX_ATTRIBUTES_BYTES, SubscriberIn, ValueProblem
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
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Outcome:
    """problem: why the person was rejected; then nothing of it was changed."""

    merged: Merged
    problem: ValueProblem | None = None


#: Together with what was known the attributes would pass their limits.
_TOO_LARGE = Outcome(Merged.REJECTED, ValueProblem("attributes_too_large", "attributes"))
_CREATED, _UPDATED = Outcome(Merged.CREATED), Outcome(Merged.UPDATED)


def merge_subscribers(*, application: Application, people: Iterable[SubscriberIn]) -> dict[str, Outcome]:
    """Creates or updates each person; external ids must differ. Call it inside the tenant's scope.

    Given attributes and aliases are laid over the known ones (None removes), given tags, language and time zone
    replace.
    """
    everybody = list(people)
    refused = refused_aliases(application=application, people=everybody)
    outcome = {name: Outcome(Merged.REJECTED, problem) for name, problem in refused.items()}
    accepted = [person for person in everybody if person.external_id not in refused]
    outcome |= _merged(application, accepted)
    give_aliases(
        application=application,
        people=[person for person in accepted if outcome[person.external_id].merged is not Merged.REJECTED],
    )
    return outcome


def _merged(application: Application, people: Sequence[SubscriberIn]) -> dict[str, Outcome]:
    outcome = {person.external_id: _TOO_LARGE for person in people}
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        cursor.execute("DELETE FROM audience_incoming")  # an earlier batch of the same transaction
        with cursor.copy(_COPY) as copy:
            for person in people:
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
        outcome.update((external_id, _CREATED if is_new else _UPDATED) for external_id, is_new in cursor)
    return outcome


def _row(person: SubscriberIn) -> tuple[str, str, list[str] | None, str | None, str | None]:
    tags = None if person.tags is None else list(person.tags)
    attributes = orjson.dumps(person.attributes).decode()
    return person.external_id, attributes, tags, person.language, person.timezone
