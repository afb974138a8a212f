"""The words of the ledger, as they are stored and as the API says them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum


class MessageState(StrEnum):
    """What the tenant wants of a message. Whether anything is left to do is `ended_at`."""

    OPEN = "open"
    PAUSED = "paused"
    CANCELLED = "cancelled"


class PausedFor(StrEnum):
    """Why something stands still that nobody paused."""

    ERROR_RATE = "error_rate"
    TOKENS_GONE = "tokens_gone"
    NOT_APPROVED = "not_approved"


class DeliveryState(StrEnum):
    """PLANNED -> ATTEMPTED -> one of the rest. SUPPRESSED: ended before anything was sent; the reason says why.

    ATTEMPTED goes back to PLANNED only by a recorded "surely not processed", or after a crash under AT_LEAST_ONCE.
    """

    PLANNED = "planned"
    ATTEMPTED = "attempted"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNREGISTERED = "unregistered"
    UNKNOWN = "unknown"
    SUPPRESSED = "suppressed"


OPEN_STATES = (DeliveryState.PLANNED, DeliveryState.ATTEMPTED)


class Reason(StrEnum):
    """Why a delivery was suppressed. A rejected one carries the network's own code instead."""

    NOT_IN_AUDIENCE = "not_in_audience"
    OPTED_OUT = "opted_out"
    PREFERENCE_OFF = "preference_off"
    LOCAL_TIME_PASSED = "local_time_passed"
    QUIET_HOURS = "quiet_hours"
    FREQUENCY_CAP = "frequency_cap"
    PROVIDER_QUOTA = "provider_quota"
    TEMPLATE_ERROR = "template_error"
    EXPIRED = "expired"
    CANCELED = "canceled"
    SPEND_CAP = "spend_cap"
    ANSWERED = "answered"
    HOLDOUT = "holdout"


#: Instead of a variant's key. Of people who get nothing, to compare with; of those who get the variant that wins.
HELD_OUT = Reason.HOLDOUT.value
UNDECIDED = "?"


class UnknownPolicy(StrEnum):
    """What to do when a crash leaves it open whether bytes left: leave it, or send again with the same id."""

    AT_MOST_ONCE = "at_most_once"
    AT_LEAST_ONCE = "at_least_once"


@dataclass(frozen=True, slots=True)
class Counts:
    """Of ledger rows: one per recipient and route tried.

    At the end planned = suppressed + attempted and attempted = accepted + failed + unknown.
    received to converted come from receipts. revenue: currency -> what conversions are worth.
    """

    planned: int = 0
    suppressed: int = 0
    attempted: int = 0
    accepted: int = 0
    failed: int = 0
    unknown: int = 0
    received: int = 0
    opened: int = 0
    clicked: int = 0
    dismissed: int = 0
    converted: int = 0
    revenue: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def settled(self) -> int:
        return self.suppressed + self.accepted + self.failed + self.unknown
