"""Publishing from the control plane: the console, the REST API and the provider `realtime`. Blocking calls."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from threading import Lock

from redis import Redis, RedisError

from apps.core import valkey
from apps.realtime import keys, pacing, scripts
from apps.realtime.allowances import GRACE
from apps.realtime.errors import AllowanceSpent, AllowanceUnavailable, BrokerUnavailable
from apps.realtime.events import Event, checked_event, new_publication_id
from apps.realtime.protocol import channels as names
from apps.realtime.protocol import messages as protocol_messages
from apps.realtime.protocol.publications import Topic, packed
from apps.realtime.publishing import Published, published, script_call, stored_count
from apps.realtime.tracing import is_watched, note_from_control_plane
from apps.realtime.usage import INTERVAL, UsageRecord
from apps.tenants.application_settings import ApplicationSettings

#: PUBLISH commands in one round trip.
_PIPELINE = 500
#: Of those, how many the console's feed shows.
_NOTED = 20


@dataclass(frozen=True, slots=True)
class UserMessage:
    """One event for one user's own channel. data: JSON text. id: deterministic, so that a receiver sees repeats."""

    external_id: str
    event: str
    data: str
    id: str


def publish(
    *,
    region: str,
    application_id: str,
    tenant_id: int,
    channels: Sequence[str],
    event: str,
    data: str,
    socket_id: str | None = None,
    idempotency_key: str = "",
    settings: ApplicationSettings | None = None,
) -> list[Published]:
    """One event for one or more channels, under the application's rate and the tenant's allowance like any other.

    Raises BadEvent, BadChannel, EventTooLarge, PublishRateExceeded, AllowanceSpent, AllowanceUnavailable,
    BrokerUnavailable.
    """
    limits = settings or ApplicationSettings()
    checked = checked_event(
        name=event, data=data, channels_=channels, socket_id=socket_id, max_bytes=limits.max_event_bytes
    )
    client = valkey.connect(region)
    try:
        pacing.take(client, application_id, limits.max_publishes_per_second, len(checked.channels))
        _take(client, tenant_id, application_id, len(checked.channels))
        done = [_publish(client, application_id, limits, checked, name, idempotency_key) for name in checked.channels]
        _record_usage(
            client, tenant_id, application_id, sum(not each.repeated for each in done), stored_count(done, limits)
        )
        note_from_control_plane(
            client, application_id, "published", event=checked.name, channels=checked.channels, data=checked.data
        )
    except RedisError as error:
        raise BrokerUnavailable(retry_after=1) from error
    return done


def _publish(
    client: Redis, application_id: str, limits: ApplicationSettings, event: Event, channel: str, once: str
) -> Published:
    publication_id = new_publication_id()
    if names.owner_of(channel) is not None:
        body = b"- " + event.body(channel, publication_id)
        return Published(
            channel, publication_id, None, False, client.publish(keys.topic(application_id, channel), body)
        )
    call = script_call(application_id, limits, event, channel, publication_id, once)
    return published(channel, publication_id, scripts.run_sync(client, "publish", call.keys, *call.arguments))


def _take(client: Redis, tenant_id: int, application_id: str, wanted: int) -> None:
    taken = int(scripts.run_sync(client, "take", keys.message_allowances(tenant_id, application_id), wanted))
    if taken < 0:
        client.sadd(keys.ALLOWANCE_ASKS, tenant_id)
        if not _grace.spend(tenant_id, wanted):
            raise AllowanceUnavailable(retry_after=5)
        return
    _grace.restore(tenant_id)
    if taken < wanted:
        scripts.run_sync(client, "give_back", keys.message_allowances(tenant_id, application_id), taken)
        raise AllowanceSpent


def publish_to_users(
    *, region: str, application_id: str, tenant_id: int, messages: Sequence[UserMessage], rate: int | None = None
) -> list[int]:
    """To each user's own channel; how many gateways had the user connected, message by message.

    No log is kept: 0 means nobody was there, nothing counts as published, and the caller's next route has it. An id
    that no Pusher user can have gets 0 as well. rate: publications per second that the application may make; what is
    published counts in it (who sends many asks `pacing.room_for_bulk` before). Raises BrokerUnavailable; some messages
    may then have been delivered (their ids are repeatable).
    """
    client = valkey.connect(region)
    receivers: list[int] = []
    try:
        for start in range(0, len(messages), _PIPELINE):
            reached = _publish_pipelined(client, application_id, messages[start : start + _PIPELINE])
            published_count = sum(1 for count in reached if count)
            if rate is not None:
                pacing.count_anyway(client, application_id, rate, published_count)
            _record_usage(client, tenant_id, application_id, published_count)
            receivers += reached
            batch = zip(messages[start : start + _PIPELINE], reached, strict=True)
            _note_messages(client, application_id, [message for message, count in batch if count])
    except RedisError as error:
        raise BrokerUnavailable(retry_after=1) from error
    return receivers


def _note_messages(client: Redis, application_id: str, messages: Sequence[UserMessage]) -> None:
    """The first few of them for the console, while somebody looks at it."""
    for message in messages[:_NOTED] if is_watched(client, application_id) else ():
        note_from_control_plane(
            client, application_id, "published",
            event=message.event, channels=[names.user_channel(message.external_id)], data=message.data,
        )  # fmt: skip


def _publish_pipelined(client: Redis, application_id: str, messages: Sequence[UserMessage]) -> list[int]:
    reachable = [names.is_user_id(message.external_id) for message in messages]
    with client.pipeline(transaction=False) as pipeline:
        for message, is_reachable in zip(messages, reachable, strict=True):
            if is_reachable:
                channel = names.user_channel(message.external_id)
                json = protocol_messages.event(message.event, message.data, channel)
                body = b"- " + packed(_header_safe(message.id), "", Topic.EVENT, json)
                pipeline.publish(keys.topic(application_id, channel), body)
        replies = iter(pipeline.execute())
    return [int(next(replies)) if is_reachable else 0 for is_reachable in reachable]


def _header_safe(publication_id: str) -> str:
    """The header of a publication separates by spaces and ends with a newline."""
    return "".join(publication_id.split()) or "-"


class _Grace:
    """What this process may publish for a tenant whose allowance nobody has said yet."""

    def __init__(self) -> None:
        self._full = GRACE
        self._left: dict[int, int] = {}
        self._lock = Lock()

    def spend(self, tenant_id: int, wanted: int) -> bool:
        with self._lock:
            left = self._left.get(tenant_id, self._full)
            if left < wanted:
                return False
            self._left[tenant_id] = left - wanted
            return True

    def restore(self, tenant_id: int) -> None:
        with self._lock:
            self._left.pop(tenant_id, None)


class _UsageNode:
    """Names this process's usage records; made anew in a forked child, where the parent's numbers go on."""

    def __init__(self) -> None:
        self._pid = 0
        self._lock = Lock()

    def next(self) -> tuple[str, int]:
        with self._lock:
            if self._pid != os.getpid():
                self._pid, self._name, self._numbers = os.getpid(), secrets.token_hex(8), count(1)
            return self._name, next(self._numbers)


_grace, _usage_node = _Grace(), _UsageNode()


def _record_usage(client: Redis, tenant_id: int, application_id: str, published_count: int, stored: int = 0) -> None:
    if not published_count:
        return
    node, seq = _usage_node.next()
    record = UsageRecord(
        tenant_id, application_id, node, int(time.time()) // INTERVAL * INTERVAL, seq,
        published=published_count, delivered=0, bytes=0, dropped=0, peak=0, connection_seconds=0, stored=stored,
    )  # fmt: skip
    client.xadd(keys.USAGE, {"r": record.json()})
