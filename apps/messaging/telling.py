"""Tells whoever looks at a campaign how it goes, over the installation's own realtime application.

At most one word a second for each message, however many workers send it: the first of them tells. What it tells are
sums that are kept anyway. Best effort: a page that hears nothing asks by itself.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from math import inf
from threading import Lock
from time import monotonic

import orjson
from redis import RedisError

from apps.core import valkey
from apps.messaging.models import Message
from apps.messaging.queries import counts_of
from apps.realtime import platform
from apps.tenants.scope import tenant_scope

log = logging.getLogger(__name__)

EVENT = "counts"
_SECONDS = 1.0
#: Campaigns; a journey's sends and single messages are too many and too short to be watched.
_WATCHED = "cmp_"
#: Conversions are left to the page, which takes off those of people who were held out.
_TOLD = ("planned", "suppressed", "attempted", "accepted", "failed", "unknown", "received", "opened", "clicked")


class _Pace:
    """When this process told of a message last, so that most slices cost no question to Valkey."""

    _MOST = 1_000

    def __init__(self) -> None:
        self._told: OrderedDict[int, float] = OrderedDict()
        self._lock = Lock()

    def is_due(self, message_id: int, now: float) -> bool:
        with self._lock:
            if now - self._told.get(message_id, -inf) < _SECONDS:
                return False
            self._told[message_id] = now
            self._told.move_to_end(message_id)
            while len(self._told) > self._MOST:
                self._told.popitem(last=False)
            return True


_pace = _Pace()


def channel_of(origin: str) -> str:
    """On which the counts of a campaign's messages are told. origin: its public id."""
    return f"private-results-{origin}"


def tell_counts(message: Message) -> None:
    """After the commit of what changed, outside any scope; nothing when somebody told within the last second."""
    if not message.origin.startswith(_WATCHED) or not _pace.is_due(message.pk, monotonic()):
        return
    try:
        if _is_first(message):
            _tell(message.tenant_id, message.pk)
    except RedisError as error:
        log.warning("results.not_told message=%s %s", message.pk, error)


def tell_end(tenant_id: int, message_id: int, origin: str) -> None:
    """The last word, whatever was told before. Outside any scope."""
    if not origin.startswith(_WATCHED):
        return
    try:
        _tell(tenant_id, message_id)
    except RedisError as error:
        log.warning("results.not_told message=%s %s", message_id, error)


def _is_first(message: Message) -> bool:
    """Of all processes in this second."""
    client = valkey.connect(message.tenant.home_region)
    return bool(client.set(f"messaging:told:{message.pk}", 1, nx=True, px=int(_SECONDS * 1_000)))


def _tell(tenant_id: int, message_id: int) -> None:
    with tenant_scope(tenant_id):
        message = Message.objects.of(tenant_id).select_related("tenant").get(pk=message_id)
        counts = counts_of(message)
    told = {name: getattr(counts, name) for name in _TOLD} | {"waiting": counts.planned - counts.settled}
    facts = {"message": message.public_id, "counts": told, "ended": message.ended_at is not None}
    platform.tell(
        region=message.tenant.home_region, channel=channel_of(message.origin), event=EVENT,
        data=orjson.dumps(facts).decode(),
    )  # fmt: skip
