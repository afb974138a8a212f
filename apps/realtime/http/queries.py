"""GET /channels, /channels/C and /channels/C/users; POST /users/U/terminate_connections."""

from __future__ import annotations

from typing import Any

from apps.realtime import keys
from apps.realtime.cluster.occupancy import occupied_channels, subscription_count
from apps.realtime.cluster.presence import roster_size, user_ids
from apps.realtime.engine import Engine
from apps.realtime.errors import BadChannel, BadRequest
from apps.realtime.http.messages import Reply, Request
from apps.realtime.http.publish import checked_info
from apps.realtime.protocol.channels import is_channel_name, is_user_id, kind_of
from apps.realtime.protocol.messages import parse
from apps.realtime.protocol.publications import unpacked
from apps.tenants.queries import ApplicationRecord

_PRESENCE = "presence-"


async def get_channels(engine: Engine, record: ApplicationRecord, request: Request) -> Reply:
    parameters = request.parameters()
    prefix = parameters.get("filter_by_prefix", "")
    wanted = checked_info(parameters.get("info"), frozenset({"user_count"}))
    if wanted and not prefix.startswith(_PRESENCE):
        raise BadRequest("info=user_count needs filter_by_prefix with a presence- prefix.")
    occupied = await occupied_channels(engine.lines, record.application_id)
    found: dict[str, dict[str, int]] = {name: {} for name in sorted(occupied) if name.startswith(prefix)}
    for name in found if wanted else ():
        found[name]["user_count"] = await roster_size(engine.lines, record.application_id, name)
    return Reply({"channels": found})


async def get_channel(engine: Engine, record: ApplicationRecord, request: Request, channel: str) -> Reply:
    kind = kind_of(_checked(channel))
    known = {"user_count"} if kind.is_presence else {"subscription_count"}
    known |= {"cache"} if kind.is_cached else set()
    wanted = checked_info(request.parameters().get("info"), frozenset(known))
    if "subscription_count" in wanted and not record.settings.subscription_count:
        raise BadRequest("subscription_count is switched off for this application.")
    count = await subscription_count(engine.lines, record.application_id, channel)
    answer: dict[str, Any] = {"occupied": count > 0}
    if "user_count" in wanted:
        answer["user_count"] = await roster_size(engine.lines, record.application_id, channel)
    if "subscription_count" in wanted:
        answer["subscription_count"] = count
    if "cache" in wanted:
        answer["cache"] = await _cache(engine, record, channel)
    return Reply(answer)


async def _cache(engine: Engine, record: ApplicationRecord, channel: str) -> dict[str, Any] | None:
    name = keys.cached(record.application_id, channel)
    value, ttl = engine.lines.call("GET", name), engine.lines.call("TTL", name)
    cached, seconds = await value, await ttl
    if cached is None:
        return None
    return {"data": parse(unpacked(b"- " + cached).json).data, "ttl": seconds}


async def get_users(engine: Engine, record: ApplicationRecord, request: Request, channel: str) -> Reply:
    if not kind_of(_checked(channel)).is_presence:
        raise BadRequest("Only presence channels know their users.")
    users = await user_ids(engine.lines, record.application_id, channel)
    return Reply({"users": [{"id": user_id} for user_id in sorted(users)]})


async def terminate(engine: Engine, record: ApplicationRecord, request: Request, user_id: str) -> Reply:
    if not is_user_id(user_id):
        raise BadRequest("This is not a user id.")
    await engine.terminate(record.application_id, user_id)
    return Reply({})


def _checked(channel: str) -> str:
    if not is_channel_name(channel):
        raise BadChannel
    return channel
