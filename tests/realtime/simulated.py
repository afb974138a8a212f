"""One gateway's hub, continuity, log reader and connections on a Valkey and clients that a test moves by hand.

What Valkey does, and when each answer and each publication arrives, is decided step by step, so that any interleaving
can be told: a publication between a read and its answer, a wipe while a repair waits, a peer that is cut in a fan-out.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from apps.realtime import keys, scripts
from apps.realtime.connection import Connection
from apps.realtime.continuity import Continuity
from apps.realtime.engine import Engine
from apps.realtime.fairness import Turns
from apps.realtime.history import ChannelLogs
from apps.realtime.hub import Hub
from apps.realtime.link import LinkLost
from apps.realtime.protocol.frames import payloads_of
from apps.realtime.protocol.publications import Topic, packed
from tests.chaos.witnesses import GAP, Notes
from tests.realtime.wire import record

CHANNEL = "news"
KEPT = 6
_CONFIRMED = b""


class Valkey:
    """One channel's log, and the two links of one gateway to it. Commands are carried out by `serve`, their answers
    arrive with `reply`, and publications with `push`."""

    def __init__(self) -> None:
        self.life = 0
        self.names: dict[bytes, bytes] = {}
        self.epoch, self.entries, self.top = "", list[tuple[int, bytes]](), 0
        self.asked: deque[tuple[tuple[Any, ...], asyncio.Future[Any]]] = deque()
        self.answered: deque[tuple[asyncio.Future[Any], Any]] = deque()
        self.is_subscribed = True
        self.pushes: deque[bytes] = deque()
        self.published = 0

    # --- What the gateway sees of it

    def call(self, *command: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.asked.append((command, future))
        return future

    # --- What happens to it

    def publish(self) -> None:
        """The next number, acknowledged."""
        self.published += 1
        self.epoch = self.epoch or f"life{self.life}"
        self.top += 1
        json_text = json.dumps({"event": "n", "channel": CHANNEL, "data": str(self.published)}).encode()
        body = packed(f"id{self.published}", "", Topic.EVENT, json_text, '{"k":1}')
        self.entries = [*self.entries, (self.top, body)][-KEPT:]
        if self.is_subscribed:
            self.pushes.append(f"{self.epoch}:{self.top} ".encode() + body)

    def serve(self) -> None:
        if self.asked:
            command, future = self.asked.popleft()
            self.answered.append((future, self._carry_out(command)))

    def reply(self) -> None:
        if self.answered:
            future, answer = self.answered.popleft()
            if not future.done():
                future.set_result(answer)

    def wipe(self) -> None:
        """Killed and started empty: what was under way is lost."""
        self.life, self.names, self.epoch, self.entries, self.top = self.life + 1, {}, "", [], 0
        for _, future in self.asked:
            if not future.done():
                future.set_exception(LinkLost("wiped"))
        self.asked.clear()
        self.cut_link()

    def cut_link(self) -> None:
        """The connection that publications come by is lost."""
        self.is_subscribed = False
        self.pushes.clear()

    def reconnect(self) -> None:
        if not self.is_subscribed:
            self.is_subscribed = True
            self.pushes.append(_CONFIRMED)

    def _carry_out(self, command: tuple[Any, ...]) -> Any:
        if command[0] == "SET":
            old = self.names.get(command[1])
            self.names.setdefault(command[1], command[2])
            return old
        if command[0] == "EVALSHA" and command[1] == scripts.script("read").digest:
            return self._read(*command[3 + command[2] :])
        return 0

    def _read(self, fresh: str, *rest: Any) -> list[Any]:
        """As lua/read.lua."""
        start, end, limit = rest[-3:]
        self.epoch = self.epoch or fresh
        if not self.epoch:
            return [b"", 0, b"", [], b""]
        newest = self.entries[-1][1].split(b" ")[0] if self.entries else b""
        entries = []
        if start != "":
            last = self.top if end == "" else int(end)
            first, last = min(int(start), last), max(int(start), last)
            entries = [[f"{at}-0".encode(), [b"b", body]] for at, body in self.entries if first <= at <= last][:limit]
        return [self.epoch.encode(), self.top, newest, entries, b""]


class Peer:
    """`peers.Frames` of one client, as on uvloop: after the end, a `write` that somebody kept raises."""

    buffered = 0

    def __init__(self, client: Client) -> None:
        self._client = client
        self.end = asyncio.Event()
        self.write: Callable[[bytes], None] = self._write

    def accept_writes(self, limit: int, on_overflow: Callable[[], None]) -> None:
        """Nothing here is ever slow."""

    def _write(self, wire: bytes) -> None:
        if self.end.is_set():
            raise RuntimeError("the handler is closed")
        for payload in payloads_of(wire):
            self._client.hear(json.loads(payload))

    def cut(self) -> None:
        self.end.set()
        self.write = lambda wire: None

    def close(self, code: int, reason: str) -> None:
        if not self.end.is_set():
            self.cut()
            self._client.ended(code)


class Client(Notes):
    """Comes back as often as it is told to. has_positions: resumes where it stands.
    filters: by what every publication passes."""

    def __init__(self, gateway: Gateway, *, has_positions: bool, filters: bool) -> None:
        super().__init__()
        self._filters = filters
        self._gateway, self._has_positions = gateway, has_positions
        self.peer: Peer | None = None
        self._next_at_most: int | None = None
        #: One connection after the other: what was skipped at a beginning.
        self.late: list[str] = []
        self._late_here = 0

    def hear(self, message: dict[str, Any]) -> None:
        """Whoever begins, or was told of a loss, hears everything that is published from then on."""
        notes = self.notes[CHANNEL]
        known = len(notes)
        super().hear(message)
        if GAP in notes[known:]:
            self._next_at_most = self._gateway.valkey.published + 1
        elif len(notes) > known and self._next_at_most is not None:
            if int(notes[-1]) > self._next_at_most:
                self.late.append(f"began with {notes[-1]} and not {self._next_at_most}")
            self._next_at_most = None

    def connect(self) -> None:
        if self.peer is not None:
            return
        engine, self._late_here = self._gateway.engine, len(self.late)
        self.peer = Peer(self)
        connection = Connection(engine, engine.application(self._gateway.record), self.peer, "")
        connection.application.add(connection)
        fields: dict[str, Any] = {"channel": CHANNEL}
        if self._has_positions:
            fields["position"] = self.positions.get(CHANNEL, True)
        if self._filters:
            fields["filter"] = {"k": 1}
        text = json.dumps({"event": "pusher:subscribe", "data": fields})
        self._gateway.spawn(self._stay(connection, self.peer, text))

    async def _stay(self, connection: Connection, peer: Peer, text: str) -> None:
        await connection.receive(text)
        await peer.end.wait()
        await asyncio.sleep(0)  # its task learns of the end a moment later
        connection.leave_channels()
        connection.application.remove(connection)

    def cut(self) -> None:
        """The network goes away; the gateway does not know yet."""
        if self.peer is not None:
            self.peer.cut()
            self.peer = None

    def ended(self, code: int) -> None:
        self.peer = None
        if not self._has_positions:
            self.closed(code)
            del self.late[self._late_here :]  # it was told


class Broker:
    """Subscriptions of the one channel. The link is the Valkey's."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self.topics: dict[bytes, asyncio.Future[None]] = {}

    def subscribe(self, topic: bytes) -> asyncio.Future[None]:
        if topic not in self.topics:
            self.topics[topic] = asyncio.get_running_loop().create_future()
            self.confirm_if_connected(topic)
        return self.topics[topic]

    def unsubscribe(self, topic: bytes) -> None:
        self.topics.pop(topic).cancel()

    def confirm_if_connected(self, topic: bytes) -> None:
        if self._valkey.is_subscribed and not self.topics[topic].done():
            self.topics[topic].set_result(None)


