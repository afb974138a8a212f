"""What a slice costs: its usage records, in the transaction that records its outcomes."""

from __future__ import annotations

from apps.billing.meters import CAMPAIGN_SENDS, PUSH_ACCEPTED
from apps.billing.records import UsageRecordIn
from apps.billing.services import record_usage
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


def _usage(message: Message, meter: str, key: str, quantity: int, route: str) -> UsageRecordIn:
    dimensions = {"campaign": message.origin, "provider": route}
    return UsageRecordIn(
        meter, key, quantity, clock.now(), message.application_id,
        {name: value for name, value in dimensions.items() if value},
    )  # fmt: skip
