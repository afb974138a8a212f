"""The HTTP sessions of one gateway, and its dealings with the gateways that their other requests reach."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import orjson

from apps.realtime import keys
from apps.realtime.fallback.outlets import LocalOutlet, RemoteOutlet
from apps.realtime.link import forget
from apps.realtime.protocol import closing

if TYPE_CHECKING:
    from apps.realtime.engine import Engine
    from apps.realtime.fallback.session import HttpSession


class Board:
    """Belongs to one event loop. Sessions are named `application:server/session`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._node = engine.name
        self._sessions: dict[str, HttpSession] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        #: Responses that are open here for sessions of other gateways, with the session's name.
        self._lent: dict[str, tuple[str, LocalOutlet]] = {}

    @property
    def has_sessions(self) -> bool:
        """Some may already be closed, and only wait for their client to fetch the reason."""
        return bool(self._sessions)

    # --- Requests that reached this gateway

    def begin(self, name: str, session: HttpSession, outlet: LocalOutlet) -> None:
        """A session that lives here from now on."""
        self._sessions[name] = session
        session.attach(outlet)
        self._tasks[name] = asyncio.get_running_loop().create_task(self._run(name, session))

    async def _run(self, name: str, session: HttpSession) -> None:
        try:
            await session.run()
        finally:
            del self._sessions[name], self._tasks[name]
            self._engine.stop_listening(keys.fallback_session(name).encode())

    async def attach(self, name: str, outlet: LocalOutlet) -> bool:
        """Hands the response to the session, wherever it lives; False when it lives nowhere. Raises LinkLost."""
        session = self._sessions.get(name)
        if session is None:
            await asyncio.shield(self._engine.listen(keys.fallback_node(self._node).encode(), self._lent_heard))
            self._lent[outlet.id] = (name, outlet)
            if await self._tell(name, "attach", self._node, outlet.id, outlet.is_streaming):
                return True
            del self._lent[outlet.id]
            session = self._sessions.get(name)  # it may have begun here meanwhile
        if session is not None:
            session.attach(outlet)
        return session is not None

    def detach(self, name: str, outlet: LocalOutlet) -> None:
        """The request is over."""
        if self._lent.pop(outlet.id, None) is not None:
            forget(asyncio.ensure_future(self._tell(name, "detach", outlet.id)))
        elif name in self._sessions:
            self._sessions[name].detach(outlet.id)

    async def send(self, name: str, texts: Sequence[str]) -> bool:
        """Hands on what a client sent; False when its session lives nowhere. Raises LinkLost, CommandFailed."""
        session = self._sessions.get(name)
        if session is not None:
            session.receive(texts)
            return True
        if await self._tell(name, "send", list(texts)):
            return True
        for lent_to, outlet in list(self._lent.values()):
            if lent_to == name:  # its gateway died: the client need not wait until it notices
                outlet.end()
        return False

    async def _tell(self, name: str, *message: object) -> bool:
        return bool(await self._engine.lines.call("PUBLISH", keys.fallback_session(name), orjson.dumps(message)))

    # --- What other gateways say

    def listen_for(self, name: str) -> asyncio.Future[None]:
        """Done when requests of the session may reach any gateway."""
        return self._engine.listen(keys.fallback_session(name).encode(), partial(self._session_heard, name))

    def _session_heard(self, name: str, body: bytes) -> None:
        session = self._sessions.get(name)
        if session is None:
            return
        verb, *given = orjson.loads(body)
        if verb == "attach":
            node, outlet_id, is_streaming = given
            session.attach(RemoteOutlet(self._engine.lines, node, outlet_id, is_streaming=is_streaming))
        elif verb == "detach":
            session.detach(given[0])
        else:
            session.receive(given[0])

    def _lent_heard(self, body: bytes) -> None:
        outlet_id, _, piece = body.partition(b"\n")
        _, outlet = self._lent.get(outlet_id.decode(), ("", None))
        if outlet is None:
            return
        if piece:
            outlet.put(piece)
        else:
            outlet.end()

    def rebuilt(self) -> None:
        """After the broker connection was lost: what other gateways said meanwhile was missed."""
        self.end_lent()
        for session in list(self._sessions.values()):
            session.close(closing.MESSAGES_LOST)

    def end_lent(self) -> None:
        """Their clients open another request, or come back as from a lost connection."""
        for _, outlet in list(self._lent.values()):
            outlet.end()

    def stop(self) -> None:
        """Ends what is left without another word."""
        self.end_lent()
        for task in list(self._tasks.values()):
            task.cancel()
