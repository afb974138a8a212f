"""For which entries a condition holds, asked of PostgreSQL for a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Exists, OuterRef

from apps.audience.models import BehaviourEvent
from apps.audience.queries import matching
from apps.audience.segment_query import properties
from apps.campaigns.journeys.definition import Belongs, Condition, Did
from apps.campaigns.journeys.models import JourneyEntry
from apps.tenants.models import Application


def holding(condition: Condition, entries: Sequence[JourneyEntry], application: Application) -> set[int]:
    """The row numbers of those entries. Raises BrokerUnavailable when it asks who is online and nobody can tell."""
    if isinstance(condition, Did):
        return _did(condition, entries)
    belonging = people_belonging(condition, {entry.subscriber_id for entry in entries}, application)
    return {entry.pk for entry in entries if (entry.subscriber_id in belonging) is condition.inside}


def people_belonging(condition: Belongs, people: set[int], application: Application) -> set[int]:
    """Of these people, those for whom the rules hold, whatever `inside` says."""
    assert condition.rules is not None, "a published definition has its segments' rules"
    found = matching(application=application, rules=condition.rules).filter(pk__in=people)
    return set(found.values_list("pk", flat=True))


def _did(condition: Did, entries: Sequence[JourneyEntry]) -> set[int]:
    """Since the entry: the event that began it does not count."""
    happened = BehaviourEvent.objects.get_queryset().filter(
        *properties(condition.event),
        tenant_id=OuterRef("tenant_id"),
        subscriber_id=OuterRef("subscriber_id"),
        occurred_at__gte=OuterRef("since"),
        name=condition.event.key,
        application_id=OuterRef("journey__application_id"),
    )
    later = happened.exclude(event_id=OuterRef("event_id"))
    rows = JourneyEntry.objects.of(entries[0].tenant_id).filter(pk__in=[entry.pk for entry in entries])
    return set(rows.filter(Exists(later)).values_list("pk", flat=True))
