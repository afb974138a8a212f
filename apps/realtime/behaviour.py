"""What signed-in users do on their sockets, left in a stream for whoever keeps people's events.

Only for applications that want it. The stream is bounded and may be wiped with everything in Valkey: these are facts
for segments and triggers, not messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from apps.realtime import keys
from apps.realtime.link import Lines, forget

if TYPE_CHECKING:
    from apps.realtime.applications import LiveApplication

#: Entries that wait at most; with none to take them the oldest go.
MAX_WAITING = 100_000
ONLINE, JOINED, CLIENT_EVENT = "$online", "$joined", "$client_event"


class Behaviour:
    """Belongs to one event loop."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def note(self, application: LiveApplication, user_id: str | None, name: str, **properties: str) -> None:
        """Nobody waits for it; without a user nothing is noted."""
        record = application.record
        if user_id is None or not record.settings.behaviour_events:
            return
        entry = [record.tenant_id, record.application_id, user_id, name, properties]
        forget(self._lines.call("XADD", keys.BEHAVIOUR, "MAXLEN", "~", MAX_WAITING, "*", "e", orjson.dumps(entry)))
