"""From events to entries: whom an event brings into a journey, and whose way it may end.

What is due stands in `WatchedEvent`; taking it and acting on it is one transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from apps.audience.models import EventWatch
from apps.audience.services.watching import Happened, applications_with_news, fitting, take_watched
from apps.campaigns.journeys.admission import Candidate, admit, hold_journey
from apps.campaigns.journeys.definition import Definition, Did
from apps.campaigns.journeys.models import EntryState, Journey, JourneyEntry, JourneyStatus
from apps.campaigns.journeys.published import definition_of
from apps.core import clock
from apps.tenants.scope import tenant_scope

log = logging.getLogger(__name__)

#: Events per transaction.
BATCH = 1_000
#: What happened longer ago brings nobody in: an import of old events sends nothing.
FRESH = timedelta(days=1)


def take_events(*, rounds: int = 20) -> int:
    """Acts on watched events of all tenants, up to `rounds` batches of each application. Answers how many it took.
    Opens its own scopes."""
    taken = 0
    for tenant_id, application_id in applications_with_news():
        for _round in range(rounds):
            with tenant_scope(tenant_id):
                news = take_watched(tenant_id=tenant_id, application_id=application_id, most=BATCH)
                _act_on(tenant_id, application_id, news)
            taken += len(news)
            if len(news) < BATCH:
                break
    return taken


def _act_on(tenant_id: int, application_id: int, news: Sequence[Happened]) -> None:
    """Journeys in the order of their numbers, so that two workers wait for each other and never deadlock."""
    if not news:
        return
    watches = EventWatch.objects.of(tenant_id).filter(application=application_id, name__in={e.name for e in news})
    for journey_id in sorted({Journey.number_of(owner) for owner in watches.values_list("owner", flat=True)}):
        _tell(tenant_id, journey_id, news)


def _tell(tenant_id: int, journey_id: int, news: Sequence[Happened]) -> None:
    journey = hold_journey(tenant_id, journey_id)
    if journey is None or journey.status != JourneyStatus.ACTIVE:
        return
    definition = definition_of(journey, journey.version)
    entered = admit(journey, definition, _candidates(definition, news, tenant_id, clock.now()))
    woken = _wake(journey, news)
    if entered or woken:
        log.info("journey.told journey=%s entered=%d woken=%d", journey_id, entered, woken)


def _candidates(definition: Definition, news: Sequence[Happened], tenant_id: int, now: datetime) -> list[Candidate]:
    if definition.trigger is None:
        return []
    fresh = [event for event in news if event.occurred_at > now - FRESH]
    found = fitting(fresh, definition.trigger, tenant_id=tenant_id)
    return [Candidate(event.subscriber, event.occurred_at, event.event_id) for event in found]


def _wake(journey: Journey, news: Sequence[Happened]) -> int:
    """Who may have met an exit is looked at now rather than at the end of their wait. Only the looking is early: what
    ends an entry is asked of the events themselves, so a wake too many or too few changes nothing."""
    under_way = JourneyEntry.objects.of(journey.tenant_id).filter(journey=journey, state=EntryState.ACTIVE)
    versions = under_way.filter(subscriber__in={event.subscriber for event in news}).values_list("version", flat=True)
    told = set[int]()
    for version in set(versions):
        exits = [one.event for one in definition_of(journey, version).exits if isinstance(one, Did)]
        people = {event.subscriber for leaf in exits for event in news if event.name == leaf.key}
        theirs = under_way.filter(version=version, subscriber__in=people, due_at__gt=clock.now())
        told |= set(theirs.select_for_update(no_key=True, of=("self",)).order_by("pk").values_list("pk", flat=True))
    return under_way.filter(pk__in=told).update(due_at=clock.now())
