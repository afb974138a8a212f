"""How many connections each channel has over all gateways, and which channels are occupied at all.

A node reports absolute numbers, coalesced: ten joins within a moment are one report, and a repeated report is harmless.
"""

from __future__ import annotations

from collections.abc import Callable

from apps.realtime import keys, scripts
from apps.realtime.cluster.identity import Held, Holding, Identity
from apps.realtime.hooks import LINGER, OCCUPANCY, Hooks
from apps.realtime.link import Lines


class Occupancy:
    """This node's part. on_total(application_id, channel, total) is called after each report."""

    def __init__(
        self, lines: Lines, identity: Identity, hooks: Hooks, on_total: Callable[[str, str, int], None]
    ) -> None:
        self._lines, self._identity, self._hooks, self._on_total = lines, identity, hooks, on_total
        self._counts: dict[Holding, int] = {}
        self._changed: set[Holding] = set()

    def change(self, application_id: str, channel: str, count: int) -> bool:
        """Notes the node's new number; True when it was the channel's first here (report it before the ack)."""
        holding = Holding(Held.OCCUPANCY, application_id, channel)
        first = count > 0 and holding not in self._counts
        if count > 0:
            self._counts[holding] = count
        else:
            self._counts.pop(holding, None)
        self._changed.add(holding)
        return first

    @property
    def is_dirty(self) -> bool:
        return bool(self._changed)

    async def flush(self) -> None:
        """Raises LinkLost; what was not reported then stays to be reported."""
        for holding in list(self._changed):
            await self._report(holding)

    async def report(self, application_id: str, channel: str) -> None:
        await self._report(Holding(Held.OCCUPANCY, application_id, channel))

    async def _report(self, holding: Holding) -> None:
        count = self._counts.get(holding, 0)
        if count:
            self._identity.note(holding)
        self._changed.discard(holding)
        try:
            total = await self.run_occupy(self._identity.node, holding, count)
        except BaseException:
            self._changed.add(holding)
            raise
        if holding not in self._counts and not count:
            self._identity.strike(holding)
        self._on_total(holding.application_id, holding.channel, total)

    async def run_occupy(self, node: str, holding: Holding, count: int) -> int:
        names = [
            keys.occupancy(holding.application_id, holding.channel),
            keys.occupied_of(holding.application_id, holding.channel),
            *keys.hooks_of(holding.application_id, holding.channel),
        ]
        hooked = await self._hooks.wanted(holding.application_id, OCCUPANCY)
        linger = LINGER if hooked else 0
        total = int(await scripts.run(self._lines, "occupy", names, node, holding.channel, count, linger))
        if hooked:
            self._hooks.ring(holding.application_id, holding.channel)
        return total

    def report_everything(self) -> None:
        """Under a new identity."""
        self._changed = set(self._counts)


async def occupied_channels(lines: Lines, application_id: str) -> dict[str, int]:
    """Connections per occupied channel. A fixed number of reads, whatever the number of gateways."""
    futures = [lines.call("HGETALL", keys.occupied(application_id, number)) for number in range(keys.PARTITIONS)]
    totals: dict[str, int] = {}
    for future in futures:
        flat = await future
        totals.update((name.decode(), int(count)) for name, count in zip(flat[::2], flat[1::2], strict=True))
    return totals


async def subscription_count(lines: Lines, application_id: str, channel: str) -> int:
    return int(await lines.call("HGET", keys.occupied_of(application_id, channel), channel) or 0)
