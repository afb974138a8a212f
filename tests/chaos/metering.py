"""What clients saw and what is billed: apart by at most one flush interval of each gateway that was killed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import orjson
from redis import Redis

from apps.realtime import keys
from apps.realtime.usage import INTERVAL
from tests.chaos.faults import CHANNELS, Chaos, Report
from tests.chaos.witnesses import Witness
from tests.live import Live, LiveTenant

#: A flush comes this much later than planned, on a machine that is busy.
_LATE = 2.0


class TimedWitness(Witness):
    """Notes when it heard something, and from which port."""

    def __init__(
        self, ports: Sequence[int], key: str, channels: Sequence[str], seed: int, *, has_positions: bool
    ) -> None:
        super().__init__(ports, key, channels, seed, has_positions=has_positions)
        self.heard: list[tuple[float, int]] = []

    def hear(self, message: dict[str, Any]) -> None:
        super().hear(message)
        if message["event"] == "n" and self.connection is not None:
            self.heard.append((time.monotonic(), self.connection.remote_address[1]))


class Metering(Chaos):
    """Only kills; clients and Valkey stay, so that every difference comes from a dead gateway's last interval."""

    def __init__(self, live: Live, tenant: LiveTenant, seed: int) -> None:
        super().__init__(live, tenant, seed)
        self.timed = [
            TimedWitness(self.ports, tenant.key, CHANNELS, seed + number, has_positions=number % 2 == 0)
            for number in range(4)
        ]
        self.witnesses = [*self.timed]
        self._kills: list[tuple[float, int]] = []
        self._acknowledged: list[float] = []

    async def run(self, faults: int, pause: float = 1.5) -> Report:
        report = await super().run(faults, pause)
        for gateway in self.gateways:
            gateway.stop()  # in order, so all that is left is told
        self._compare()
        return report

    async def one_fault(self) -> None:
        at = await self.kill_a_gateway()
        self._kills.append((self.ended_at, self.ports[at]))
        self.report.faults.append("kill_a_gateway")

    def acknowledged(self, channel: str, number: int) -> None:
        super().acknowledged(channel, number)
        self._acknowledged.append(time.monotonic())

    def _compare(self) -> None:
        billed = self._billed()
        seen = sum(len(witness.heard) for witness in self.timed)
        at_risk = sum(
            self._is_last_interval(at, killed)
            for killed, port in self._kills
            for witness in self.timed
            for at, heard_from in witness.heard
            if heard_from == port
        )
        published_at_risk = sum(
            self._is_last_interval(at, killed) for killed, _ in self._kills for at in self._acknowledged
        )
        self.report.metered = f"{seen} seen, {billed['delivered']} billed, {at_risk} in killed intervals"
        if not -at_risk <= billed["delivered"] - seen <= at_risk:
            self.report.broken.append(f"delivered: {self.report.metered}")
        if not -published_at_risk <= billed["published"] - self.report.published <= 0:
            self.report.broken.append(f"published: {self.report.published}, billed {billed['published']}")

    @staticmethod
    def _is_last_interval(at: float, killed: float) -> bool:
        return killed - INTERVAL - _LATE <= at <= killed + _LATE

    def _billed(self) -> dict[str, int]:
        """As billing counts: each record of a node once."""
        with Redis.from_url(self.live.valkey_url) as client:
            records = [orjson.loads(fields[b"r"]) for _, fields in client.xrange(keys.USAGE)]
        ours = [each for each in records if each["application_id"] == self.tenant.application_id]
        once = {(each["node"], each["seq"]): each for each in ours}
        return {name: sum(each[name] for each in once.values()) for name in ("published", "delivered")}
