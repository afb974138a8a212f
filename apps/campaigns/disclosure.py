"""What journeys hold about one person, for the person who asks; `apps.messaging.disclosure` has receipts and inbox."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from apps.audience.models import Subscriber
from apps.campaigns.models import JourneyEntry, JourneyVisit

#: Of ways, and of steps over all of them: the newest.
MOST = 10_000


def ways_of(person: Subscriber) -> dict[str, list[dict[str, Any]]]:
    """Plain values: `journeys`, each time the person came into one, with the steps they left behind."""
    entries = JourneyEntry.objects.of(person.tenant_id).filter(subscriber=person)
    steps = _steps_of(person)
    newest = entries.select_related("journey").order_by("-pk")[:MOST]
    return {"journeys": [_way(entry, steps[entry.pk]) for entry in newest]}


def _steps_of(person: Subscriber) -> dict[int, list[dict[str, Any]]]:
    """By entry, in the order in which they were left."""
    steps: dict[int, list[dict[str, Any]]] = defaultdict(list)
    visits = JourneyVisit.objects.of(person.tenant_id).filter(entry__subscriber=person)
    named = ("step", "arrived_at", "left_at", "result")
    for visit in reversed(visits.order_by("-pk")[:MOST]):
        steps[visit.entry_id].append({name: getattr(visit, name) for name in named})
    return steps


def _way(entry: JourneyEntry, steps: list[dict[str, Any]]) -> dict[str, Any]:
    named = (
        "version", "state", "reason", "goal", "step", "event_id", "since", "entered_at", "arrived_at", "due_at",
        "ended_at",
    )  # fmt: skip
    told = {name: getattr(entry, name) for name in named}
    journey = {"journey_id": entry.journey.public_id, "journey": entry.journey.name}
    return {"id": entry.public_id, **journey, **told, "path": steps}
