"""Connection limits over all gateways: a place is reserved in one step, and given back with the node's lease."""

from __future__ import annotations

from collections import Counter

from apps.realtime import keys, scripts
from apps.realtime.cluster.identity import Held, Holding, Identity
from apps.realtime.link import Lines


class Admission:
    """This node's connections per application."""

    def __init__(self, lines: Lines, identity: Identity) -> None:
        self._lines, self._identity = lines, identity
        self._counts: Counter[Holding] = Counter()
        self._changed: set[Holding] = set()

    async def admit(self, tenant_id: int, application_id: str, *, cap: int) -> bool:
        """Reserves a place against the application's cap (0 = none) and the tenant's. Raises LinkLost."""
        holding = _holding(tenant_id, application_id)
        if not self._counts[holding]:
            self._identity.note(holding)
        # Counted before the reply: a report sent meanwhile must already include this connection.
        self._counts[holding] += 1
        try:
            reply = await scripts.run(
                self._lines,
                "admit",
                [*_keys(holding), *keys.connection_allowances(tenant_id, application_id)],
                self._identity.node,
                cap,
            )
        except BaseException:
            self.release(tenant_id, application_id)
            raise
        if reply < 0:
            self.release(tenant_id, application_id)
        return bool(reply > 0)

    def release(self, tenant_id: int, application_id: str) -> None:
        holding = _holding(tenant_id, application_id)
        self._counts[holding] -= 1
        self._changed.add(holding)

    @property
    def is_dirty(self) -> bool:
        return bool(self._changed)

    async def flush(self) -> None:
        """Raises LinkLost; what was not reported then stays to be reported."""
        for holding in list(self._changed):
            self._changed.discard(holding)
            count = self._counts[holding]
            try:
                await self.run_hold(self._identity.node, holding, count)
            except BaseException:
                self._changed.add(holding)
                raise
            if not count and not self._counts[holding]:
                del self._counts[holding]
                self._identity.strike(holding)

    async def run_hold(self, node: str, holding: Holding, count: int) -> None:
        await scripts.run(self._lines, "hold", _keys(holding), node, count)

    def report_everything(self) -> None:
        """Under a new identity."""
        self._changed = set(self._counts)
        for holding in self._changed:
            self._identity.note(holding)


def _holding(tenant_id: int, application_id: str) -> Holding:
    return Holding(Held.CONNECTIONS, application_id, tenant_id=tenant_id)


def _keys(holding: Holding) -> list[str]:
    return [keys.connections(holding.tenant_id, holding.application_id), keys.connections(holding.tenant_id)]
