"""The contract between the sending pipeline and every network: what goes in, which words come out.

The pipeline decides by `result` and `scope` alone and never learns what an HTTP status is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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


#: Kinds of Apple's tokens that serve one push type alone. The ordinary token serves alerts and background pushes.
APPLE_KINDS = frozenset(
    {"voip", "pushtotalk", "complication", "location", "fileprovider", "liveactivity", "widgets", "controls", "mdm"}
)


@dataclass(frozen=True, slots=True)
class Button:
    """action: its name, which the app is told. url: where it leads; empty: the app decides."""

    action: str
    title: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Notification:
    """What one recipient sees, rendered. data: extra members for the app; values are JSON.

    purpose: "marketing" or "service", for networks that treat them differently; empty: as its origin says (a campaign's
    is marketing). apns: what Apple alone is told (apps/providers/apns/kinds.py).
    """

    title: str
    body: str
    image_url: str = ""
    url: str = ""
    data: dict[str, Any] | None = None
    purpose: str = ""
    apns: Mapping[str, Any] = field(default_factory=dict)
    buttons: tuple[Button, ...] = ()

    def suits(self, kind: str) -> bool:
        """Whether it is meant for an address of this kind: a token of one push type is not for anything else."""
        wanted = self.apns.get("push_type")
        return kind == wanted if wanted in APPLE_KINDS else kind not in APPLE_KINDS


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one installation is reached.

    address: a token, an installation id or a URL; opaque, of any length. kind: which of them ("token", "fid", "url"),
    or the push type that one of Apple's tokens is for. environment: APNs's, "production" or "sandbox". public_key,
    auth_secret: a Web Push subscription's, base64url. sender_key: id of the credential the subscription was made with,
    where it is bound to one.
    """

    address: str
    kind: str = "token"
    environment: str = "production"
    public_key: str = ""
    auth_secret: str = ""
    sender_key: str = ""


@dataclass(frozen=True, slots=True)
class Push:
    """One notification for one recipient.

    id: 32 hex digits, the same on every attempt, so that whoever can tell a repeat by it does. recipient: the
    subscriber's external id. message_id, campaign_id: public ids; campaign_id may be empty. endpoint: where to, for
    networks that reach installations and not people. ttl: seconds it is worth delivering for; 0: now or never; None:
    as long as the network keeps it. urgent: wake the device. collapse_key: a later push with the same replaces this.
    language: of the notification. unsubscribe_url: the recipient's page of preferences, for providers that ask for it.
    receipt: the token by which whoever gets it may report that.
    """

    id: str
    recipient: str
    notification: Notification
    message_id: str
    campaign_id: str
    sent_at: datetime
    endpoint: Endpoint | None = None
    ttl: int | None = None
    urgent: bool = True
    collapse_key: str = ""
    language: str = ""
    unsubscribe_url: str = ""
    receipt: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one push. reason: the network's own code, verbatim. retry_after: seconds it asked for.

    gone_at: when the network last knew the address dead. provider_message_id: the network's name for the push.
    new_address: where the network says the installation is reached from now on.
    """

    push_id: str
    result: Result
    scope: Scope = Scope.NONE
    reason: str = ""
    retry_after: float | None = None
    gone_at: datetime | None = None
    provider_message_id: str = ""
    new_address: str = ""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a network knows the tenant by. id: public id. values: field name -> value, in clear."""

    id: str
    values: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sender:
    """On whose behalf a provider sends: the application and the region its engines are in.

    credentials: those for this network, the one to use first; older ones only for what is bound to them. publish_rate:
    publications per second that the application may make on its own channels; None: not known here.
    """

    region: str
    tenant_id: int
    application_id: str
    credentials: tuple[Credential, ...] = ()
    publish_rate: int | None = None


@dataclass(frozen=True, slots=True)
class CredentialField:
    """One thing a tenant gives. is_secret: shown to nobody once it is saved. is_long: has several lines.

    help: where to find it, in a sentence. is_required: False: may stay empty. choices: (value, label) of the values it
    may have; none: any text.
    """

    name: str
    label: Any
    is_secret: bool = True
    is_long: bool = False
    help: Any = ""
    is_required: bool = True
    choices: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Needs:
    """What a provider needs of a tenant before it can send.

    fields: of its credential; none: it needs none. reaches: "people" (one push per subscriber) or "devices" (one per
    installation). platforms: of the devices it reaches. unsubscribes: its pushes carry `unsubscribe_url`. withdraws: it
    has a method `withdraw(names) -> int`, which takes back what the network has not delivered yet; names: the
    `provider_message_id` of its outcomes. publishes: its pushes are publications of the application, under its rate.
    at_once: deliveries handed over together; a worker's death leaves that many unknown, so a network that answers
    slowly gets fewer.
    """

    fields: tuple[CredentialField, ...] = ()
    reaches: str = "people"
    platforms: tuple[str, ...] = ()
    unsubscribes: bool = False
    withdraws: bool = False
    publishes: bool = False
    at_once: int = 500


@dataclass(frozen=True, slots=True)
class Limits:
    """How many pushes a network takes from one application, as it declares; None: it does not say.

    day_begins: seconds before midnight of UTC at which its day does. marketing_only: what is a service is not counted.
    A field `daily_quota` of the credential says `per_day` for that account (apps/providers/allowances.py).
    """

    per_minute: int | None = None
    per_day: int | None = None
    day_begins: int = 0
    marketing_only: bool = False


class Provider(Protocol):
    """A network. Made once per slice of work for one Sender.

    A class that needs something of the tenant says so in a class attribute `needs: Needs`. One that can tell a bad
    credential has a method `check() -> None`, which may call the network and raises CredentialInvalid or NetworkSilent;
    it is called with the credential in question as the sender's only one, before that is saved. One whose network
    takes so many and no more says so in a class attribute `limits: Limits`, and may have a method
    `quota_left() -> int | None`: pushes that it still takes today, where that is known.
    """

    def send(self, pushes: Sequence[Push]) -> list[Outcome]:
        """One Outcome per Push, in order. Blocks for less than a sending lease, retries nothing on its own.

        Anything it raises is taken as UNKNOWN for every push of the call: an adapter that knows better says so.
        """
