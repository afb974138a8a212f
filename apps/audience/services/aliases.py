"""Other names of people: who has which, and giving them out so that one alias never names two."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

from apps.audience.models import SubscriberAlias
from apps.audience.values import MAX_ALIASES, SubscriberIn, ValueProblem
from apps.tenants.models import Application

_OWNERS = """
SELECT alias.label, alias.value, person.external_id
FROM audience_subscriberalias alias JOIN audience_subscriber person ON person.id = alias.subscriber_id
WHERE alias.tenant_id = %(tenant)s AND alias.application_id = %(application)s
    AND (alias.label, alias.value) IN (SELECT * FROM unnest(%(labels)s::text[], %(values)s::text[]))
"""
_LABELS = """
SELECT person.external_id, array_agg(alias.label)
FROM audience_subscriber person JOIN audience_subscriberalias alias
    ON alias.tenant_id = person.tenant_id AND alias.subscriber_id = person.id
WHERE person.tenant_id = %(tenant)s AND person.application_id = %(application)s
    AND person.external_id = ANY(%(people)s)
GROUP BY person.external_id
"""
_IN_USE = """
WITH RECURSIVE labels AS (
    (SELECT label FROM audience_subscriberalias WHERE tenant_id = %(tenant)s AND application_id = %(application)s
     ORDER BY label LIMIT 1)
    UNION ALL
    SELECT (SELECT next.label FROM audience_subscriberalias AS next WHERE tenant_id = %(tenant)s
            AND application_id = %(application)s AND next.label > labels.label ORDER BY next.label LIMIT 1)
    FROM labels WHERE labels.label IS NOT NULL
)
SELECT label FROM labels WHERE label IS NOT NULL LIMIT 100
"""
_REMOVE = """
DELETE FROM audience_subscriberalias alias USING audience_subscriber person,
    unnest(%(people)s::text[], %(labels)s::text[], %(values)s::text[]) AS given (external_id, label, value)
WHERE person.tenant_id = %(tenant)s AND person.application_id = %(application)s
    AND person.external_id = given.external_id AND alias.tenant_id = person.tenant_id
    AND alias.subscriber_id = person.id AND alias.label = given.label AND alias.value IS DISTINCT FROM given.value
"""
_GIVE = """
INSERT INTO audience_subscriberalias (tenant_id, application_id, subscriber_id, label, value)
SELECT person.tenant_id, person.application_id, person.id, given.label, given.value
FROM unnest(%(people)s::text[], %(labels)s::text[], %(values)s::text[]) AS given (external_id, label, value)
JOIN audience_subscriber person ON person.tenant_id = %(tenant)s AND person.application_id = %(application)s
    AND person.external_id = given.external_id
WHERE given.value IS NOT NULL
ON CONFLICT (tenant_id, subscriber_id, label) DO NOTHING
"""


def aliases_of(*, application: Application, subscriber_ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """Row number of each person that has any -> label -> value."""
    found: dict[int, dict[str, str]] = defaultdict(dict)
    theirs = SubscriberAlias.objects.of(application.tenant_id).filter(subscriber__in=subscriber_ids)
    for person, label, value in theirs.order_by("label").values_list("subscriber_id", "label", "value"):
        found[person][label] = value
    return dict(found)


def alias_labels(*, application: Application) -> list[str]:
    """The labels in use, sorted, at most 100. Walks from label to label through the index, not over aliases."""
    with connection.cursor() as cursor:
        cursor.execute(_IN_USE, _of(application))
        return [label for (label,) in cursor.fetchall()]


def refused_aliases(*, application: Application, people: Sequence[SubscriberIn]) -> dict[str, ValueProblem]:
    """External id -> why this person cannot have the aliases asked for. First come, first served within a batch.

    Until the transaction ends nobody else gives out aliases of this application.
    """
    asking = [person for person in people if person.aliases]
    if not asking:
        return {}
    with connection.cursor() as cursor:
        # Two transactions that each find an alias free would otherwise meet at its unique index, at the commit.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('audience.aliases', %s))", [application.pk])
    owners, labels = _owners(application, asking), _labels(application, asking)
    refused: dict[str, ValueProblem] = {}
    for person in asking:
        problem = _refusal(person, owners, labels.get(person.external_id, set()))
        if problem is not None:
            refused[person.external_id] = problem
            continue
        owners |= {(label, value): person.external_id for label, value in person.aliases.items() if value is not None}
    return refused


def _refusal(person: SubscriberIn, owners: Mapping[tuple[str, str], str], known: set[str]) -> ValueProblem | None:
    kept = {label for label, value in person.aliases.items() if value is not None}
    removed = set(person.aliases) - kept
    if len((known | kept) - removed) > MAX_ALIASES:
        return ValueProblem("too_many_aliases", "aliases")
    for label, value in person.aliases.items():
        if value is not None and owners.get((label, value), person.external_id) != person.external_id:
            return ValueProblem("alias_taken", f"aliases.{label}")
    return None


def give_aliases(*, application: Application, people: Sequence[SubscriberIn]) -> None:
    """After `refused_aliases` has refused none of these people, and after they are in the table."""
    given = [(person.external_id, label, value) for person in people for label, value in person.aliases.items()]
    if not given:
        return
    names, labels, values = (list(column) for column in zip(*given, strict=True))
    parameters = {**_of(application), "people": names, "labels": labels, "values": values}
    with connection.cursor() as cursor:
        cursor.execute(_REMOVE, parameters)
        cursor.execute(_GIVE, parameters)


def _owners(application: Application, people: Sequence[SubscriberIn]) -> dict[tuple[str, str], str]:
    wanted = [(label, value) for person in people for label, value in person.aliases.items() if value is not None]
    labels, values = [label for label, _value in wanted], [value for _label, value in wanted]
    with connection.cursor() as cursor:
        cursor.execute(_OWNERS, {**_of(application), "labels": labels, "values": values})
        return {(label, value): owner for label, value, owner in cursor.fetchall()}


def _labels(application: Application, people: Sequence[SubscriberIn]) -> dict[str, set[str]]:
    with connection.cursor() as cursor:
        cursor.execute(_LABELS, {**_of(application), "people": [person.external_id for person in people]})
        return {external_id: set(labels) for external_id, labels in cursor.fetchall()}


def _of(application: Application) -> dict[str, Any]:
    return {"tenant": application.tenant_id, "application": application.pk}
