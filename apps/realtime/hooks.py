"""Channel events that the application's webhooks will tell: which are wanted, and the bell for who fetches them.

The scripts that change presence and occupancy note the events in the same step, in a stream beside the state. What is
here comes before (does anybody want it?) and after (a partition has something). A bell that gets lost is found by the
webhooks' own sweep.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from apps.realtime import keys, scripts
from apps.realtime.link import Lines, forget
from apps.tenants.queries import ApplicationRecord

log = logging.getLogger(__name__)

#: How long a departure may be taken back, in milliseconds.
LINGER = 3_000
#: How long further misses of the same channel belong to the first, in seconds.
MISS_WINDOW = 5

MEMBERSHIP = frozenset({"member_added", "member_removed"})
OCCUPANCY = frozenset({"channel_occupied", "channel_vacated"})
CACHE_MISS = frozenset({"cache_miss"})


@dataclass(frozen=True, slots=True)
class Hook:
    """What webhooks tell of an announcement. facts: what is told beside the channel."""

    name: str
    facts: Mapping[str, str | int]


class Hooks:
    """Belongs to one event loop. find: the record of any application, for a janitor's need not be this node's."""

    def __init__(self, lines: Lines, find: Callable[[str], Awaitable[ApplicationRecord | None]]) -> None:
        self._lines, self._find = lines, find
        self._tenants: dict[str, int] = {}

    async def wanted(self, application_id: str, events: frozenset[str]) -> bool:
        """Whether any of these is wanted."""
        try:
            record = await self._find(application_id)
        except Exception:  # the database is away: presence and occupancy must go on without it
            log.exception("hooks.unknown application_id=%s", application_id)
            return False
        if record is None or record.webhook_events.isdisjoint(events):
            return False
        self._tenants[application_id] = record.tenant_id
        return True

    def ring(self, application_id: str, channel: str) -> None:
        """After a script may have noted something."""
        waiting = f"{self._tenants[application_id]}:{keys.partition(application_id, channel)}"
        forget(self._lines.call("SADD", keys.HOOKS_WAITING, waiting))

    async def noting(self, application_id: str, channel: str, hook: Hook) -> tuple[str | int, ...]:
        """Names and values to note with an announcement; empty when nobody wants it."""
        if not await self.wanted(application_id, frozenset({hook.name})):
            return ()
        pairs = {"name": hook.name, "channel": channel, **hook.facts}
        return tuple(part for pair in pairs.items() for part in pair)

    async def note_miss(self, application_id: str, channel: str) -> None:
        """Nobody waits for it. Raises LinkLost, CommandFailed."""
        if await self.wanted(application_id, CACHE_MISS):
            names = [keys.hooks_of(application_id, channel)[0], keys.missed(application_id, channel)]
            await scripts.run(self._lines, "miss", names, channel, MISS_WINDOW)
            self.ring(application_id, channel)
