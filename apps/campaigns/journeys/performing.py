"""What each kind of step does with the entries that are in it, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.audience.models import Subscriber
from apps.audience.services.subscribers import upsert_subscribers_in_bulk
from apps.campaigns.journeys.conditions import holding
from apps.campaigns.journeys.definition import Branch, End, Send, Split, Step, Update, Wait, WaitUntil
from apps.campaigns.journeys.models import Journey, JourneyEntry
from apps.campaigns.journeys.outcomes import Move, Outcome, Stay
from apps.campaigns.journeys.sends import send
from apps.campaigns.journeys.waiting import end_of_wait, way_of
from apps.messaging.sending.hours import zone_of

END = "end"


@dataclass(frozen=True, slots=True)
class Person:
    external_id: str
    timezone: str


@dataclass(frozen=True, slots=True)
class Stage:
    """Where steps are done. people: by row number. sends_per_minute: of the journey, whose row is held then."""

    journey: Journey
    people: Mapping[int, Person]
    now: datetime
    sends_per_minute: int | None = None


def perform(step: Step, entries: Sequence[JourneyEntry], stage: Stage) -> Iterator[tuple[int, Outcome]]:
    """What becomes of each entry (row number). Raises BrokerUnavailable where a rule asks who is online."""
    match step:
        case Wait() | WaitUntil():
            yield from _wait(step, entries, stage)
        case Branch():
            held = holding(step.condition, entries, stage.journey.application)
            yield from ((entry.pk, _to(step.then if entry.pk in held else step.otherwise)) for entry in entries)
        case Split():
            yield from ((entry.pk, _to(way_of(step, entry.pk, entry.visits))) for entry in entries)
        case Send():
            yield from send(stage.journey, step, entries, stage.now, stage.sends_per_minute)
        case Update():
            yield from _update(step, entries, stage)
        case End():
            yield from ((entry.pk, Move(None, goal=step.goal)) for entry in entries)


def _to(step_id: str | None) -> Move:
    return Move(step_id, step_id or END)


def _wait(step: Wait | WaitUntil, entries: Sequence[JourneyEntry], stage: Stage) -> Iterator[tuple[int, Outcome]]:
    """Reckoned from the arrival each time: whoever is woken early waits on until the same instant."""
    for entry in entries:
        zone = zone_of(stage.people[entry.subscriber_id].timezone, stage.journey.tenant.timezone)
        until = end_of_wait(step, entry.arrived_at, zone)
        yield entry.pk, Stay(until) if until > stage.now else Move(step.next)


def _update(step: Update, entries: Sequence[JourneyEntry], stage: Stage) -> Iterator[tuple[int, Outcome]]:
    """A refusal, such as too many attributes, is written down and does not stop the way."""
    journey, people = stage.journey, stage.people
    named = sorted({people[entry.subscriber_id].external_id for entry in entries})
    rows = Subscriber.objects.in_application(journey.application).filter(external_id__in=named)
    held = rows.order_by("external_id").select_for_update(no_key=True, of=("self",))
    changes = [_changed(step, external_id, tags) for external_id, tags in held.values_list("external_id", "tags")]
    results = upsert_subscribers_in_bulk(tenant=journey.tenant, application=journey.application, people=changes)
    problems = {result.external_id: result.problem.code for result in results if result.problem is not None}
    for entry in entries:
        yield entry.pk, Move(step.next, problems.get(people[entry.subscriber_id].external_id, "done"))


def _changed(step: Update, external_id: str, tags: Sequence[str]) -> dict[str, object]:
    kept = [tag for tag in tags if tag not in step.remove_tags]
    added = [tag for tag in step.add_tags if tag not in kept]
    return {"external_id": external_id, "attributes": dict(step.attributes), "tags": [*kept, *added]}
