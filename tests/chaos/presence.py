"""A random walk over presence channels on three gateways that are killed and drained, against a model that is a set.

Everybody who stays writes down members as they are told; each may be added only when absent and removed only when
present, so that a departure told twice, or never, shows. What webhooks will tell is read from their streams.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

from redis import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from apps.realtime import keys
from apps.realtime.protocol import signing
from tests.live import Live, LiveTenant

_CHANNELS = ("presence-hall", "presence-yard")
_USERS = ("ada", "bob", "cleo", "dan")
_SERVERS = ("daphne", "uvicorn", "daphne")
#: For the cluster to agree after a step, in seconds: a sweep after dead nodes comes every five.
_PATIENCE = 30.0


@dataclass
class Report:
    seed: int
    steps: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


class Visitor:
    """One connection of a user on one channel."""

    def __init__(self, user: str, channel: str, at: int) -> None:
        self.user, self.channel, self.at = user, channel, at
        self.members: set[str] = set()
        self.broken: list[str] = []
        self._socket: ClientConnection
        self._listening: asyncio.Task[None]

    async def enter(self, port: int, tenant: LiveTenant) -> None:
        self._socket = await connect(f"ws://127.0.0.1:{port}/app/{tenant.key}?protocol=7", compression=None)
        socket_id = json.loads(json.loads(await self._socket.recv())["data"])["socket_id"]
        data = json.dumps({"user_id": self.user})
        text = signing.channel_text(socket_id, self.channel, data)
        auth = f"{tenant.key}:{signing.sign(tenant.secret, text)}"
        subscribe = {"channel": self.channel, "channel_data": data, "auth": auth}
        await self._socket.send(json.dumps({"event": "pusher:subscribe", "data": subscribe}))
        ack = json.loads(await self._socket.recv())
        self.members = set(json.loads(ack["data"])["presence"]["ids"])
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        with suppress(WebSocketException):
            async for text in self._socket:
                self._hear(json.loads(text))

    def _hear(self, message: dict[str, Any]) -> None:
        if not message["event"].startswith("pusher_internal:member_"):
            return
        user, added = json.loads(message["data"])["user_id"], message["event"].endswith("added")
        if (user in self.members) == added:
            self.broken.append(f"{self.user} was told twice: {message['event']} {user} on {self.channel}")
        self.members ^= {user}

    async def leave(self) -> None:
        await self._socket.close()
        await self._listening

    async def cut(self) -> None:
        self._socket.transport.abort()
        await self._listening


class PresenceWalk:
    """Owns its gateways. The tenant should have no other traffic."""

    def __init__(self, live: Live, tenant: LiveTenant, seed: int) -> None:
        self._live, self._tenant, self._random = live, tenant, random.Random(seed)
        self._gateways = [live.server("--server", name, "--drain", "0.5") for name in _SERVERS]
        self._visitors: list[Visitor] = []
        self._ever: Counter[str] = Counter()
        self.report = Report(seed)

    async def run(self, steps: int) -> Report:
        """A gateway is killed in the middle and drained at the end, whatever the seed says besides."""
        self._want_webhooks()
        try:
            for number in range(steps):
                await self._one_step({steps // 2: self._kill_gateway, steps - 1: self._drain_gateway}.get(number))
            await self._everybody_leaves()
        finally:
            for gateway in self._gateways:
                await asyncio.to_thread(gateway.stop)
        self._judge_webhooks()
        return self.report

    async def _one_step(self, step: Callable[[], Awaitable[str]] | None) -> None:
        enough = len(self._visitors) > 3
        choice = [self._enter] * 4 + ([self._leave, self._cut, self._cut, self._kill_gateway] if enough else [])
        self.report.steps.append(await (step or self._random.choice(choice))())
        await self._agree()

    # --- Steps; each answers what it did

    async def _enter(self) -> str:
        visitor = Visitor(
            self._random.choice(_USERS), self._random.choice(_CHANNELS), self._random.randrange(len(self._gateways))
        )
        await visitor.enter(self._gateways[visitor.at].port, self._tenant)
        self._visitors.append(visitor)
        self._ever[f"{visitor.channel} {visitor.user}"] += 1
        return f"{visitor.user} enters {visitor.channel} at {visitor.at}"

    def _pick(self) -> Visitor:
        visitor = self._random.choice(self._visitors)
        self._visitors.remove(visitor)
        return visitor

    async def _leave(self) -> str:
        visitor = self._pick()
        await visitor.leave()
        return f"{visitor.user} leaves {visitor.channel}"

    async def _cut(self) -> str:
        visitor = self._pick()
        await visitor.cut()
        return f"{visitor.user} on {visitor.channel} is cut"

    async def _kill_gateway(self) -> str:
        return await self._end_gateway(signal.SIGKILL)

    async def _drain_gateway(self) -> str:
        return await self._end_gateway(signal.SIGTERM)

    async def _end_gateway(self, how: signal.Signals) -> str:
        at = self._random.randrange(len(self._gateways))
        there = [visitor for visitor in self._visitors if visitor.at == at]
        self._visitors = [visitor for visitor in self._visitors if visitor.at != at]
        process = self._gateways[at].process
        process.send_signal(how)
        await asyncio.to_thread(process.wait, 30)
        for visitor in there:
            await visitor.cut()
            self.report.broken += visitor.broken
        self._gateways[at] = await asyncio.to_thread(self._live.server, "--server", _SERVERS[at], "--drain", "0.5")
        return f"{how.name} to {at} with {len(there)}"

    # --- The model

    def _present(self, channel: str) -> set[str]:
        return {visitor.user for visitor in self._visitors if visitor.channel == channel}

    async def _agree(self) -> None:
        """Everybody's list, and what any gateway answers over HTTP, come to be the model's."""
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while wrong := self._differences():
            if asyncio.get_running_loop().time() > deadline:
                self.report.broken += [f"after {self.report.steps[-1]}: {sentence}" for sentence in wrong]
                return
            await asyncio.sleep(0.1)

    def _differences(self) -> list[str]:
        wrong = [sentence for visitor in self._visitors for sentence in visitor.broken]
        for channel in _CHANNELS:
            present = self._present(channel)
            wrong += [
                f"{visitor.user} sees {visitor.members} and not {present}"
                for visitor in self._visitors
                if visitor.channel == channel and visitor.members != present
            ]
            said = self._ask("GET", f"/apps/{self._tenant.application_id}/channels/{channel}?info=user_count")
            if said != {"occupied": bool(present), "user_count": len(present)}:
                wrong.append(f"{channel} has {said}, and {present} are there")
        return wrong

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        link = HTTPConnection("127.0.0.1", self._random.choice(self._gateways).port, timeout=60)
        headers = {"Authorization": f"Bearer {self._tenant.api_key}", "Content-Type": "application/json"}
        link.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = link.getresponse()
        answer = json.loads(response.read())
        link.close()
        assert response.status < 300, answer
        return answer

    # --- What webhooks are told

    def _want_webhooks(self) -> None:
        events = ["member_added", "member_removed", "channel_occupied", "channel_vacated"]
        self._ask("POST", "/api/v1/webhooks", {"url": "https://hooks.example.com/presence", "events": events})

    async def _everybody_leaves(self) -> None:
        for visitor in self._visitors:
            await visitor.leave()
        self._visitors.clear()
        self.report.steps.append("everybody leaves")
        await self._agree()

    def _judge_webhooks(self) -> None:
        """Nobody fetched them, so all departures still linger: one arrival, and one lingering departure, of each."""
        told, lingering = Counter[str](), Counter[str]()
        with Redis.from_url(self._live.valkey_url) as client:
            for number in range(keys.PARTITIONS):
                for _, fields in client.xrange(keys.hooks(self._tenant.application_id, number)):
                    told[b" ".join(fields.values()).decode()] += 1
                for entry in client.zrange(keys.linger(self._tenant.application_id, number), 0, -1):
                    lingering[entry.decode()] += 1
        channels = {name.split()[0] for name in self._ever}
        arrivals = [f"member_added {name}" for name in self._ever] + [f"channel_occupied {name}" for name in channels]
        departures = [f"member {name}" for name in self._ever] + [f"occupancy {name}" for name in channels]
        if told != Counter(arrivals):
            self.report.broken.append(f"webhooks tell {told}, and what arrived was {arrivals}")
        if lingering != Counter(departures):
            self.report.broken.append(f"{lingering} lingers, and what left was {departures}")
