"""What a tenant may still publish. Billing offers, gateways take blocks and give back what they did not spend.

Nobody waits for billing: while it has not said how much is left, a process may spend a small grace.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from redis import Redis

from apps.realtime import keys, scripts
from apps.realtime.errors import AllowanceSpent, AllowanceUnavailable
from apps.realtime.link import CommandFailed, Lines, LinkLost

BLOCK = 100
GRACE = 1_000
#: How long a refusal is believed without asking again, and after how long an idle block is given back, in seconds.
_REFUSED_FOR, _IDLE = 1.0, 20.0


def offer(client: Redis, tenant_id: int, *, messages: int | None = None, connections: int | None = None) -> None:
    """Billing's answer: publications left in the period, and the cap on simultaneous connections (None = no cap)."""
    if messages is not None:
        client.set(keys.message_allowance(tenant_id), max(messages, 0))
    client.srem(keys.ALLOWANCE_ASKS, tenant_id)
    _set_or_delete(client, keys.connection_allowance(tenant_id), connections)


def asked(client: Redis) -> list[int]:
    """The tenants some gateway waits to hear about."""
    return sorted(int(raw) for raw in client.smembers(keys.ALLOWANCE_ASKS))


def offer_to_application(client: Redis, tenant_id: int, application_id: str, messages: int | None) -> None:
    """Billing's answer about an application: publications left of its own limit, None when it has none."""
    _set_or_delete(client, keys.message_allowance(tenant_id, application_id), messages)


def bound_connections(client: Redis, tenant_id: int, application_id: str, connections: int | None) -> None:
    """Billing's answer about an application: the most connections at once, None when its limits say nothing of it."""
    _set_or_delete(client, keys.connection_allowance(tenant_id, application_id), connections)


def _set_or_delete(client: Redis, key: str, units: int | None) -> None:
    if units is None:
        client.delete(key)
    else:
        client.set(key, max(units, 0))


@dataclass(slots=True)
class _Block:
    left: int = 0
    refused_until: float = 0.0
    used_at: float = field(default_factory=time.monotonic)


class Allowances:
    """This process's blocks, by tenant and application, and its grace, by tenant. Belongs to one event loop."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._blocks: dict[tuple[int, str], _Block] = {}
        self._graces: dict[int, int] = {}

    def take_at_hand(self, tenant_id: int, application_id: str, count: int) -> bool:
        """Takes from the block at hand without waiting; False when `take` must be awaited instead."""
        block = self._blocks.get((tenant_id, application_id))
        if block is None or block.left < count:
            return False
        block.left -= count
        block.used_at = time.monotonic()
        return True

    async def take(self, tenant_id: int, application_id: str, count: int) -> None:
        """Raises AllowanceSpent, AllowanceUnavailable, LinkLost, CommandFailed."""
        if self.take_at_hand(tenant_id, application_id, count):
            return
        block = self._blocks.setdefault((tenant_id, application_id), _Block())
        if block.refused_until > time.monotonic():
            raise AllowanceSpent
        wanted = max(BLOCK, count)
        taken = int(await scripts.run(self._lines, "take", keys.message_allowances(tenant_id, application_id), wanted))
        if taken < 0:
            await self._lines.call("SADD", keys.ALLOWANCE_ASKS, tenant_id)
            self._spend_grace(tenant_id, count)
            return
        self._graces.pop(tenant_id, None)
        block.left += taken
        if not self.take_at_hand(tenant_id, application_id, count):
            block.refused_until = time.monotonic() + _REFUSED_FOR
            raise AllowanceSpent

    def _spend_grace(self, tenant_id: int, count: int) -> None:
        left = self._graces.get(tenant_id, GRACE)
        if left < count:
            raise AllowanceUnavailable
        self._graces[tenant_id] = left - count

    def refund(self, tenant_id: int, application_id: str, count: int) -> None:
        """What was taken for a publication that turned out to be a repeat."""
        self._blocks.setdefault((tenant_id, application_id), _Block()).left += count

    async def give_back(self, *, everything: bool = False) -> None:
        """Returns blocks nobody used lately (all of them, on drain). Raises LinkLost, CommandFailed."""
        now = time.monotonic()
        for (tenant_id, application_id), block in list(self._blocks.items()):
            if not everything and now - block.used_at < _IDLE:
                continue
            unspent, block.left = block.left, 0
            if unspent:
                try:
                    await scripts.run(
                        self._lines, "give_back", keys.message_allowances(tenant_id, application_id), unspent
                    )
                except (LinkLost, CommandFailed):
                    block.left += unspent
                    raise
            elif now - block.used_at > _IDLE:
                del self._blocks[tenant_id, application_id]
