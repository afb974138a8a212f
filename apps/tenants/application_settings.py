"""Switches and limits of one application, with their defaults. Pure: the data plane and the dashboard both read it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class ApplicationSettings:
    """Defaults follow Pusher Channels' documented limits. Sizes in bytes, durations in seconds, rates per second."""

    client_events: bool = True
    subscription_count: bool = False
    watchlist: bool = False
    authorized_connections_only: bool = False
    max_connections: int = 10_000
    max_event_bytes: int = 10_240
    max_presence_members: int = 100
    max_client_events_per_second: int = 10
    max_publishes_per_second: int = 5_000
    history_size: int = 300
    history_ttl: int = 3_600
    activity_timeout: int = 120

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})

    def to_json(self) -> dict[str, Any]:
        """Only what differs from the default, so that a better default reaches old applications."""
        default = type(self)()
        return {name: value for name, value in asdict(self).items() if value != getattr(default, name)}
