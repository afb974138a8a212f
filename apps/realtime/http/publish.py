"""POST /events and /batch_events."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from apps.realtime.cluster.occupancy import subscription_count
from apps.realtime.cluster.presence import roster_size
from apps.realtime.engine import Engine
from apps.realtime.errors import BadEvent, BadRequest, PublishRateExceeded
from apps.realtime.events import MAX_BATCH, MAX_IDEMPOTENCY_KEY, Event, checked_event
from apps.realtime.http.messages import Reply, Request
from apps.realtime.protocol.channels import kind_of
from apps.realtime.protocol.signing import query_pairs
from apps.realtime.publishing import stored_count
from apps.tenants.queries import ApplicationRecord

_INFO = frozenset({"user_count", "subscription_count"})


async def post_event(engine: Engine, record: ApplicationRecord, request: Request) -> Reply:
    """One event for up to 100 channels. `Idempotency-Key` makes a repeat harmless. Raises HouseErrors, LinkLost."""
    fields = request.json() if request.body else _from_query(request)
    event, wanted = _event(fields, record), _info(fields)
    await _publish(engine, record, [event], _once(request))
    if not wanted:
        return Reply({})
    return Reply({"channels": {name: await info_of(engine, record, name, wanted) for name in event.channels}})


async def post_batch(engine: Engine, record: ApplicationRecord, request: Request) -> Reply:
    """Up to ten events, each for one channel. All are checked before the first is published."""
    batch = request.json().get("batch")
    if not isinstance(batch, list) or not 0 < len(batch) <= MAX_BATCH:
        raise BadRequest(f"batch must be a list of 1 to {MAX_BATCH} events.")
    if not all(isinstance(fields, dict) for fields in batch):
        raise BadRequest("Each event of a batch must be a JSON object.")
    events = [_event(fields, record) for fields in batch]
    if any(len(event.channels) != 1 for event in events):
        raise BadEvent("Each event of a batch goes to exactly one channel.")
    wanted = [_info(fields) for fields in batch]
    await _publish(engine, record, events, _once(request))
    if not any(wanted):
        return Reply({})
    infos = [await info_of(engine, record, event.channels[0], info) for event, info in zip(events, wanted, strict=True)]
    return Reply({"batch": infos})


async def _publish(engine: Engine, record: ApplicationRecord, events: Sequence[Event], once: str) -> None:
    count = sum(len(event.channels) for event in events)
    if not await engine.rates.take(record.application_id, record.settings.max_publishes_per_second, count):
        raise PublishRateExceeded(retry_after=1)
    await engine.allowances.take(record.tenant_id, record.application_id, count)
    jobs = [
        engine.publications.publish(
            record.application_id, record.settings, event, channel, once=f"{once}:{at}" if once else ""
        )
        for at, event in enumerate(events)
        for channel in event.channels
    ]
    published = [await jobs[0]] if count == 1 else await asyncio.gather(*jobs)
    repeated = sum(each.repeated for each in published)
    engine.allowances.refund(record.tenant_id, record.application_id, repeated)
    # Asked for again: while we waited, an application without connections may have been forgotten.
    application = engine.application(record)
    application.counters.published += count - repeated
    application.counters.stored += stored_count(published, record.settings)
    for event in events if application.is_watched else ():
        engine.tracer.note(application, "published", event=event.name, channels=event.channels, data=event.data)


def _event(fields: dict[str, Any], record: ApplicationRecord) -> Event:
    names = fields.get("channels", fields.get("channel"))
    if isinstance(names, str):
        names = [names]
    if not isinstance(names, list):
        raise BadEvent("Say where the event goes: channels (a list) or channel (a name).")
    return checked_event(
        name=fields.get("name"), data=fields.get("data"), channels_=names, socket_id=fields.get("socket_id"),
        max_bytes=record.settings.max_event_bytes, tags=fields.get("tags"),
    )  # fmt: skip


def _from_query(request: Request) -> dict[str, Any]:
    pairs = query_pairs(request.query)
    fields: dict[str, Any] = dict(pairs)
    names = [value for name, value in pairs if name == "channels[]"]
    return {**fields, "channels": names} if names else fields


def _once(request: Request) -> str:
    once = request.header(b"idempotency-key")
    if len(once) > MAX_IDEMPOTENCY_KEY or not (once.isascii() and once.isprintable()):
        raise BadRequest(f"Idempotency-Key has at most {MAX_IDEMPOTENCY_KEY} printable characters.")
    return once


def _info(fields: dict[str, Any]) -> frozenset[str]:
    return checked_info(fields.get("info"), _INFO)


def checked_info(info: object, known: frozenset[str]) -> frozenset[str]:
    """The attributes in a comma-separated `info`. Raises BadRequest."""
    if info in (None, ""):
        return frozenset()
    if not isinstance(info, str):
        raise BadRequest("info must be a comma-separated string.")
    wanted = frozenset(part.strip() for part in info.split(","))
    if not wanted <= known:
        raise BadRequest(f"info may hold {', '.join(sorted(known))}.")
    return wanted


async def info_of(engine: Engine, record: ApplicationRecord, channel: str, wanted: frozenset[str]) -> dict[str, int]:
    """The attributes that make sense for this channel; the others are left out."""
    found: dict[str, int] = {}
    is_presence = kind_of(channel).is_presence
    if "user_count" in wanted and is_presence:
        found["user_count"] = await roster_size(engine.lines, record.application_id, channel)
    if "subscription_count" in wanted and not is_presence and record.settings.subscription_count:
        found["subscription_count"] = await subscription_count(engine.lines, record.application_id, channel)
    return found
