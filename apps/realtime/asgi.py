"""The ASGI application of the data plane. What is not its own goes to the control plane."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from weakref import WeakKeyDictionary

from apps.realtime import websocket
from apps.realtime.http import routes
from apps.realtime.http.messages import Receive, Scope, Send
from apps.realtime.plane import Plane
from apps.realtime.registry import Source

ControlPlane = Callable[[Scope, Receive, Send], Awaitable[None]]


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
