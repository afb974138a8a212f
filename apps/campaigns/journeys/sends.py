"""The send of a journey: asked of the planner, written into the ledger.

What quiet hours or a cap hold back is not written yet: the person stays in the step and is decided anew when the time
has come, so that an exit in between still stops it. The message, its rows and the step left behind are one
transaction: a crash neither loses nor repeats a send.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction

from apps.audience.models import Subscriber
from apps.campaigns.deciding import Decider, people_in
from apps.campaigns.journeys.definition import Send
from apps.campaigns.journeys.models import Journey, JourneyEntry
from apps.campaigns.journeys.outcomes import Move, Outcome, Stay
from apps.campaigns.journeys.places import is_this_minute, take_places
from apps.campaigns.planner import Decision, Due, Rules, Suppressed
from apps.campaigns.planner.caps import FrequencyCap
from apps.campaigns.reading import IGNORE
from apps.campaigns.services.rules import default_fuse, default_quiet_hours
from apps.campaigns.writing import write_decisions
from apps.messaging.bell import SEND, ring
from apps.messaging.ledger.states import UnknownPolicy
from apps.messaging.models import Message
from apps.messaging.sending.frequency import hold_frequency
from apps.messaging.sending.hours import QuietHours
from apps.messaging.services import open_message

SENT = "sent"


def send(
    journey: Journey, step: Send, entries: Sequence[JourneyEntry], now: datetime, per_minute: int | None
) -> Iterator[tuple[int, Outcome]]:
    """What becomes of each entry, by its row number. Who is in the journey twice gets two messages. per_minute: of the
    whole journey, whose row the caller holds then."""
    for group in _each_person_once(entries):
        yield from _send(journey, step, group, now, per_minute)


def _each_person_once(entries: Sequence[JourneyEntry]) -> Iterator[list[JourneyEntry]]:
    rest = list(entries)
    while rest:
        group = {entry.subscriber_id: entry for entry in reversed(rest)}
        yield list(group.values())
        rest = [entry for entry in rest if group[entry.subscriber_id] is not entry]


def _send(
    journey: Journey, step: Send, group: Sequence[JourneyEntry], now: datetime, per_minute: int | None
) -> Iterator[tuple[int, Outcome]]:
    decided: dict[Decision, list[int]] = defaultdict(list)
    entry_of = {entry.subscriber_id: entry.pk for entry in group}
    decisions = decide(journey, step, group, now)
    waiting = _throttled(journey, decisions, group, now, per_minute) if per_minute else {}
    yield from ((entry_of[person], Stay(place, place)) for person, place in waiting.items())
    for decision, people in decisions.items():
        if isinstance(decision, Due) and decision.due_at > now:
            yield from ((entry_of[person], Stay(decision.due_at)) for person in people)
        elif leaving := [person for person in people if person not in waiting]:
            decided[decision] += leaving
    if decided:
        message = _write(journey, step, decided, now)
        for decision, people in decided.items():
            result = decision.reason.value if isinstance(decision, Suppressed) else SENT
            yield from ((entry_of[person], Move(step.next, result, message_id=message.pk)) for person in people)


def _throttled(
    journey: Journey, decisions: Mapping[Decision, list[int]], group: Sequence[JourneyEntry], now: datetime,
    per_minute: int,
) -> dict[int, datetime]:  # fmt: skip
    """People who would get it now and have no place in this minute -> when they have one."""
    due = {
        person for decision, people in decisions.items()
        if isinstance(decision, Due) and decision.due_at <= now for person in people
    }  # fmt: skip
    asking = [e.subscriber_id for e in group if e.subscriber_id in due and not is_this_minute(e.place_at, now)]
    places, taken = take_places(len(asking), limit=per_minute, taken=journey.send_slots, now=now)
    journey.changed(send_slots=taken)
    return {person: place for person, place in zip(asking, places, strict=True) if place > now}


def decide(journey: Journey, step: Send, group: Sequence[JourneyEntry], now: datetime) -> Mapping[Decision, list[int]]:
    """The planner's word on each person (row number). The time to live counts from the arrival at the step."""
    together: dict[datetime, list[int]] = defaultdict(list)
    for entry in group:
        together[min(entry.arrived_at, now)].append(entry.subscriber_id)
    decisions: dict[Decision, list[int]] = defaultdict(list)
    for arrived_at, numbers in sorted(together.items()):
        rules = rules_of(journey, step, arrived_at)
        if rules.cap is not None:
            hold_frequency(journey.application)
        people = people_in(Subscriber.objects.in_application(journey.application).filter(pk__in=numbers), rules)
        decider = Decider(journey.application, rules, now=now)
        for decision, found in decider.decide(list(people.order_by("pk"))).items():
            decisions[decision] += found
    return decisions


def rules_of(journey: Journey, step: Send, base: datetime) -> Rules:
    quiet = default_quiet_hours(journey.application) if step.quiet_hours is None else step.quiet_hours
    assert step.content is not None, "a published definition has its templates' words"
    return Rules(
        base=base,
        languages=tuple(step.content),
        default_language=journey.tenant.language,
        fallback_timezone=journey.tenant.timezone,
        ttl=timedelta(seconds=step.ttl) if step.ttl else None,
        quiet=QuietHours.from_json(quiet) if quiet and quiet["action"] != IGNORE else None,
        cap=FrequencyCap.from_json(step.frequency_cap) if step.frequency_cap else None,
        category=step.category,
    )


def _write(journey: Journey, step: Send, decisions: Mapping[Decision, list[int]], now: datetime) -> Message:
    rules = rules_of(journey, step, now)
    assert step.content is not None
    message = open_message(
        tenant=journey.tenant,
        application=journey.application,
        content=step.content,
        routes=step.routes,
        unknown_policy=UnknownPolicy.AT_MOST_ONCE,
        origin=journey.public_id,
        name=(step.name or journey.name)[:120],
        category=step.category,
        quiet_hours=rules.quiet.to_json() if rules.quiet else None,
        fallback_timezone=rules.fallback_timezone,
        follow_up=dict(step.follow_up),
        fuse=replace(default_fuse(journey.application), together=True).to_json(),
        fuse_since=journey.fuse_since,
    )
    people = [person for numbers in decisions.values() for person in numbers]
    languages = dict(Subscriber.objects.of(journey.tenant_id).filter(pk__in=people).values_list("pk", "language"))
    write_decisions(message, decisions, languages, number=0, due_at=now)
    transaction.on_commit(partial(ring, SEND))
    return message.changed(is_planned=True)
