"""What became of one person in one run, moment by moment: planned and why then, each route tried, what they did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from apps.audience.models import Subscriber
from apps.campaigns.models import CampaignRun
from apps.campaigns.planner.moments import Hold, Start, explained
from apps.campaigns.planner.rules import Rules
from apps.messaging.ledger.states import DeliveryState
from apps.messaging.models import Delivery, Receipt
from apps.messaging.receipts.meaning import Kind
from apps.messaging.sending.hours import zone_of


class What(StrEnum):
    """A final state of the ledger, a receipt's kind, or one of the two steps before."""

    PLANNED = "planned"
    ATTEMPTED = "attempted"
    SUPPRESSED = "suppressed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNREGISTERED = "unregistered"
    UNKNOWN = "unknown"
    RECEIVED = "received"
    OPENED = "opened"
    CLICKED = "clicked"
    DISMISSED = "dismissed"
    CONVERTED = "converted"


#: Receipts of one instant, where one implies the others, in this order.
_ORDER = {kind.value: place for place, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Moment:
    """reason: why suppressed, or the network's own answer. due_at, start, holds: of PLANNED: for when, what that goes
    by, and what moved it later. attempt: of ATTEMPTED, how often it was tried by then. amount: of CONVERTED, in
    currency."""

    at: datetime
    what: What
    route: str
    reason: str = ""
    due_at: datetime | None = None
    start: Start | None = None
    holds: tuple[Hold, ...] = ()
    attempt: int = 0
    amount: Decimal | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """In the order in which it happened; empty: the run does not know the person. timezone: the person's, or what
    stood in for it. variant: of an experiment, else empty."""

    moments: Sequence[Moment]
    timezone: str
    variant: str


def timeline_of(run: CampaignRun, person: Subscriber) -> Timeline:
    """A handful of rows by their keys, however large the run."""
    rules = Rules.from_json(run.rules)
    rows = list(
        Delivery.objects.of(run.tenant_id)
        .filter(message=run.message_id, subscriber=person)
        .select_related("chunk")
        .order_by("pk")
    )
    moments = [moment for row in rows for moment in _of_delivery(row, _planned(run, rules, person, row, rows))]
    route_of = {row.pk: row.route for row in rows}
    receipts = Receipt.objects.of(run.tenant_id).filter(delivery__in=rows)
    for receipt in sorted(receipts, key=lambda one: _ORDER[one.kind]):
        moments.append(_of_receipt(receipt, route_of[receipt.delivery_id]))
    zone = zone_of(person.timezone, rules.fallback_timezone)
    return Timeline(sorted(moments, key=lambda moment: moment.at), zone.key, rows[0].chunk.variant if rows else "")


def _planned(run: CampaignRun, rules: Rules, person: Subscriber, row: Delivery, rows: Sequence[Delivery]) -> Moment:
    """The first route goes by the plan; a later one by what became of the one before."""
    due_at = row.chunk.due_at
    before = [earlier for earlier in rows if earlier.pk < row.pk and earlier.recorded_at is not None]
    if before and before[-1].recorded_at is not None:
        start = Start.NO_RECEIPT if before[-1].state == DeliveryState.ACCEPTED else Start.NEXT_ROUTE
        return Moment(before[-1].recorded_at, What.PLANNED, row.route, due_at=due_at, start=start)
    at = min(run.planned_at or run.created_at, row.attempted_at or due_at)
    if row.state == DeliveryState.SUPPRESSED and row.recorded_at is None:
        return Moment(at, What.PLANNED, row.route)
    is_winners = row.chunk.variant == run.winner and run.decided_at is not None and due_at >= run.decided_at
    start, holds = explained(
        rules, timezone=person.timezone, due_at=due_at, began_at=run.created_at, waited_for_winner=is_winners
    )
    return Moment(at, What.PLANNED, row.route, due_at=due_at, start=start, holds=holds)


def _of_delivery(row: Delivery, planned: Moment) -> Iterator[Moment]:
    """Who was left out when the run was planned has no moment to be planned for."""
    if planned.due_at is not None:
        yield planned
    if row.attempted_at is not None:
        yield Moment(row.attempted_at, What.ATTEMPTED, row.route, attempt=row.attempts)
    if row.state not in (DeliveryState.PLANNED, DeliveryState.ATTEMPTED):
        yield Moment(row.recorded_at or planned.at, What(row.state), row.route, reason=row.reason)


def _of_receipt(receipt: Receipt, route: str) -> Moment:
    return Moment(
        receipt.at, What(Kind(receipt.kind).value), route, amount=receipt.amount, currency=receipt.currency
    )  # fmt: skip
