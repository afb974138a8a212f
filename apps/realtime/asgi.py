"""The ASGI application of the data plane. What is not its own goes to the control plane."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from weakref import WeakKeyDictionary

from django.conf import settings

from apps.realtime import websocket
from apps.realtime.health import problem_of
from apps.realtime.http import routes
from apps.realtime.http.messages import Receive, Scope, Send
from apps.realtime.link import CommandFailed, LinkLost
from apps.realtime.plane import Plane
from apps.realtime.registry import Source

#: Any ASGI application; Django's types are narrower than the specification's.
ControlPlane = Callable[..., Awaitable[None]]

_RETRY = 0.5


class DataPlane:
    """control_plane: gets every HTTP request that is not the Pusher API. source: where applications are looked up."""

    def __init__(self, control_plane: ControlPlane, source: Source | None = None) -> None:
        self._control_plane, self._source = control_plane, source
        self._planes: WeakKeyDictionary[asyncio.AbstractEventLoop, Plane] = WeakKeyDictionary()

    def plane(self) -> Plane:
        """Of the running loop. Two loops in one process share nothing."""
        loop = asyncio.get_running_loop()
        plane = self._planes.get(loop)
        if plane is None:
            plane = self._planes[loop] = Plane(self._source)
        return plane

    async def start(self) -> None:
        """Connects the home region before the first client comes; goes on trying while its Valkey is away."""
        while True:
            try:
                await self.plane().engine(settings.HOME_REGION)
            except (OSError, LinkLost, CommandFailed):
                await asyncio.sleep(_RETRY)
            else:
                return

    def problem(self) -> str:
        """For the readiness check, from any thread: empty when every plane of this process serves."""
        problems = [problem for plane in list(self._planes.values()) if (problem := problem_of(plane))]
        return "; ".join(problems)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await websocket.serve(self.plane(), scope, receive, send)
        elif scope["type"] == "http" and routes.is_ours(scope["path"]):
            await routes.serve(self.plane(), scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await self._control_plane(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await self.plane().stop()
        await send({"type": "lifespan.shutdown.complete"})
