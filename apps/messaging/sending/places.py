"""The places of a slice in what the tenant may still send: taken before it leaves; who does not fit is refused."""

from __future__ import annotations

from itertools import accumulate

from apps.audience.reach import reachable_devices
from apps.audience.services.devices import MAX_DEVICES
from apps.billing.errors import QuotaExceeded, SpendCapReached
from apps.billing.meters import CAMPAIGN_SENDS, PUSH_ACCEPTED
from apps.billing.services import reserve
from apps.billing.services.quotas import is_bounded
from apps.messaging.ledger.steps import Claim
from apps.messaging.models import Message
from apps.messaging.sending.slices import Slice
from apps.providers.registry import needs_of


def holder_of(claim: Claim) -> str:
    """A chunk has one slice under way at a time, whoever holds it."""
    return f"chunk:{claim.chunk_id}"


def reserve_slice(message: Message, claim: Claim, made: Slice) -> None:
    """Cuts the slice to the people whose sends, and pushes to all of their devices, fit every limit and the cap."""
    devices = _devices_of(message, made)
    while made.ready:
        wanted = {CAMPAIGN_SENDS: len(made.ready)}
        if devices:
            wanted[PUSH_ACCEPTED] = sum(devices[: len(made.ready)])
        try:
            reserve(
                tenant=message.tenant, holder=holder_of(claim), wanted=wanted, application_id=message.application_id
            )
        except (QuotaExceeded, SpendCapReached) as error:
            fits = _people_within(devices, error.room) if error.meter == PUSH_ACCEPTED else error.room
            made.refuse_beyond(min(fits, len(made.ready) - 1))
        else:
            return


def _devices_of(message: Message, made: Slice) -> list[int]:
    """Devices of each person; empty when the route reaches people or nothing bounds pushes."""
    if not made.ready or needs_of(made.route).reaches != "devices":
        return []
    if not is_bounded(tenant=message.tenant, meter=PUSH_ACCEPTED, application_id=message.application_id):
        return []
    people = [delivery.subscriber for delivery in made.ready]
    found = reachable_devices(
        tenant_id=message.tenant_id, application_id=message.application_id, provider=made.route, subscribers=people
    )
    return [min(len(found.get(person, ())), MAX_DEVICES) for person in people]


def _people_within(devices: list[int], room: int) -> int:
    """How many people from the front have no more devices than that together."""
    return sum(total <= room for total in accumulate(devices))
