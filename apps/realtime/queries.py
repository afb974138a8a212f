"""What is going on in an application right now, for the console and the overview. Blocking reads of Valkey."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from redis import RedisError

from apps.core import valkey
from apps.realtime import keys
from apps.realtime.errors import BrokerUnavailable
from apps.realtime.faults import HOUR, HOURS
from apps.realtime.following import MAX_ENTRIES
from apps.realtime.protocol.channels import kind_of

#: How long the feed stays on after the console last asked, in seconds.
WATCH_SECONDS = 30
FOLLOW_SECONDS = 15


@dataclass(frozen=True, slots=True)
class LiveConnection:
    """user_id: of a signed-in user. client: library and version, as the client says. channels: at most 20."""

    socket_id: str
    user_id: str | None
    channels: list[str]
    since: datetime
    client: str


@dataclass(frozen=True, slots=True)
class OccupiedChannel:
    """users: distinct members of a presence channel, else None."""

    name: str
    connections: int
    users: int | None


@dataclass(frozen=True, slots=True)
class Trace:
    """One thing that happened. kind: connected, disconnected, published, error. facts: what else is known of it."""

    id: str
    at: datetime
    kind: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """way: in, out, or closed. text: the frame, shortened."""

    at: datetime
    way: str
    text: str


@dataclass(frozen=True, slots=True)
class FaultCount:
    """An error code: how often in 24 hours and in the running hour, what was said the last time, and when."""

    code: str
    count: int
    in_this_hour: int
    message: str
    at: datetime


def follow(*, region: str, application_id: str, socket_id: str) -> None:
    """Records the frames of one connection for a while. Asked for again by every refresh of the page."""
    client, name, now = valkey.connect(region), keys.followed(application_id), int(time.time())
    watch(region=region, application_id=application_id)
    client.zadd(name, {socket_id: now + FOLLOW_SECONDS})
    client.zremrangebyscore(name, 0, now)
    client.expire(name, WATCH_SECONDS)


def trail(*, region: str, application_id: str, socket_id: str) -> list[Step]:
    """The newest first."""
    newest_first: Any = valkey.connect(region).xrevrange(keys.trail(application_id, socket_id), count=MAX_ENTRIES)
    found = (orjson.loads(fields[b"e"]) for _id, fields in newest_first)
    return [Step(_moment(each["at"]), each["way"], each["text"]) for each in found]


def fault_report(*, region: str, application_id: str) -> list[FaultCount]:
    """Of the last 24 hours, the latest first."""
    client, hour = valkey.connect(region), int(time.time()) // HOUR
    with client.pipeline(transaction=False) as pipeline:
        for back in range(HOURS):
            pipeline.hgetall(keys.fault_counts(application_id, hour - back))
        pipeline.hgetall(keys.last_faults(application_id))
        *hours, last = pipeline.execute()
    faults = [_fault(code, raw, hours) for code, raw in last.items()]
    return sorted((fault for fault in faults if fault.count), key=lambda fault: fault.at, reverse=True)


def _fault(code: bytes, raw: bytes, hours: list[dict[bytes, bytes]]) -> FaultCount:
    said, counts = orjson.loads(raw), [int(counted.get(code, 0)) for counted in hours]
    return FaultCount(code.decode(), sum(counts), counts[0], said["message"], _moment(said["at"]))


def watch(*, region: str, application_id: str) -> None:
    """Turns the feed on for a while. The console calls it on every refresh; gateways need a moment to hear of it."""
    valkey.connect(region).set(keys.watch(application_id), 1, ex=WATCH_SECONDS)


def connection_count(*, region: str, tenant_id: int, application_id: str = "") -> int:
    """Open connections of an application, or of all the tenant's."""
    return int(valkey.connect(region).hget(keys.connections(tenant_id, application_id), "*") or 0)


def live_connections(*, region: str, application_id: str) -> list[LiveConnection]:
    """The newest first; at most 200 of each gateway, and only while the application is watched."""
    client = valkey.connect(region)
    nodes: Any = client.zrange(keys.snapshots(application_id), 0, -1)
    found = client.mget([keys.snapshot(application_id, node.decode()) for node in nodes]) if nodes else []
    rows = [row for raw in found if raw for row in orjson.loads(raw)]
    connections = [LiveConnection(**{**row, "since": _moment(row["since"])}) for row in rows]
    return sorted(connections, key=lambda connection: connection.since, reverse=True)


def occupied_channels(*, region: str, application_id: str) -> list[OccupiedChannel]:
    """By name."""
    client = valkey.connect(region)
    totals: dict[str, int] = {}
    for number in range(keys.PARTITIONS):
        flat: Any = client.hgetall(keys.occupied(application_id, number))
        totals.update((name.decode(), int(total)) for name, total in flat.items())
    return [
        OccupiedChannel(name, total, _members(client, application_id, name) if kind_of(name).is_presence else None)
        for name, total in sorted(totals.items())
    ]


def _members(client: Any, application_id: str, channel: str) -> int:
    return int(client.hlen(keys.members(application_id, channel)[1]))


def presence_members(*, region: str, application_id: str, channel: str) -> list[str]:
    """User ids on a presence channel, by name. As many as the application's limit allows."""
    users: list[bytes] = valkey.connect(region).hkeys(keys.members(application_id, channel)[1])  # type: ignore[assignment]
    return sorted(user.decode() for user in users)


def trace_feed(*, region: str, application_id: str, after: str = "", limit: int = 100) -> list[Trace]:
    """What happened since the entry `after` (all that is kept when empty), the newest first."""
    newest_first: Any = valkey.connect(region).xrevrange(
        keys.trace(application_id), min=f"({after}" if after else "-", count=limit
    )
    return [_trace(raw_id, fields) for raw_id, fields in newest_first]


def _trace(raw_id: bytes, fields: dict[bytes, bytes]) -> Trace:
    facts = orjson.loads(fields[b"e"])
    return Trace(raw_id.decode(), _moment(facts.pop("at")), facts.pop("kind"), facts)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def online_users(*, region: str, application_id: str) -> set[str]:
    """Who is signed in on any connection. Raises BrokerUnavailable."""
    client = valkey.connect(region)
    try:
        return {
            user_id.decode()
            for number in range(keys.PARTITIONS)
            for user_id, _nodes in client.hscan_iter(keys.online_in(application_id, number), count=1_000)
        }
    except RedisError as error:
        raise BrokerUnavailable(retry_after=1) from error
