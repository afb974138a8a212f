"""The life of a campaign. Pure."""

from __future__ import annotations

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
STOPPABLE = frozenset({Status.SCHEDULED, Status.SENDING, Status.PAUSED})
STARTED = frozenset({Status.SENDING, Status.PAUSED, Status.SENT})
