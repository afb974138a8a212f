"""What a slice costs: its usage records, in the transaction that records its outcomes."""

from __future__ import annotations

from apps.billing.meters import ACTIVE_DEVICES, ACTIVE_SUBSCRIBERS, CAMPAIGN_SENDS, PUSH_ACCEPTED
from apps.billing.records import UsageRecordIn
from apps.billing.services import record_usage
from apps.billing.services.activity import count_active
from apps.core import clock
from apps.messaging.ledger.states import DeliveryState
from apps.messaging.models import Message
from apps.messaging.sending.routes import Called
from apps.messaging.sending.slices import Slice, Verdict
from apps.providers.base import Result


def charge(message: Message, made: Slice, verdict: Verdict, called: Called) -> None:
    """Usage records of a slice, all of one route, named by a delivery of it.

    Sends by the first accepted one: a delivery is accepted once in its life, and `reconciling.py` reads the message
    out of the name. Pushes by the attempt on the first one: each attempt is recorded once, under the chunk's fence.
    """
    accepted = [id for (state, _), ids in verdict.final.items() if state is DeliveryState.ACCEPTED for id in ids]
    records = []
    if accepted:
        key = f"deliveries:{message.pk}:{min(accepted)}"
        records.append(_usage(message, CAMPAIGN_SENDS, key, len(accepted), made.route))
    pushes = sum(answer.outcome.result is Result.ACCEPTED for answer in called.answers)
    if pushes:
        first = min(made.ready)
        key = f"pushes:{message.pk}:{first.id}:{first.attempts}"
        records.append(_usage(message, PUSH_ACCEPTED, key, pushes, made.route))
    if records:
        record_usage(records, tenant=message.tenant)
    _count_newcomers(message, made, set(accepted), called)


def _count_newcomers(message: Message, made: Slice, accepted: set[int], called: Called) -> None:
    """Counts who was reached for the first time in the period, where that is limited.

    Here, where the slice's reservation ends, so that nobody else has the same places in between. Where nothing limits
    it, `ledger/activity.py` counts them when the chunk is done.
    """
    subjects = {
        ACTIVE_SUBSCRIBERS: [f"sub:{delivery.subscriber}" for delivery in made.ready if delivery.id in accepted],
        ACTIVE_DEVICES: [
            f"dev:{answer.device_id}" for answer in called.answers if answer.outcome.result is Result.ACCEPTED
        ],
    }
    for meter in sorted(made.newcomers_of, reverse=True):
        seen = dict.fromkeys(subjects[meter], clock.now())
        count_active(tenant=message.tenant, meter=meter, seen=seen, application_id=message.application_id)


def _usage(message: Message, meter: str, key: str, quantity: int, route: str) -> UsageRecordIn:
    dimensions = {"campaign": message.origin, "provider": route}
    return UsageRecordIn(
        meter, key, quantity, clock.now(), message.application_id,
        {name: value for name, value in dimensions.items() if value},
    )  # fmt: skip
