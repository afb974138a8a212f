"""A gateway's identity in the cluster: random, held by a lease, with an inventory of what it holds elsewhere."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from enum import StrEnum

import orjson

from apps.realtime import keys
from apps.realtime.link import Lines, forget

LEASE_SECONDS = 15
RENEW_SECONDS = 5


class Held(StrEnum):
    """What an inventory line is about."""

    MEMBER = "member"
    ONLINE = "online"
    OCCUPANCY = "occupancy"
    CONNECTIONS = "connections"


@dataclass(frozen=True, slots=True)
class Holding:
    """One fact of ours in the cluster. tenant_id: of CONNECTIONS. channel: of MEMBER and OCCUPANCY. user_id: of MEMBER
    and ONLINE."""

    kind: Held
    application_id: str
    channel: str = ""
    user_id: str = ""
    tenant_id: int = 0

    def packed(self) -> bytes:
        return orjson.dumps([self.kind, self.application_id, self.channel, self.user_id, self.tenant_id])

    @classmethod
    def unpacked(cls, line: bytes) -> Holding:
        kind, application_id, channel, user_id, tenant_id = orjson.loads(line)
        return cls(Held(kind), application_id, channel, user_id, tenant_id)


class Identity:
    """`node` changes when the lease was lost: whatever the old one held is then the janitors'."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.node = ""

    async def take(self) -> None:
        """A new identity. Raises LinkLost."""
        node = secrets.token_hex(8)
        # The lease first: a janitor takes a listed node without one for dead.
        await self._lines.call("SET", keys.lease(node), "1", "EX", LEASE_SECONDS)
        await self._lines.call("ZADD", keys.NODES, int(time.time()), node)
        self.node = node

    async def renew(self) -> bool:
        """False when the lease had run out. Raises LinkLost."""
        return bool(await self._lines.call("EXPIRE", keys.lease(self.node), LEASE_SECONDS))

    async def give_up(self) -> None:
        """The orderly end; only for a node that holds nothing any more."""
        self._lines.call("ZREM", keys.NODES, self.node)
        await self._lines.call("DEL", keys.lease(self.node), keys.inventory(self.node))

    def note(self, holding: Holding) -> None:
        """Lists a holding. Written before the fact itself, on the same connection, so it is never missing."""
        forget(self._lines.call("SADD", keys.inventory(self.node), holding.packed()))

    def strike(self, holding: Holding) -> None:
        forget(self._lines.call("SREM", keys.inventory(self.node), holding.packed()))
