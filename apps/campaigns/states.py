"""The life of a campaign. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    """As stored, as the API says it."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    PAUSED = "paused"
    SENT = "sent"
    CANCELLED = "cancelled"
    FAILED = "failed"


EDITABLE = frozenset({Status.DRAFT})
#: Those that may wait for a start; see `may_change`.
CHANGEABLE = frozenset({Status.DRAFT, Status.SCHEDULED, Status.SENDING, Status.PAUSED})
STOPPABLE = frozenset({Status.SCHEDULED, Status.SENDING, Status.PAUSED})
STARTED = frozenset({Status.SENDING, Status.PAUSED, Status.SENT})


def may_change(status: str, next_at: datetime | None) -> bool:
    """Whether the plan may: of a draft, and of what has another start to come."""
    return status in EDITABLE or (status in CHANGEABLE and next_at is not None)
