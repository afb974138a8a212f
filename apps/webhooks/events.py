"""Channel events: their names, what belongs to each, and how they travel from the data plane's stream. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


class EventName(StrEnum):
    """Pusher's names. Those of Standard Webhooks are in `TYPES`."""

    CHANNEL_OCCUPIED = "channel_occupied"
    CHANNEL_VACATED = "channel_vacated"
    MEMBER_ADDED = "member_added"
    MEMBER_REMOVED = "member_removed"
    CLIENT_EVENT = "client_event"
    CACHE_MISS = "cache_miss"
    SUBSCRIPTION_COUNT = "subscription_count"


EVENT_NAMES = tuple(EventName)
#: The event of the test button. No endpoint filters it.
TEST = "test"
TYPES: Mapping[str, str] = {
    EventName.CHANNEL_OCCUPIED: "channel.occupied",
    EventName.CHANNEL_VACATED: "channel.vacated",
    EventName.MEMBER_ADDED: "channel.member_added",
    EventName.MEMBER_REMOVED: "channel.member_removed",
    EventName.CLIENT_EVENT: "channel.client_event",
    EventName.CACHE_MISS: "channel.cache_miss",
    EventName.SUBSCRIPTION_COUNT: "channel.subscription_count",
    TEST: "webhook.test",
}
#: Members of each event beside name and channel, in the order in which Pusher writes them.
_FACTS: Mapping[str, tuple[str, ...]] = {
    EventName.MEMBER_ADDED: ("user_id",),
    EventName.MEMBER_REMOVED: ("user_id",),
    EventName.CLIENT_EVENT: ("event", "data", "socket_id", "user_id"),
    EventName.SUBSCRIPTION_COUNT: ("subscription_count",),
}


class Unreadable(ValueError):
    """A line of the stream that is no event of ours."""


@dataclass(frozen=True, slots=True)
class ChannelEvent:
    """at: milliseconds since 1970, when it came to be. facts: what is told beside name and channel."""

    name: str
    channel: str
    at: int
    facts: Mapping[str, Any]

    @classmethod
    def from_stream(cls, fields: Mapping[bytes, bytes], *, at: int) -> Self:
        """Raises Unreadable. PostgreSQL stores no U+0000, so it is replaced, as is what is not Unicode."""
        told = {name.decode(): value.decode(errors="replace").replace("\0", "�") for name, value in fields.items()}
        name, channel = told.get("name", ""), told.get("channel", "")
        if name not in EVENT_NAMES or not channel:
            raise Unreadable(name)
        facts: dict[str, Any] = {fact: told[fact] for fact in _FACTS.get(name, ()) if fact in told}
        if name == EventName.SUBSCRIPTION_COUNT:
            facts["subscription_count"] = int(facts.get("subscription_count", 0))
        return cls(name, channel, at, facts)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        return cls(stored["name"], stored["channel"], stored["at"], stored["facts"])

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "channel": self.channel, "at": self.at, "facts": dict(self.facts)}

    @property
    def as_told(self) -> dict[str, Any]:
        """As Pusher writes it, in its order, which the database does not keep."""
        facts = {fact: self.facts[fact] for fact in _FACTS.get(self.name, ()) if fact in self.facts}
        return {"name": self.name, "channel": self.channel, **facts}
