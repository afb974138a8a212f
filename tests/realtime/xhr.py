"""A client of the HTTP transports on plain ASGI: what pusher-js does, request by request."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from itertools import count
from typing import Any

from apps.realtime.asgi import DataPlane
from tests.realtime.wire import PATIENCE, Client, key_of

_numbers = count(100)


class Response:
    """One request that is open; its lines as they come."""

    def __init__(self, plane: DataPlane, target: str, body: bytes = b"", method: str = "POST") -> None:
        path, _, query = target.partition("?")
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
            "headers": [],
        }  # fmt: skip
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._inbox.put_nowait({"type": "http.request", "body": body})
        self._text, self.size, self.is_over = "", 0, False
        self.task = asyncio.create_task(plane(scope, self._inbox.get, self._outbox.put))

    async def started(self) -> int:
        return int((await asyncio.wait_for(self._outbox.get(), PATIENCE))["status"])

    async def line(self) -> str:
        """Empty at the end of the response."""
        while "\n" not in self._text and not self.is_over:
            message = await asyncio.wait_for(self._outbox.get(), PATIENCE)
            self._text += message["body"].decode()
            self.size += len(message["body"])
            self.is_over = not message.get("more_body")
        line, _, self._text = self._text.partition("\n")
        return line

    async def gone(self) -> None:
        self._inbox.put_nowait({"type": "http.disconnect"})
        await asyncio.wait_for(self.task, PATIENCE)


class HttpClient(Client):
    """A `wire.Client` by HTTP. planes: where its requests go, in turn."""

    def __init__(self, application: Any, *planes: DataPlane, verb: str = "xhr_streaming", query: str = "") -> None:
        self.application, self.planes, self.verb = application, planes, verb
        self.key, self.secret = key_of(application)
        self.base = f"/pusher/app/{self.key}/{next(_numbers)}/abcd0123"
        self.query = query or "protocol=7&client=js&version=8.6.0"
        self.socket_id, self._requests = "", 0
        self.answers: list[asyncio.Task[int]] = []
        self.open()

    def _plane(self) -> DataPlane:
        self._requests += 1
        return self.planes[self._requests % len(self.planes)]

    def open(self) -> None:
        self.response = Response(self._plane(), f"{self.base}/{self.verb}?{self.query}&t=1&n=1")
        self._begun = False

    async def line(self) -> str:
        """As pusher-js does, polls again when a poll is over."""
        while True:
            if not self._begun:
                assert await self.response.started() == 200
                self._begun = True
            if line := await self.response.line():
                return line
            assert self.verb == "xhr", "the stream ended"
            await self.response.task
            self.open()

    async def event(self) -> dict[str, Any]:
        line = await self.line()
        while line == "h":
            line = await self.line()
        assert line[0] == "a", line
        [text] = json.loads(line[1:])
        return dict(json.loads(text))

    async def closed(self) -> int:
        line = await self.line()
        assert line[0] == "c", line
        return int(json.loads(line[1:])[0])

    async def connected(self) -> HttpClient:
        assert await self.line() == "o"
        first = await self.event()
        assert first["event"] == "pusher:connection_established"
        self.socket_id = json.loads(first["data"])["socket_id"]
        return self

    def send_text(self, text: str) -> None:
        self.answers.append(asyncio.create_task(self.sent(json.dumps([text]).encode())))

    async def sent(self, body: bytes) -> int:
        response = Response(self._plane(), f"{self.base}/xhr_send?t=1&n=2", body)
        status = await response.started()
        await response.task
        return status

    async def gone(self) -> None:
        """The request that is open breaks; nobody comes back."""
        await asyncio.gather(*self.answers)
        with suppress(AssertionError):
            await self.response.gone()
