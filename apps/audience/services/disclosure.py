"""Everything the audience holds about one person, for the person who asks (GDPR article 15, PIPL article 45)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from apps.audience.models import BehaviourEvent, Device, OptOut, Subscriber
from apps.audience.queries import timeline_of
from apps.core import clock
from apps.tenants.models import Tenant
from apps.tenants.services import record_audit

#: Events in one answer. The rest follows the cursor, as in a timeline.
MAX_EVENTS = 10_000


@dataclass(frozen=True, slots=True)
class Disclosure:
    """subscriber, devices, opt_outs, events: plain values. events_next: a cursor, when there are older events."""

    disclosed_at: datetime
    subscriber: dict[str, Any]
    devices: list[dict[str, Any]]
    opt_outs: list[dict[str, Any]]
    events: list[dict[str, Any]]
    events_next: str | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def disclose_subscriber(*, tenant: Tenant, person: Subscriber, actor: str) -> Disclosure:
    """Reads it all, and notes in the audit log that it was given out: by the opaque id and nothing else."""
    assert person.tenant_id == tenant.pk
    events, older = timeline_of(person=person, limit=MAX_EVENTS)
    devices = Device.objects.of(tenant).filter(subscriber=person).order_by("pk")
    refusals = OptOut.objects.of(tenant).filter(subscriber=person).select_related("category").order_by("pk")
    record_audit(tenant=tenant, actor=actor, action="subscriber.disclosed", target=person.public_id)
    return Disclosure(
        disclosed_at=clock.now(),
        subscriber=_subscriber(person),
        devices=[_device(device) for device in devices],
        opt_outs=[_opt_out(refusal) for refusal in refusals],
        events=[_event(event) for event in events],
        events_next=older.encode() if older else None,
    )


def _subscriber(person: Subscriber) -> dict[str, Any]:
    named = ("external_id", "attributes", "tags", "language", "timezone", "created_at", "updated_at")
    aliases = {alias.label: alias.value for alias in person.aliases.order_by("label")}
    return {"id": person.public_id, **{name: getattr(person, name) for name in named}, "aliases": aliases}


def _device(device: Device) -> dict[str, Any]:
    """Without the subscription's keys, which say nothing about the person and open the way to the device."""
    named = (
        "platform", "provider", "address", "address_kind", "installation_id", "environment", "created_at",
        "registered_at", "last_accepted_at", "retired_at", "retired_reason",
    )  # fmt: skip
    return {"id": device.public_id, **{name: getattr(device, name) for name in named}}


def _opt_out(refusal: OptOut) -> dict[str, Any]:
    """category: None for everything."""
    key = refusal.category.key if refusal.category else None
    return {"category": key, "source": refusal.source, "created_at": refusal.created_at}


def _event(event: BehaviourEvent) -> dict[str, Any]:
    named = ("name", "occurred_at", "properties", "received_at")
    return {"id": event.event_id, **{name: getattr(event, name) for name in named}}
