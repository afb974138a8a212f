"""The control plane's share of an application's publish rate: the same bucket the gateways take from (rates.py)."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis, RedisError

from apps.core import valkey
from apps.realtime import keys, scripts
from apps.realtime.errors import PublishRateExceeded

#: The part of a second's worth that sending in bulk leaves to those who publish now.
_LEFT_TO_OTHERS = 0.5
#: Seconds after which bulk looks again at an application that may not publish at all.
_WHILE_OFF = 30.0


@dataclass(frozen=True, slots=True)
class Room:
    """wait: seconds until there is room; 0: now, for `most`."""

    wait: float
    most: int


def take(client: Redis, application_id: str, rate: int, count: int) -> None:
    """For somebody who can be told no. Raises PublishRateExceeded, RedisError."""
    taken, _left = _run(client, application_id, rate, count, "all")
    if taken < count:
        raise PublishRateExceeded(retry_after=1)


def count_anyway(client: Redis, application_id: str, rate: int, count: int) -> None:
    """What has been published already. Raises RedisError."""
    if count:
        _run(client, application_id, rate, count, "anyway")


def room_for_bulk(region: str, application_id: str, rate: int) -> Room | None:
    """How many of a campaign may be published now; None when Valkey does not say.

    Takes nothing: `publish_to_users` counts those that reached somebody. Workers that ask at the same moment are
    granted the same room, and what they overdraw is waited for by the next.
    """
    if not rate:
        return Room(_WHILE_OFF, 0)
    try:
        _taken, left = _run(valkey.connect(region), application_id, rate, 0, "some")
    except RedisError:
        return None
    spare = left - int(rate * _LEFT_TO_OTHERS)
    return Room(0.0, spare) if spare > 0 else Room((1 - spare) / rate, 0)


def _run(client: Redis, application_id: str, rate: int, count: int, how: str) -> tuple[int, int]:
    taken, left = scripts.run_sync(client, "rate", [keys.publish_rate(application_id)], rate, count, how)
    return int(taken), int(left)
