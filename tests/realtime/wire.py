"""A data plane inside the test's own loop, driven through plain ASGI: no server, the fallback path of peers.py.

Applications come from a source of the test's own, so nothing here needs PostgreSQL.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from apps.realtime.asgi import DataPlane
from apps.realtime.protocol import signing
from apps.tenants.application_settings import ApplicationSettings
from apps.tenants.queries import ApplicationRecord, KeyRecord

PATIENCE = 10.0


def record(region: str, tenant_id: int = 1, **settings: Any) -> ApplicationRecord:
    """An application that nobody else has."""
    unique = uuid4().hex
    return ApplicationRecord(
        tenant_id=tenant_id, application_pk=1, application_id=str(int(unique[:12], 16)), name="Shop", enabled=True,
        region=region, settings=ApplicationSettings(**settings), credentials={f"key-{unique}": f"secret-{unique}"},
    )  # fmt: skip


def key_of(application: ApplicationRecord) -> tuple[str, str]:
    return next(iter(application.credentials.items()))


@dataclass
class Source:
    """A `registry.Source`. questions: how often it was asked."""

    applications: list[ApplicationRecord] = field(default_factory=list)
    keys: dict[str, KeyRecord] = field(default_factory=dict)
    questions: int = 0

    async def application_by_key(self, key: str) -> ApplicationRecord | None:
        self.questions += 1
        return next((record for record in self.applications if key in record.credentials), None)

    async def application_by_id(self, application_id: str) -> ApplicationRecord | None:
        self.questions += 1
        return next((record for record in self.applications if record.application_id == application_id), None)

    async def api_key(self, token: str) -> KeyRecord | None:
        self.questions += 1
        return self.keys.get(token)


class Client:
    """One WebSocket of the test."""

    def __init__(self, plane: DataPlane, application: ApplicationRecord, target: str | None = None) -> None:
        self.application = application
        self.key, self.secret = key_of(application)
        path, _, query = (target or f"/app/{self.key}?protocol=7&client=test&version=1.0").partition("?")
        scope = {"type": "websocket", "path": path, "query_string": query.encode(), "headers": []}
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._inbox.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(plane(scope, self._inbox.get, self._outbox.put))
        self.socket_id = ""

    async def received(self) -> dict[str, Any]:
        """The next ASGI message from the plane."""
        return await asyncio.wait_for(self._outbox.get(), PATIENCE)

    async def event(self) -> dict[str, Any]:
        message = await self.received()
        assert message["type"] == "websocket.send", message
        return json.loads(message["text"])

    async def closed(self) -> int:
        message = await self.received()
        assert message["type"] == "websocket.close", message
        return message["code"]

    async def connected(self) -> Client:
        assert (await self.received())["type"] == "websocket.accept"
        first = await self.event()
        assert first["event"] == "pusher:connection_established"
        self.socket_id = json.loads(first["data"])["socket_id"]
        return self

    def send(self, event: str, data: Any = None, **members: Any) -> None:
        self.send_text(json.dumps({"event": event, "data": data or {}, **members}))

    def send_text(self, text: str) -> None:
        self._inbox.put_nowait({"type": "websocket.receive", "text": text})

    def send_bytes(self, raw: bytes) -> None:
        self._inbox.put_nowait({"type": "websocket.receive", "bytes": raw})

    def auth(self, channel: str, channel_data: str | None = None) -> str:
        text = signing.channel_text(self.socket_id, channel, channel_data)
        return f"{self.key}:{signing.sign(self.secret, text)}"

    async def subscribed(self, channel: str, user: str | None = None) -> dict[str, Any]:
        """Subscribes with a good signature; the ack."""
        data: dict[str, Any] = {"channel": channel}
        if user is not None:
            data["channel_data"] = json.dumps({"user_id": user})
        data["auth"] = self.auth(channel, data.get("channel_data"))
        self.send("pusher:subscribe", data)
        ack = await self.event()
        assert ack["event"] == "pusher_internal:subscription_succeeded", ack
        return ack

    async def signed_in(self, user: str) -> None:
        user_data = json.dumps({"id": user})
        signature = signing.sign(self.secret, signing.sign_in_text(self.socket_id, user_data))
        self.send("pusher:signin", {"auth": f"{self.key}:{signature}", "user_data": user_data})
        assert (await self.event())["event"] == "pusher:signin_success"

    async def nothing_more(self) -> None:
        """A ping's answer comes next: nothing was waiting before it."""
        self.send("pusher:ping")
        assert (await self.event())["event"] == "pusher:pong"

    def leave(self, code: int) -> None:
        self._inbox.put_nowait({"type": "websocket.disconnect", "code": code})

    async def gone(self) -> None:
        """The socket drops."""
        self.leave(1006)
        await asyncio.wait_for(self.task, PATIENCE)


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: dict[bytes, bytes]


class World:
    """A data plane with its source. `node()` makes another one, as a second process would be."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.planes = [DataPlane(_nobody, source)]

    @property
    def plane(self) -> DataPlane:
        return self.planes[0]

    def node(self) -> DataPlane:
        self.planes.append(DataPlane(_nobody, self.source))
        return self.planes[-1]

    async def client(self, application: ApplicationRecord, plane: DataPlane | None = None) -> Client:
        return await Client(plane or self.plane, application).connected()

    async def call(
        self, method: str, target: str, body: bytes = b"", headers: dict[bytes, bytes] | None = None
    ) -> Answer:
        path, _, query = target.partition("?")
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
            "headers": list((headers or {}).items()),
        }  # fmt: skip
        sent: list[dict[str, Any]] = []

        requests = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> dict[str, Any]:
            for message in requests:
                return message
            return await asyncio.get_running_loop().create_future()  # the client stays

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.plane(scope, receive, send)
        return Answer(sent[0]["status"], json.loads(sent[1]["body"]), dict(sent[0]["headers"]))

    async def signed(
        self, application: ApplicationRecord, method: str, path: str, body: Any = None, query: str = "",
        headers: dict[bytes, bytes] | None = None, now: float | None = None,
    ) -> Answer:  # fmt: skip
        """A call under /apps/{application_id}, signed as an SDK would."""
        key, secret = key_of(application)
        path = f"/apps/{application.application_id}{path}"
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        stamp = int(time.time() if now is None else now)
        parameters = f"auth_key={key}&auth_timestamp={stamp}&auth_version=1.0" + (f"&{query}" if query else "")
        if raw:
            parameters += f"&body_md5={hashlib.md5(raw).hexdigest()}"
        request = signing.SignedRequest(method, path, parameters.encode(), raw)
        signature = signing.sign(secret, signing.request_text(request, signing.query_pairs(request.query)))
        return await self.call(method, f"{path}?{parameters}&auth_signature={signature}", raw, headers)

    async def published(self, application: ApplicationRecord, channel: str, name: str = "e", data: str = "1") -> None:
        answer = await self.signed(application, "POST", "/events", {"name": name, "channel": channel, "data": data})
        assert (answer.status, answer.body) == (200, {})


async def _nobody(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("this went to the control plane")


@asynccontextmanager
async def world(*applications: ApplicationRecord) -> AsyncIterator[World]:
    made = World(Source(list(applications)))
    try:
        yield made
    finally:
        for plane in made.planes:
            await plane.plane().stop()
