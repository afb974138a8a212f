"""The contract between the sending pipeline and every network: what goes in, which words come out.

The pipeline decides by `result` and `scope` alone and never learns what an HTTP status is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


class Result(StrEnum):
    """ACCEPTED: the network took it (not: shown). UNREGISTERED: the address is gone for good. REJECTED: refused; whose
    fault says the scope. THROTTLED: too fast. UNAVAILABLE: surely not processed. UNKNOWN: bytes may have left.
    """

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNREGISTERED = "unregistered"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"


class Scope(StrEnum):
    """Whose fault or limit an outcome is; NONE for ACCEPTED."""

    NONE = ""
    DEVICE = "device"
    MESSAGE = "message"
    CREDENTIAL = "credential"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Notification:
    """What one recipient sees, rendered. data: extra members for the app; values are JSON."""

    title: str
    body: str
    image_url: str = ""
    url: str = ""
    data: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Push:
    """One notification for one recipient.

    id: the same on every attempt, so that whoever can tell a repeat by it does. recipient: the subscriber's external id
    or, for networks that have them, a device token. message_id, campaign_id: public ids; campaign_id may be empty.
    """

    id: str
    recipient: str
    notification: Notification
    message_id: str
    campaign_id: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one push. reason: the network's own code, verbatim. retry_after: seconds it asked for."""

    push_id: str
    result: Result
    scope: Scope = Scope.NONE
    reason: str = ""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """On whose behalf a provider sends: the application and the region its engines are in."""

    region: str
    tenant_id: int
    application_id: str


class Provider(Protocol):
    """A network. Made once per slice of work for one Sender."""

    def send(self, pushes: Sequence[Push]) -> list[Outcome]:
        """One Outcome per Push, in order. Blocks for less than a sending lease, retries nothing on its own.

        Anything it raises is taken as UNKNOWN for every push of the call: an adapter that knows better says so.
        """
