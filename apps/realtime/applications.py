"""One application inside one gateway: its connections, signed-in users and counters."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from apps.realtime.counters import Counters
from apps.tenants.queries import ApplicationRecord

if TYPE_CHECKING:
    from apps.realtime.connection import Connection


class TokenBucket:
    """So many per second, with a burst of one second's worth. clock: seconds."""

    __slots__ = ("_at", "_left", "rate")

    def __init__(self, rate: float, now: float | None = None) -> None:
        self.rate = rate
        self._left = rate
        self._at = time.monotonic() if now is None else now

    def take(self, count: int = 1, now: float | None = None) -> bool:
        now = time.monotonic() if now is None else now
        self._left = min(self.rate, self._left + (now - self._at) * self.rate)
        self._at = now
        if self._left < count:
            return False
        self._left -= count
        return True


class LiveApplication:
    """record: replaced when the registry says that it changed."""

    def __init__(self, record: ApplicationRecord) -> None:
        self.record = record
        self.connections: dict[str, Connection] = {}
        #: Of the connections, those that are in no quota yet.
        self.unauthorized = 0
        self.users: dict[str, set[Connection]] = {}
        self.counters = Counters()
        self.is_watched = False
        #: Socket ids here whose frames somebody looks at.
        self.followed: set[str] = set()

    def replace(self, record: ApplicationRecord) -> None:
        self.record = record

    @property
    def counted(self) -> int:
        """Open connections that are billed and limited."""
        return len(self.connections) - self.unauthorized

    def authorized(self, connection: Connection) -> None:
        """From now on it counts."""
        connection.must_authorize = False
        self.unauthorized -= 1
        self.counters.peak = max(self.counters.peak, self.counted)

    def add(self, connection: Connection) -> None:
        self.connections[connection.socket_id] = connection
        self.unauthorized += connection.must_authorize
        self.counters.peak = max(self.counters.peak, self.counted)

    def remove(self, connection: Connection) -> None:
        if self.connections.pop(connection.socket_id, None) is not None:
            self.unauthorized -= connection.must_authorize
        if connection.user_id is not None:
            others = self.users.get(connection.user_id, set())
            others.discard(connection)
            if not others:
                self.users.pop(connection.user_id, None)

    def sign_in(self, connection: Connection, user_id: str) -> None:
        self.users.setdefault(user_id, set()).add(connection)
