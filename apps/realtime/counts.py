"""`subscription_count` events: on every change up to 100 subscribers, above that at most every five seconds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from apps.realtime import keys
from apps.realtime.hooks import Hook
from apps.realtime.protocol import messages
from apps.realtime.protocol.channels import kind_of
from apps.realtime.protocol.publications import Topic

if TYPE_CHECKING:
    from apps.realtime.engine import Engine

_EVERY_CHANGE_UP_TO = 100
_PAUSE = 5.0


class CountBoard:
    """Announces totals of this node's changes. Belongs to one event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._announced_at: dict[bytes, float] = {}
        self._later: dict[bytes, tuple[str, str, int]] = {}

    def changed(self, application_id: str, channel: str, total: int) -> None:
        """The cluster's total after a report of this node."""
        application = self._engine.applications.get(application_id)
        wanted = application is not None and application.record.settings.subscription_count
        if not wanted or total <= 0 or kind_of(channel).is_presence:
            return
        topic, now = keys.topic(application_id, channel).encode(), time.monotonic()
        if total > _EVERY_CHANGE_UP_TO and now - self._announced_at.get(topic, -_PAUSE) < _PAUSE:
            self._later[topic] = (application_id, channel, total)
            return
        self._announce(topic, application_id, channel, total, now)

    def tick(self) -> None:
        """Announces what had to wait."""
        now = time.monotonic()
        for topic, late in list(self._later.items()):
            if now - self._announced_at.get(topic, -_PAUSE) >= _PAUSE:
                self._announce(topic, *late, now)
        for topic, at in list(self._announced_at.items()):
            if now - at > 2 * _PAUSE:
                del self._announced_at[topic]

    def _announce(self, topic: bytes, application_id: str, channel: str, total: int, now: float) -> None:
        self._later.pop(topic, None)
        if total > _EVERY_CHANGE_UP_TO:
            self._announced_at[topic] = now
        json = messages.subscription_count(channel, total)
        hook = Hook("subscription_count", {"subscription_count": total})
        self._engine.announce_later(application_id, channel, json, Topic.COUNT, hook)
