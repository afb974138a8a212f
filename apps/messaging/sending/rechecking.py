"""Planned is not sent: what may have changed since is looked at again, slice by slice, before anything leaves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from apps.audience.queries import refusals
from apps.core import clock
from apps.messaging.ledger.states import Reason
from apps.messaging.models import Message
from apps.messaging.sending.hours import QuietAction, QuietHours, zone_of
from apps.messaging.sending.recipients import Recipient
from apps.messaging.sending.slices import Planned

_MINUTE = timedelta(minutes=1)


@dataclass(slots=True)
class Checked:
    """ready: those that may still be sent. refused: by reason. held: until when."""

    ready: list[Planned] = field(default_factory=list)
    refused: dict[Reason, list[int]] = field(default_factory=lambda: defaultdict(list))
    held: dict[datetime, list[int]] = field(default_factory=lambda: defaultdict(list))


def recheck(message: Message, planned: Sequence[Planned], people: Mapping[int, Recipient]) -> Checked:
    """Consent, always: somebody may have said no a second ago. Quiet hours: a worker, or a pause, may be late."""
    checked, now = Checked(), clock.now()
    refusing = refusals(tenant_id=message.tenant_id, people=people, category=message.category)
    quiet = QuietHours.from_json(message.quiet_hours) if message.quiet_hours else None
    for delivery in planned:
        person = people.get(delivery.subscriber)
        if delivery.subscriber in refusing:
            reason = Reason.OPTED_OUT if refusing[delivery.subscriber] else Reason.PREFERENCE_OFF
            checked.refused[reason].append(delivery.id)
            continue
        if quiet is not None and person is not None:
            free = quiet.free_at(now, zone_of(person.timezone, message.fallback_timezone))
            if free != now and quiet.action is QuietAction.DROP:
                checked.refused[Reason.QUIET_HOURS].append(delivery.id)
                continue
            if free != now:
                checked.held[free].append(delivery.id)
                continue
        checked.ready.append(delivery)
    return checked


def take_places(message: Message, wanted: int) -> tuple[int, datetime]:
    """Of a throttled message's minute: how many of `wanted` attempts may begin in it, and when the next one starts.

    Holds the message's row until the commit, so that workers share a minute exactly.
    """
    now = clock.now()
    minute = now.replace(second=0, microsecond=0)
    row = Message.objects.of(message.tenant_id).select_for_update(no_key=True).get(pk=message.pk)
    taken = row.taken if row.throttled_at == minute else 0
    granted = wanted if row.throttle is None else max(0, min(wanted, row.throttle - taken))
    row.changed(throttled_at=minute, taken=taken + granted)
    return granted, minute + _MINUTE
