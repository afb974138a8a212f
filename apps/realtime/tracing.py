"""The console feed: what an application's gateways just did, written only while somebody is watching."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson
from redis import Redis

from apps.realtime import following, keys
from apps.realtime.link import Lines, forget

if TYPE_CHECKING:
    from apps.realtime.applications import LiveApplication

#: Entries and seconds the feed keeps; connections in one node's snapshot; channels listed per connection.
MAX_ENTRIES, TTL, MAX_CONNECTIONS, MAX_CHANNELS = 500, 3_600, 200, 20
_MAX_DATA = 512
SNAPSHOT_TTL = 10


def is_watched(client: Redis, application_id: str) -> bool:
    return bool(client.exists(keys.watch(application_id)))


def note_from_control_plane(client: Redis, application_id: str, kind: str, **facts: Any) -> None:
    """A blocking note of a process that holds no applications and so must ask whether anybody watches."""
    if is_watched(client, application_id):
        name = keys.trace(application_id)
        client.xadd(name, {"e": _entry(kind, facts)}, maxlen=MAX_ENTRIES)
        client.expire(name, TTL)


def _entry(kind: str, facts: dict[str, Any]) -> bytes:
    shortened = {"data": facts["data"][:_MAX_DATA]} if "data" in facts else {}
    return orjson.dumps({"at": round(time.time(), 3), "kind": kind, **facts, **shortened})


class Tracer:
    """Writes for the applications somebody watches. Belongs to one event loop."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def note(self, application: LiveApplication, kind: str, **facts: Any) -> None:
        if not application.is_watched:
            return
        name = keys.trace(application.record.application_id)
        forget(self._lines.call("XADD", name, "MAXLEN", "~", MAX_ENTRIES, "*", "e", _entry(kind, facts)))
        forget(self._lines.call("EXPIRE", name, TTL))

    async def refresh(self, applications: list[LiveApplication], node: str) -> None:
        """Learns which are watched, and leaves a list of their connections. Raises LinkLost."""
        names = [application.record.application_id for application in applications]
        replies = [self._lines.call("EXISTS", keys.watch(name)) for name in names]
        for application, reply in zip(applications, replies, strict=True):
            application.is_watched = bool(await reply)
            if application.is_watched:
                self._snapshot(application, node)
            if application.is_watched or application.followed:
                await self._follow(application)

    async def _follow(self, application: LiveApplication) -> None:
        name, now = keys.followed(application.record.application_id), int(time.time())
        found = await self._lines.call("ZRANGEBYSCORE", name, now, "+inf", "LIMIT", 0, following.MAX_FOLLOWED)
        wanted = {raw.decode() for raw in found} & application.connections.keys()
        for socket_id in application.followed - wanted:
            if connection := application.connections.get(socket_id):
                following.end(connection)
        for socket_id in wanted:
            following.begin(application.connections[socket_id], self._lines)
        application.followed = wanted

    def _snapshot(self, application: LiveApplication, node: str) -> None:
        rows = [
            {
                "socket_id": connection.socket_id,
                "user_id": connection.user_id,
                "channels": list(connection.subscriptions)[:MAX_CHANNELS],
                "since": round(connection.since, 3),
                "client": connection.client,
            }
            for connection in list(application.connections.values())[:MAX_CONNECTIONS]
        ]
        application_id = application.record.application_id
        forget(self._lines.call("SET", keys.snapshot(application_id, node), orjson.dumps(rows), "EX", SNAPSHOT_TTL))
        forget(self._lines.call("ZADD", keys.snapshots(application_id), int(time.time()), node))
        forget(self._lines.call("EXPIRE", keys.snapshots(application_id), TTL))
