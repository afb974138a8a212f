"""Two gateways on one Valkey, publishers and witnesses, and faults in an order that a seed decides."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

from redis import Redis, RedisError

from apps.realtime import keys
from tests.chaos.witnesses import Witness, faults_in
from tests.live import Live, LiveTenant

CHANNELS = ("orders", "prices", "chat")
_SERVERS = ("daphne", "uvicorn")
#: For publications and resumes to come to rest, in seconds.
_PATIENCE = 60.0


@dataclass
class Report:
    """What a run has seen. broken: sentences, empty when every promise was kept."""

    seed: int
    faults: list[str] = field(default_factory=list)
    published: int = 0
    connections: int = 0
    gaps: int = 0
    broken: list[str] = field(default_factory=list)
    metered: str = ""


class Chaos:
    """Owns the gateways it starts. The Valkey is the `Live` product's own, killed and started again empty."""

    def __init__(self, live: Live, tenant: LiveTenant, seed: int) -> None:
        self.live, self.tenant, self._random = live, tenant, random.Random(seed)
        #: Of the publishers, which take turns as they come: it must not move the order of the faults.
        self._choice = random.Random(seed)
        self.gateways = [live.server("--server", name, "--drain", "1") for name in _SERVERS]
        self.ports = [gateway.port for gateway in self.gateways]
        self.witnesses = [
            Witness(self.ports, tenant.key, CHANNELS, seed + number, has_positions=number % 2 == 0)
            for number in range(8)
        ]
        self._published = dict.fromkeys(CHANNELS, 0)
        self._links: dict[str, HTTPConnection] = {}
        self._stopped = False
        #: When the last gateway was ended, as time.monotonic() counts.
        self.ended_at = 0.0
        self.report = Report(seed)

    async def run(self, faults: int, pause: float = 1.5) -> Report:
        allowing = asyncio.create_task(self._allow())
        staying = [asyncio.create_task(witness.stay()) for witness in self.witnesses]
        publishing = [asyncio.create_task(self._publish(channel)) for channel in CHANNELS]
        try:
            await asyncio.wait_for(self._begun(), _PATIENCE)
            await asyncio.sleep(pause)
            for _ in range(faults):
                await self.one_fault()
                await asyncio.sleep(self._random.uniform(0.2, 2 * pause))
            self._stopped = True
            await asyncio.wait_for(asyncio.gather(*publishing), _PATIENCE)
            await self._come_to_rest()
        finally:
            for task in (allowing, *staying, *publishing):
                task.cancel()
            await asyncio.gather(allowing, *staying, *publishing, return_exceptions=True)
        self._judge()
        return self.report

    async def _begun(self) -> None:
        """Everybody has heard something on every channel."""
        # Polled, since the many who may be last do not know each other.
        while any(witness.last(channel) is None for witness in self.witnesses for channel in CHANNELS):  # noqa: ASYNC110
            await asyncio.sleep(0.1)

    # --- Load

    async def _publish(self, channel: str) -> None:
        """Each number until it is acknowledged, so that what was acknowledged is 1, 2, 3, …"""
        while not self._stopped or self._published[channel] == 0:
            number = self._published[channel] + 1
            while not await asyncio.to_thread(self._post, channel, number):  # noqa: ASYNC110  # asks a server
                await asyncio.sleep(0.05)
            self.acknowledged(channel, number)

    def acknowledged(self, channel: str, number: int) -> None:
        self._published[channel] = number

    def _post(self, channel: str, number: int) -> bool:
        """Over one connection per channel, to another gateway after each failure."""
        link = self._links.get(channel)
        if link is None:
            link = self._links[channel] = HTTPConnection("127.0.0.1", self._choice.choice(self.ports), timeout=5)
        body = json.dumps({"name": "n", "channel": channel, "data": str(number)})
        headers = {"Authorization": f"Bearer {self.tenant.api_key}", "Idempotency-Key": f"{channel}:{number}"}
        try:
            link.request("POST", f"/apps/{self.tenant.application_id}/events", body, headers)
            response = link.getresponse()
            response.read()
        except (OSError, HTTPException):
            del self._links[channel]
            link.close()
            return False
        return response.status == 200

    async def _allow(self) -> None:
        """Answers as billing's tick does, all the time: an emptied Valkey asks again, and the grace is soon spent."""
        while True:
            await asyncio.to_thread(self._offer_allowance)
            await asyncio.sleep(0.2)

    def _offer_allowance(self) -> None:
        with suppress(RedisError), Redis.from_url(self.live.valkey_url) as client:
            for name in client.smembers(keys.ALLOWANCE_ASKS):
                client.set(keys.message_allowance(int(name)), 10**9)

    # --- Faults

    async def one_fault(self) -> None:
        fault = self._random.choice([
            self.kill_a_gateway, self._stop_a_gateway, self._empty_valkey, self._cut_broker_links, self._cut_clients,
            self._cut_clients,
        ])  # fmt: skip
        self.report.faults.append(fault.__name__.strip("_"))
        await fault()

    async def kill_a_gateway(self) -> int:
        """Which one."""
        return await self._end_a_gateway(signal.SIGKILL)

    async def _stop_a_gateway(self) -> int:
        return await self._end_a_gateway(signal.SIGTERM)

    async def _end_a_gateway(self, how: signal.Signals) -> int:
        at = self._random.randrange(len(self.gateways))
        gateway = self.gateways[at]
        gateway.process.send_signal(how)
        self.ended_at = time.monotonic()
        await asyncio.to_thread(gateway.process.wait, 30)
        await asyncio.sleep(self._random.uniform(0, 1))
        arguments = ("--server", _SERVERS[at], "--drain", "1", "--port", str(gateway.port))
        self.gateways[at] = await asyncio.to_thread(self.live.server, *arguments)
        return at

    async def _empty_valkey(self) -> None:
        await asyncio.to_thread(self.live.restart_valkey_empty)

    async def _cut_broker_links(self) -> None:
        for _ in range(5):
            with suppress(RedisError), Redis.from_url(self.live.valkey_url) as client:
                client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            await asyncio.sleep(self._random.uniform(0.02, 0.3))

    async def _cut_clients(self) -> None:
        for witness in self._random.sample(self.witnesses, 3):
            witness.cut()

    # --- Judgement

    async def _come_to_rest(self) -> None:
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        # One more of each, so that every witness has something to hear however late it came back.
        while self._behind() and asyncio.get_running_loop().time() < deadline:
            for channel in CHANNELS:
                if await asyncio.to_thread(self._post, channel, self._published[channel] + 1):
                    self.acknowledged(channel, self._published[channel] + 1)
            await asyncio.sleep(0.3)

    def _behind(self) -> list[str]:
        return [
            f"witness {number} has {witness.last(channel)} of {self._published[channel]} on {channel}"
            for number, witness in enumerate(self.witnesses)
            for channel in CHANNELS
            if witness.last(channel) != self._published[channel]
        ]

    def _judge(self) -> None:
        report = self.report
        report.published = sum(self._published.values())
        report.broken = self._behind()
        for number, witness in enumerate(self.witnesses):
            report.connections += witness.connections
            for channel, notes in witness.notes.items():
                report.gaps += notes.count("gap")
                report.broken += [f"witness {number} on {channel}: {fault}" for fault in faults_in(notes)]
