"""The places of a slice in what the tenant may still send: taken before it leaves; who does not fit is refused."""

from __future__ import annotations

from collections.abc import Mapping

from apps.audience.reach import Reached, reachable_devices
from apps.audience.services.devices import MAX_DEVICES
from apps.billing.errors import QuotaExceeded, SpendCapReached
from apps.billing.meters import ACTIVE_DEVICES, ACTIVE_SUBSCRIBERS, CAMPAIGN_SENDS, PUSH_ACCEPTED
from apps.billing.services import reserve
from apps.billing.services.activity import newcomers
from apps.billing.services.quotas import is_bounded
from apps.messaging.ledger.states import Reason
from apps.messaging.ledger.steps import Claim
from apps.messaging.models import Message
from apps.messaging.sending.slices import Slice
from apps.providers.registry import needs_of


def holder_of(claim: Claim) -> str:
    """A chunk has one slice under way at a time, whoever holds it."""
    return f"chunk:{claim.chunk_id}"


def reserve_slice(message: Message, claim: Claim, made: Slice) -> None:
    """Cuts the slice to the people whose sends, pushes and first contacts of the period fit every limit and the cap."""
    units = _units_of(message, made)
    while made.ready:
        wanted = {meter: sum(each[delivery.subscriber] for delivery in made.ready) for meter, each in units.items()}
        try:
            reserve(
                tenant=message.tenant, holder=holder_of(claim), wanted=wanted, application_id=message.application_id
            )
        except (QuotaExceeded, SpendCapReached) as error:
            made.refuse_people(_beyond(made, units[error.meter], error.room), Reason.SPEND_CAP)
        else:
            return


def _units_of(message: Message, made: Slice) -> dict[str, dict[int, int]]:
    """Meter -> person -> units that reaching them takes at most. Meters that nothing bounds are left out, but sends."""
    people = {delivery.subscriber for delivery in made.ready}
    units = {CAMPAIGN_SENDS: dict.fromkeys(people, 1)}
    if not people:
        return units
    if _is_bounded(message, ACTIVE_SUBSCRIBERS):
        new = newcomers(tenant=message.tenant, meter=ACTIVE_SUBSCRIBERS, subjects=[f"sub:{one}" for one in people])
        units[ACTIVE_SUBSCRIBERS] = {person: int(f"sub:{person}" in new) for person in people}
    made.newcomers_of = set(units) - {CAMPAIGN_SENDS}
    if needs_of(made.route).reaches == "devices":
        units |= _units_of_devices(message, made)
    return units


def _units_of_devices(message: Message, made: Slice) -> dict[str, dict[int, int]]:
    bounded = {meter for meter in (PUSH_ACCEPTED, ACTIVE_DEVICES) if _is_bounded(message, meter)}
    if not bounded:
        return {}
    people = [delivery.subscriber for delivery in made.ready]
    reached = reachable_devices(
        tenant_id=message.tenant_id, application_id=message.application_id, provider=made.route, subscribers=people
    )
    devices = {person: reached.get(person, [])[:MAX_DEVICES] for person in people}
    units = {}
    if PUSH_ACCEPTED in bounded:
        units[PUSH_ACCEPTED] = {person: len(theirs) for person, theirs in devices.items()}
    if ACTIVE_DEVICES in bounded:
        units[ACTIVE_DEVICES] = _new_devices(message, devices)
        made.newcomers_of.add(ACTIVE_DEVICES)
    return units


def _new_devices(message: Message, devices: Mapping[int, list[Reached]]) -> dict[int, int]:
    names = [f"dev:{device.id}" for theirs in devices.values() for device in theirs]
    new = newcomers(tenant=message.tenant, meter=ACTIVE_DEVICES, subjects=names)
    return {person: sum(f"dev:{device.id}" in new for device in theirs) for person, theirs in devices.items()}


def _is_bounded(message: Message, meter: str) -> bool:
    return is_bounded(tenant=message.tenant, meter=meter, application_id=message.application_id)


def _beyond(made: Slice, units: Mapping[int, int], room: int) -> set[int]:
    """Who takes units that are not there, from the front; whoever takes none stays, wherever they stand."""
    refused = set()
    for delivery in made.ready:
        wanted = units[delivery.subscriber]
        if wanted > room:
            refused.add(delivery.subscriber)
        else:
            room -= wanted
    return refused
