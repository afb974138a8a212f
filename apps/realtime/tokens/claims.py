"""What a token says, and whether it says it to us and now (RFC 7519, section 4.1). Pure.

Signatures are in reading.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.realtime.protocol import channels

#: How far the signer's clock may be from ours, in seconds.
LEEWAY = 10
#: How far ahead `exp` may lie, in seconds: a token that leaks is good for so long at most.
LONGEST = 24 * 3_600
MAX_PATTERNS = 100
SUBSCRIBE, PUBLISH, PRESENCE = "subscribe", "publish", "presence"
_CAPABILITIES = frozenset({SUBSCRIBE, PUBLISH, PRESENCE})


class TokenRefused(Exception):
    """The text is for the developer whose server made the token."""


@dataclass(frozen=True, slots=True)
class Expected:
    """issuer: empty for any. audiences: one of them must be named. must_name: also by leaving `aud` out it is refused,
    because the key signs for others too."""

    issuer: str
    audiences: frozenset[str]
    must_name: bool


@dataclass(frozen=True, slots=True)
class Claims:
    """A connection token has a user_id and no patterns; a channel token has patterns. expires_at: Unix seconds."""

    user_id: str | None
    info: Any
    expires_at: float
    patterns: tuple[str, ...]
    can: frozenset[str]

    @property
    def is_for_channels(self) -> bool:
        return bool(self.patterns)

    def covers(self, channel: str) -> bool:
        """A pattern that ends in `*` covers what begins like it; a user's own channel is covered by none."""
        return not channel.startswith("#") and any(
            channel.startswith(pattern[:-1]) if pattern.endswith("*") else channel == pattern
            for pattern in self.patterns
        )

    def allows(self, capability: str, channel: str) -> bool:
        return capability in self.can and self.covers(channel)


def checked(claims: Mapping[str, Any], expected: Expected, now: float) -> Claims:
    """now: Unix seconds. Raises TokenRefused."""
    expires_at = _check_times(claims, now)
    if expected.issuer and claims.get("iss") != expected.issuer:
        raise TokenRefused("iss is not the issuer that this application expects")
    _check_audience(claims.get("aud"), expected)
    user_id = claims.get("sub")
    if user_id is not None and not channels.is_user_id(user_id):
        raise TokenRefused("sub must be a user id: a string of channel-name characters")
    patterns = _patterns(claims)
    if user_id is None and not patterns:
        raise TokenRefused("a token needs sub, or channel, or channels")
    return Claims(user_id, claims.get("info"), expires_at, patterns, _capabilities(claims))


def _check_times(claims: Mapping[str, Any], now: float) -> float:
    expires_at = _time(claims, "exp")
    if expires_at is None:
        raise TokenRefused("exp is missing")
    if expires_at <= now - LEEWAY:
        raise TokenRefused("the token has expired")
    if expires_at > now + LONGEST + LEEWAY:
        raise TokenRefused(f"exp lies more than {LONGEST} seconds ahead")
    for name in ("nbf", "iat"):
        begins_at = _time(claims, name)
        if begins_at is not None and begins_at > now + LEEWAY:
            raise TokenRefused(f"{name} lies in the future")
    return expires_at


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > 1e11:
        raise TokenRefused(f"{name} must be Unix time in seconds")
    return float(value)


def _check_audience(audience: object, expected: Expected) -> None:
    if audience is None and not expected.must_name:
        return
    named = audience if isinstance(audience, list) else [audience]
    if not any(isinstance(each, str) and each in expected.audiences for each in named):
        raise TokenRefused("aud does not name this application")


def _patterns(claims: Mapping[str, Any]) -> tuple[str, ...]:
    given = claims.get("channels", claims.get("channel"))
    if given is None:
        return ()
    patterns = [given] if isinstance(given, str) else given
    if not isinstance(patterns, list) or not 0 < len(patterns) <= MAX_PATTERNS:
        raise TokenRefused(f"channels must be a list of 1 to {MAX_PATTERNS} names or patterns")
    if not all(_is_pattern(pattern) for pattern in patterns):
        raise TokenRefused("a channel is a name, or the beginning of names with a * at its end")
    return tuple(patterns)


def _is_pattern(value: object) -> bool:
    return isinstance(value, str) and (channels.is_channel_name(value.removesuffix("*")) or value == "*")


def _capabilities(claims: Mapping[str, Any]) -> frozenset[str]:
    given = claims.get("can", [SUBSCRIBE])
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise TokenRefused("can must be a list of capabilities")
    if not _CAPABILITIES.issuperset(given):
        raise TokenRefused(f"can may hold {', '.join(sorted(_CAPABILITIES))}")
    return frozenset(given)
