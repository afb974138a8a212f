"""The verbs of journeys. All expect the tenant's scope to be open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.accounts.models import User
from apps.audience.models import Subscriber
from apps.audience.services.watching import watch_events
from apps.campaigns.errors import JourneyEntryRefused, JourneyInvalid, JourneyWrongState, ResumeUnconfirmed
from apps.campaigns.journeys.admission import Candidate, admit, hold_journey
from apps.campaigns.journeys.definition import Did
from apps.campaigns.journeys.freezing import frozen
from apps.campaigns.journeys.models import Journey, JourneyEntry, JourneyStatus, JourneyVersion
from apps.campaigns.journeys.published import definition_of
from apps.campaigns.journeys.reading import read_definition
from apps.campaigns.services.approving import require_approved
from apps.core import clock
from apps.core.errors import NotFound
from apps.core.text import require_name
from apps.messaging.ledger.states import MessageState
from apps.messaging.models import Message
from apps.messaging.services import pause_message, resume_message
from apps.tenants.models import Application, Tenant
from apps.tenants.services import require_not_restricted, require_not_suspended

#: Of one application, archived ones too.
MAX_JOURNEYS = 1_000

_ALIVE = frozenset({JourneyStatus.DRAFT, JourneyStatus.ACTIVE, JourneyStatus.PAUSED})


def create_journey(
    *,
    tenant: Tenant,
    application: Application,
    name: str,
    definition: Mapping[str, Any],
    created_by: User | None = None,
) -> Journey:
    """A draft. Raises JourneyInvalid, InvalidInput."""
    assert application.tenant_id == tenant.pk
    if Journey.objects.of(tenant).filter(application=application).count() >= MAX_JOURNEYS:
        raise JourneyInvalid("", JourneyInvalid.default_message, limit=MAX_JOURNEYS)
    read_definition(definition)
    return Journey.objects.create(
        tenant=tenant,
        application=application,
        name=require_name(name),
        definition=dict(definition),
        created_by=created_by,
    )


def update_journey(
    *, tenant: Tenant, journey: Journey, name: str | None = None, definition: Mapping[str, Any] | None = None
) -> Journey:
    """Changes what is given of the draft; who is on the way notices nothing. Raises JourneyInvalid, InvalidInput,
    JourneyWrongState."""
    journey = _held(journey, _ALIVE)
    if definition is not None:
        read_definition(definition)
        journey.definition = dict(definition)
    if name is not None:
        journey.name = require_name(name)
    return journey.changed(name=journey.name, definition=journey.definition)


def delete_journey(*, tenant: Tenant, journey: Journey) -> None:
    """Only one that was never published. Raises JourneyWrongState."""
    _held(journey, frozenset({JourneyStatus.DRAFT})).delete()


def publish_journey(*, tenant: Tenant, journey: Journey, published_by: User | None = None) -> Journey:
    """The draft becomes the next version: who comes in from now on walks it, who is on the way keeps the version they
    came in with. A paused journey stays paused. Raises JourneyInvalid, JourneyWrongState, TenantRestricted,
    TenantSuspended; ApprovalMissing where a second person must have approved the draft."""
    require_not_restricted(tenant)
    journey = _held(journey, _ALIVE)
    require_approved(journey)
    definition = frozen(journey.application, journey.definition)
    number = journey.version + 1
    JourneyVersion.objects.create(
        tenant=tenant, journey=journey, number=number, definition=definition, published_by=published_by
    )
    status = JourneyStatus.ACTIVE if journey.status == JourneyStatus.DRAFT else journey.status
    return _watching(journey.changed(version=number, status=status))


def pause_journey(*, tenant: Tenant, journey: Journey) -> Journey:
    """Nobody comes in, nobody moves, what is being sent stands still; the waits run on. Raises JourneyWrongState."""
    journey = _held(journey, frozenset({JourneyStatus.ACTIVE}))
    for message in _messages_under_way(journey):
        pause_message(tenant=tenant, message=message)
    return _watching(journey.changed(status=JourneyStatus.PAUSED))


def resume_journey(*, tenant: Tenant, journey: Journey, confirm: bool = False) -> Journey:
    """Whose wait is over by now goes on at once. What happened during the pause brings nobody in. confirm: somebody has
    seen why it was paused by itself. Raises JourneyWrongState, ResumeUnconfirmed, TenantSuspended."""
    require_not_suspended(tenant)
    journey = _held(journey, frozenset({JourneyStatus.PAUSED}))
    if journey.paused_for and not confirm:
        raise ResumeUnconfirmed(journey.paused_for)
    for message in _messages_under_way(journey):
        resume_message(tenant=tenant, message=message)
    Message.objects.of(tenant).filter(origin=journey.public_id).exclude(paused_for="").update(paused_for="")
    return _watching(journey.changed(status=JourneyStatus.ACTIVE, paused_for="", fuse_since=clock.now()))


def _messages_under_way(journey: Journey) -> list[Message]:
    sends = Message.objects.of(journey.tenant_id).filter(origin=journey.public_id, ended_at=None)
    return list(sends.exclude(state=MessageState.CANCELLED).order_by("pk"))


def archive_journey(*, tenant: Tenant, journey: Journey) -> Journey:
    """For good: who is on the way leaves, batch by batch. Raises JourneyWrongState."""
    alive = frozenset({JourneyStatus.ACTIVE, JourneyStatus.PAUSED})
    return _watching(_held(journey, alive).changed(status=JourneyStatus.ARCHIVED))


def add_person(*, tenant: Tenant, journey: Journey, person: Subscriber) -> JourneyEntry:
    """By hand, without an event; the re-entry rule holds. Raises JourneyWrongState, JourneyEntryRefused."""
    journey = _held(journey, frozenset({JourneyStatus.ACTIVE}))
    now = clock.now()
    if not admit(journey, definition_of(journey, journey.version), [Candidate(person.pk, now)]):
        raise JourneyEntryRefused
    entries = JourneyEntry.objects.of(tenant).filter(journey=journey, subscriber=person)
    return entries.select_related("subscriber").latest("pk")


def _held(journey: Journey, allowed: frozenset[JourneyStatus]) -> Journey:
    now = hold_journey(journey.tenant_id, journey.pk)
    if now is None:
        raise NotFound
    if now.status not in allowed:
        raise JourneyWrongState(now.status)
    return now


def _watching(journey: Journey) -> Journey:
    """Watches what an active journey must be told of: the trigger of its newest version, the exits of all of them."""
    names = set[str]()
    if journey.status == JourneyStatus.ACTIVE:
        for number in JourneyVersion.objects.of(journey.tenant_id).filter(journey=journey).values_list("number"):
            exits = definition_of(journey, number[0]).exits
            names |= {one.event.key for one in exits if isinstance(one, Did)}
        trigger = definition_of(journey, journey.version).trigger
        names |= {trigger.key} if trigger else set()
    watch_events(application=journey.application, owner=journey.public_id, names=names)
    return journey
