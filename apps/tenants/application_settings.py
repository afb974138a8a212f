"""Switches and limits of one application, with their defaults. Pure: the data plane and the dashboard both read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from django.utils.translation import gettext as _

from apps.tenants import channel_patterns, token_settings


@dataclass(frozen=True, slots=True)
class ApplicationSettings:
    """Defaults follow Pusher Channels' documented limits. Sizes in bytes, durations in seconds, rates per second."""

    client_events: bool = True
    subscription_count: bool = False
    watchlist: bool = False
    behaviour_events: bool = False
    authorized_connections_only: bool = False
    recovery: bool = True
    rewind: bool = True
    history_api: bool = True
    http_streams: bool = True
    http_fallback: bool = True
    tls_required: bool = False
    tokens: bool = False
    token_issuer: str = ""
    token_audience: str = ""
    token_jwks_url: str = ""
    token_public_key: str = ""
    max_connections: int = 10_000
    max_subscriptions: int = 1_000
    max_event_bytes: int = 10_240
    max_presence_members: int = 100
    max_user_info_bytes: int = 1_024
    max_client_events_per_second: int = 10
    max_publishes_per_second: int = 5_000
    latest_only_channels: str = ""
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


#: Lowest and highest value of each number.
BOUNDS: Mapping[str, tuple[int, int]] = {
    "max_connections": (0, 1_000_000),
    "max_subscriptions": (1, 1_000),
    "max_event_bytes": (1, 102_400),
    "max_presence_members": (1, 10_000),
    "max_user_info_bytes": (0, 16_384),
    "max_client_events_per_second": (0, 1_000),
    "max_publishes_per_second": (0, 100_000),
    "history_size": (0, 10_000),
    "history_ttl": (0, 604_800),
    "activity_timeout": (10, 600),
}

#: Longest value of each text, in characters.
TEXT_LENGTHS: Mapping[str, int] = {
    **token_settings.TEXT_LENGTHS,
    "latest_only_channels": channel_patterns.MAX_LENGTH,
}


def problems_in(changes: Mapping[str, Any]) -> dict[str, list[str]]:
    """Name of a setting -> what is wrong with the value given for it. Empty when all of them may be stored."""
    problems = {name: _problem(name, value) for name, value in changes.items()}
    return {name: [problem] for name, problem in problems.items() if problem}


def _problem(name: str, value: Any) -> str:
    if name in BOUNDS:
        low, high = BOUNDS[name]
        if type(value) is int and low <= value <= high:  # a bool is an int too
            return ""
        return _("Use a whole number from %(low)d to %(high)d.") % {"low": low, "high": high}
    if name == "latest_only_channels":
        return channel_patterns.problem_with_patterns(value)
    if name in token_settings.TEXT_LENGTHS:
        return token_settings.problem_with_text(name, value)
    if name in {field.name for field in fields(ApplicationSettings)}:
        return "" if isinstance(value, bool) else _("Use true or false.")
    return _("There is no such setting.")
