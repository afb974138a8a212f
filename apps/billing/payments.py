"""How money for an invoice comes in by itself: an adapter turns one processor into a few words. Plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class CollectionResult(StrEnum):
    """PAID: the money is there. WAITING: the customer acts, or nobody collects. REFUSED: try again at the next step."""

    PAID = "paid"
    WAITING = "waiting"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Demand:
    """What to collect. invoice_id is the same at every retry: the processor must charge it once.

    payer: by which the processor knows the tenant, empty before the first payment.
    """

    invoice_id: str
    tenant_id: str
    amount: int
    currency: str
    payer: str = ""


@dataclass(frozen=True, slots=True)
class Collection:
    """reference: the processor's own name of the payment, when it was paid."""

    result: CollectionResult
    reference: str = ""


class PaymentAdapter(Protocol):
    """name: what payments by it are booked under. collect talks to a network and must be called outside a scope."""

    name: str

    def collect(self, demand: Demand) -> Collection: ...


class Manual:
    """Nobody is charged: customers transfer the money, and an operator books it."""

    name = "manual"

    def collect(self, demand: Demand) -> Collection:
        return Collection(CollectionResult.WAITING)
