"""One node's membership in the cluster: renews the lease, tells changes, and cleans up after dead nodes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from apps.realtime import keys
from apps.realtime.cluster.admission import Admission
from apps.realtime.cluster.identity import Held, Holding, Identity
from apps.realtime.cluster.occupancy import Occupancy
from apps.realtime.cluster.online import Online
from apps.realtime.cluster.presence import Presence
from apps.realtime.hooks import Hooks
from apps.realtime.link import CommandFailed, Lines, LinkLost

log = logging.getLogger(__name__)

#: How long changes gather before they are told together.
_GATHER = 0.03
_RETRY = 0.5
_JANITOR_SECONDS = 30


class Membership:
    """Belongs to one event loop and one region's Valkey."""

    def __init__(self, lines: Lines, hooks: Hooks, on_total: Callable[[str, str, int], None]) -> None:
        self._lines = lines
        self.identity = Identity(lines)
        self.presence = Presence(lines, self.identity, hooks)
        self.online = Online(lines, self.identity)
        self.occupancy = Occupancy(lines, self.identity, hooks, on_total)
        self.admission = Admission(lines, self.identity)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises LinkLost."""
        await self.identity.take()
        self._task = asyncio.get_running_loop().create_task(self._tell())

    def changed(self) -> None:
        """Something was left, released or counted anew: tell the cluster soon."""
        self._wake.set()

    async def _tell(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(_GATHER)
            try:
                await self.flush()
            except (LinkLost, CommandFailed) as error:
                log.warning("cluster.not_told %s", error)
                await asyncio.sleep(_RETRY)
                self._wake.set()

    async def flush(self) -> None:
        await self.presence.flush()
        await self.online.flush()
        await self.occupancy.flush()
        await self.admission.flush()

    async def renew(self) -> None:
        """Every few seconds. A lost lease means others gave our part back: take a new identity and tell it all again.

        Raises LinkLost.
        """
        if not await self.identity.renew():
            log.warning("cluster.lease_lost node=%s", self.identity.node)
            await self.identity.take()
            await self.presence.rejoin()
            await self.online.rejoin()
            self.occupancy.report_everything()
            self.admission.report_everything()
            self._wake.set()
        await self._sweep()

    async def _sweep(self) -> None:
        for raw in await self._lines.call("ZRANGE", keys.NODES, 0, -1):
            node = raw.decode()
            if node == self.identity.node or await self._lines.call("EXISTS", keys.lease(node)):
                continue
            if await self._lines.call("SET", keys.janitor(node), self.identity.node, "NX", "EX", _JANITOR_SECONDS):
                await self._give_back(node)

    async def _give_back(self, node: str) -> None:
        # Each step succeeds once in the cluster, so two janitors at work (one was slow) repeat nothing.
        lines = await self._lines.call("SMEMBERS", keys.inventory(node))
        log.warning("cluster.giving_back node=%s holdings=%d", node, len(lines))
        for line in lines:
            await self._drop(node, Holding.unpacked(line))
        await self._lines.call("DEL", keys.inventory(node))
        await self._lines.call("ZREM", keys.NODES, node)

    async def _drop(self, node: str, holding: Holding) -> None:
        if holding.kind is Held.MEMBER:
            await self.presence.run_leave(node, holding)
        elif holding.kind is Held.ONLINE:
            await self.online.run_leave(node, holding)
        elif holding.kind is Held.OCCUPANCY:
            await self.occupancy.run_occupy(node, holding, 0)
        else:
            await self.admission.run_hold(node, holding, 0)

    async def stop(self) -> None:
        """Tells what is left to tell and gives the identity up."""
        if self._task is not None:
            self._task.cancel()
        if self.identity.node:
            try:
                await self.flush()
                await self.identity.give_up()
            except (LinkLost, CommandFailed) as error:
                log.warning("cluster.left_without_goodbye %s", error)
