"""What the doors ask about journeys."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from django.db import connection
from django.db.models import Count

from apps.campaigns.journeys.models import EntryState, Journey, JourneyEntry, JourneyStatus, JourneyVisit
from apps.tenants.models import Application, TenantQuerySet

_DELIVERIES = """
SELECT visit.step, sum(chunk.accepted + chunk.unknown), sum(chunk.failed), sum(chunk.suppressed)
FROM (
    SELECT DISTINCT step, message_id FROM campaigns_journeyvisit
    WHERE tenant_id = %(tenant)s AND journey_id = %(journey)s AND version = %(version)s AND message_id IS NOT NULL
) AS visit
JOIN messaging_chunk chunk ON chunk.tenant_id = %(tenant)s AND chunk.message_id = visit.message_id
GROUP BY visit.step
"""


@dataclass(frozen=True, slots=True)
class StepCounts:
    """entered: came to the step. waiting: are in it. done: went on from it. exited: left the journey in it. The rest
    are deliveries of a send; sent: with those of whose outcome nobody knows."""

    entered: int = 0
    waiting: int = 0
    done: int = 0
    exited: int = 0
    sent: int = 0
    failed: int = 0
    suppressed: int = 0


@dataclass(frozen=True, slots=True)
class JourneyCounts:
    """Of people, or rather of entries, of all versions."""

    active: int = 0
    done: int = 0
    exited: int = 0
    failed: int = 0
    goals: int = 0

    @property
    def entered(self) -> int:
        return self.active + self.done + self.exited + self.failed


def counts_of_journeys(journeys: list[Journey]) -> dict[int, JourneyCounts]:
    """By the journey's row number. One query, however many journeys."""
    found: dict[int, JourneyCounts] = defaultdict(JourneyCounts)
    if not journeys:
        return found
    rows = JourneyEntry.objects.of(journeys[0].tenant_id).filter(journey__in=journeys).order_by()
    for journey, state, goal, count in rows.values_list("journey_id", "state", "goal").annotate(count=Count("pk")):
        known = found[journey]
        more = {str(state): getattr(known, state) + count, "goals": known.goals + (count if goal else 0)}
        found[journey] = replace(known, **more)
    return found


def counts_of_steps(journey: Journey, version: int) -> dict[str, StepCounts]:
    """Of one version, by the step's id. Steps to which nobody came are missing. Three queries."""
    counts: dict[str, StepCounts] = defaultdict(StepCounts)
    mine = {"journey": journey, "version": version}
    left = JourneyVisit.objects.of(journey.tenant_id).filter(**mine).order_by().values_list("step")
    for step, count in left.annotate(count=Count("pk")):
        counts[step] = replace(counts[step], entered=count, done=count)
    entries = JourneyEntry.objects.of(journey.tenant_id).filter(**mine).order_by().values_list("step", "state")
    stopped = entries.filter(state__in=[EntryState.ACTIVE, EntryState.EXITED])
    for step, state, count in stopped.annotate(count=Count("pk")):
        known = counts[step]
        name = "waiting" if state == EntryState.ACTIVE else "exited"
        counts[step] = replace(known, entered=known.entered + count, **{name: count})
    for step, sent, failed, suppressed in _deliveries(journey, version):
        counts[step] = replace(counts[step], sent=sent, failed=failed, suppressed=suppressed)
    return counts


def _deliveries(journey: Journey, version: int) -> list[tuple[str, int, int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(_DELIVERIES, {"tenant": journey.tenant_id, "journey": journey.pk, "version": version})
        return [(step, int(sent), int(failed), int(rest)) for step, sent, failed, rest in cursor.fetchall()]


def entries_of(
    journey: Journey, *, state: str = "", step: str = "", external_id: str = ""
) -> TenantQuerySet[JourneyEntry]:
    """With their people; an unknown state or step finds nobody."""
    found = JourneyEntry.objects.of(journey.tenant_id).filter(journey=journey).select_related("subscriber")
    if state:
        found = found.filter(state=state.replace("\0", ""))
    if step:
        found = found.filter(step=step.replace("\0", ""))
    return found.filter(subscriber__external_id=external_id.replace("\0", "")) if external_id else found


def running_journeys(application: Application) -> list[Journey]:
    """Those that people can come into now, by name; a hundred at most."""
    found = Journey.objects.of(application.tenant_id).filter(application=application, status=JourneyStatus.ACTIVE)
    return list(found.order_by("name", "pk")[:100])
