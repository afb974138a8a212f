"""The pushes of a slice, one for each device of its people."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from apps.audience.preferences import path_for
from apps.audience.reach import Reached, reachable_devices
from apps.audience.services.devices import MAX_DEVICES
from apps.core import clock
from apps.messaging.models import Message
from apps.messaging.sending.slices import Slice
from apps.providers.base import Endpoint, Needs, Push


@dataclass(frozen=True, slots=True)
class Target:
    """position: of the slice's push that this is a copy of."""

    position: int
    device_id: int
    push: Push


def targets_of(message: Message, made: Slice, needs: Needs) -> list[Target]:
    """Inside the tenant's scope."""
    devices = reachable_devices(
        tenant_id=message.tenant_id, application_id=message.application_id, provider=made.route,
        subscribers=[delivery.subscriber for delivery in made.ready],
    )  # fmt: skip
    ttl = _seconds_left(made.expires_at)
    return [
        Target(at, device.id, _push_for(message, push, device, ttl, needs))
        for at, (delivery, push) in enumerate(zip(made.ready, made.pushes, strict=True))
        for device in devices.get(delivery.subscriber, ())[:MAX_DEVICES]
        if push.notification.suits(device.address_kind)
    ]


def _push_for(message: Message, push: Push, device: Reached, ttl: int | None, needs: Needs) -> Push:
    """Written out: `replace` takes three times as long, and this runs once per push."""
    return Push(
        id=_id_for(push, device),
        recipient=push.recipient,
        notification=push.notification,
        message_id=push.message_id,
        campaign_id=push.campaign_id,
        sent_at=push.sent_at,
        endpoint=Endpoint(*device[2:]),
        ttl=ttl,
        urgent=push.urgent,
        collapse_key=push.collapse_key,
        language=push.language,
        unsubscribe_url=_unsubscribe_url(message.tenant_id, device.subscriber_id) if needs.unsubscribes else "",
        receipt=push.receipt,
    )


def _unsubscribe_url(tenant_id: int, subscriber: int) -> str:
    """Empty when the installation does not know its own address."""
    return f"{settings.PUBLIC_URL}{path_for(tenant_id, subscriber)}" if settings.PUBLIC_URL else ""


def _id_for(push: Push, device: Reached) -> str:
    """Per device, the same on every attempt: networks and phones tell a repeat by it."""
    name = f"{push.id}:{device.id}".encode()
    return hashlib.blake2b(name, digest_size=16, key=settings.ID_KEY).hexdigest()


def _seconds_left(expires_at: datetime | None) -> int | None:
    return None if expires_at is None else max(0, int((expires_at - clock.now()).total_seconds()))
