"""How money for an invoice comes in by itself: an adapter turns one processor into a few words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from apps.billing.errors import BadNotice


class CollectionResult(StrEnum):
    """PAID: the money is there. WAITING: the customer acts, or nobody collects. REFUSED: try again at the next step."""

    PAID = "paid"
    WAITING = "waiting"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Demand:
    """What to collect. invoice_id is the same at every retry: the processor must charge it once.

    payer: by which the processor knows the tenant, empty before the first payment. label: the invoice's number.
    """

    invoice_id: str
    tenant_id: str
    amount: int
    currency: str
    payer: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Collection:
    """reference: the processor's own name of the payment, when it was paid."""

    result: CollectionResult
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something happened at the processor. identity: its own of the notice. reference: its own of what it is about."""

    identity: str
    kind: str
    reference: str


@dataclass(frozen=True, slots=True)
class Received:
    """Money that is there. amount: minor units. reference: the processor's of the payment. payer: as in Demand."""

    invoice_id: str
    tenant_id: str
    amount: int
    currency: str
    reference: str
    payer: str = ""


@dataclass(frozen=True, slots=True)
class Refunded:
    """Money of a payment that went back. amount: minor units. reference: the processor's of the refund."""

    payment: Received
    amount: int
    reference: str


class PayoutState(StrEnum):
    """DONE: the money is gone. UNDER_WAY: ask again. FAILED: the processor refused. BY_HAND: it does not do this."""

    DONE = "done"
    UNDER_WAY = "under_way"
    FAILED = "failed"
    BY_HAND = "by_hand"


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """What goes back. refund_id, tries: together the same at every repeat, which must pay once. payment: the
    processor's reference of what was paid. amount: minor units."""

    refund_id: str
    tries: int
    payment: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Payout:
    """How an order stands. reference: the processor's own of the refund. problem: for an operator."""

    state: PayoutState
    reference: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RefundNews:
    """Something happened to a refund that was ordered here."""

    refund_id: str
    tenant_id: str


class PaymentAdapter(Protocol):
    """name: what payments by it are booked under. pays_online: it has a page where customers pay.

    All but read_notice talk to a network and must be called outside a scope. checkout: the address of the page, None
    when there is none for this demand. read_notice: checks who sent it, raises BadNotice. look_up: what it is about
    says now, None when it is none of ours. refund: pays back once however often it is asked, and says how that stands;
    raises ProcessorUnavailable.
    """

    name: str
    pays_online: bool

    def collect(self, demand: Demand) -> Collection: ...

    def checkout(self, demand: Demand, return_url: str) -> str | None: ...

    def read_notice(self, body: bytes, headers: Mapping[str, str]) -> Notice: ...

    def look_up(self, notice: Notice) -> Received | Refunded | RefundNews | None: ...

    def refund(self, order: RefundOrder) -> Payout: ...


class Manual:
    """Nobody is charged: customers transfer the money, and an operator books it."""

    name = "manual"
    pays_online = False

    def collect(self, demand: Demand) -> Collection:
        return Collection(CollectionResult.WAITING)

    def checkout(self, demand: Demand, return_url: str) -> str | None:
        return None

    def read_notice(self, body: bytes, headers: Mapping[str, str]) -> Notice:
        raise BadNotice

    def look_up(self, notice: Notice) -> Received | Refunded | RefundNews | None:
        return None

    def refund(self, order: RefundOrder) -> Payout:
        return Payout(PayoutState.BY_HAND)


def payment_adapter() -> PaymentAdapter:
    """The one that `settings.PAYMENT_ADAPTER` names."""
    adapter: PaymentAdapter = import_string(settings.PAYMENT_ADAPTER)()
    return adapter