class Gateway:
    """The real thing, from connections down to the log's reader, between two fakes."""

    def __init__(self, region: str) -> None:
        self.valkey, self.record = Valkey(), record(region)
        self.engine = Engine(region, None)  # type: ignore[arg-type]  # nobody asks for another application
        self.engine.lines = self.valkey  # type: ignore[assignment]
        self.engine.logs = ChannelLogs(self.valkey)  # type: ignore[arg-type]
        self.engine.broker = Broker(self.valkey)  # type: ignore[assignment]
        self.engine.continuity = Continuity(self.engine)
        self.engine.hub = Hub(self.engine.continuity.gap)
        self.engine.turns = Turns(self.engine.hub, self.engine._deliver, lambda wanted: None)
        self.engine.count_subscribers = _nothing  # type: ignore[method-assign]
        self.clients = [Client(self, has_positions=number % 2 == 0, filters=number > 1) for number in range(4)]
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def push(self, count: int) -> None:
        """Hands over so many of what is under way, as one read of the socket would."""
        messages = []
        topic = keys.topic(self.record.application_id, CHANNEL).encode()
        for _ in range(min(count, len(self.valkey.pushes))):
            message = self.valkey.pushes.popleft()
            if message == _CONFIRMED:
                for each in self.engine.broker.topics:  # type: ignore[attr-defined]
                    self.engine.broker.confirm_if_connected(each)  # type: ignore[attr-defined]
                self.engine.continuity.rebuilt()
            else:
                messages.append((topic, message))
        self.engine.turns.take(messages)

    async def settle(self) -> None:
        """Everything that is under way arrives."""
        for _ in range(8):
            while self.valkey.asked or self.valkey.answered:
                self.valkey.serve()
                self.valkey.reply()
            self.push(len(self.valkey.pushes))
            await turns(3)
            while not self.engine.turns.is_idle:  # each turn is one round of the loop
                await turns(1)

    async def come_to_rest(self) -> None:
        """Everybody is there, and two more publications show what is missing."""
        for _ in range(2):
            for _ in range(4):
                self.valkey.reconnect()
                for client in self.clients:
                    client.connect()
                await self.settle()
            self.valkey.publish()
        await self.settle()

    async def stop(self) -> None:
        self.engine.continuity.stop()
        for task in list(self._tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _nothing(channel: Any) -> None:
    """The cluster is not part of this."""


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
