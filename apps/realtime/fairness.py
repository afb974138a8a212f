"""Publications that one turn of the event loop cannot deliver wait here, and applications take turns.

Usually nothing waits: what the broker brings is delivered at once, in its order. Only when that takes longer than
`TURN` does the rest wait, by application, so that a burst of one costs the others a share and not the whole burst
(deficit round robin, Shreedhar and Varghese 1995; a publication costs as much as it has receivers). The order within a
channel never changes. Who compares a channel with its log must `flush` it first.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from apps.realtime.hub import Hub

Message = tuple[bytes, bytes]
#: Seconds after which a turn lets the loop do other things.
TURN = 0.004
#: Deliveries that an application may have in a round; what it had beyond that is missing in the next.
QUANTUM = 500
#: Neighbours of one channel that are delivered together, at most.
TOGETHER = 64
#: Bytes that may wait before the broker is no longer read, and at which it is again.
PAUSE_AT, RESUME_AT = 8 * 1024 * 1024, 2 * 1024 * 1024


class _Queue:
    """What waits of one application."""

    __slots__ = ("credit", "messages")

    def __init__(self) -> None:
        self.messages: deque[Message] = deque()
        self.credit = 0


class Turns:
    """deliver: hands over neighbours, which are all of one topic. read: whether the broker shall be read further.

    Belongs to one event loop. Topics that are no channel of the hub do not wait.
    """

    def __init__(self, hub: Hub, deliver: Callable[[bytes, list[bytes]], None], read: Callable[[bool], None]) -> None:
        self._hub, self._deliver, self._read = hub, deliver, read
        self._queues: dict[str, _Queue] = {}
        self._round: deque[str] = deque()
        self._bytes = 0
        self._is_paused = False
        self._next: asyncio.Handle | None = None

    @property
    def is_idle(self) -> bool:
        return not self._queues

    def take(self, messages: list[Message]) -> None:
        """What one read brought."""
        ends_at = time.monotonic() + TURN
        groups = _neighbours(messages)
        for topic, bodies in groups:
            if topic not in self._hub.channels:
                self._deliver(topic, bodies)
            elif self._queues or time.monotonic() > ends_at:
                self._wait(topic, bodies)
            else:
                self._deliver(topic, bodies)
        if self._queues:
            self._go_on_soon()

    def flush(self, topic: bytes) -> None:
        """Delivers what waits of one channel."""
        channel = self._hub.channels.get(topic)
        queue = self._queues.get(channel.application_id) if channel is not None and self._queues else None
        if channel is None or queue is None:
            return
        ours = [body for each, body in queue.messages if each == topic]
        queue.messages = deque(each for each in queue.messages if each[0] != topic)
        self._left(ours)
        if not queue.messages:
            self._drop(channel.application_id)
        if ours:
            self._deliver(topic, ours)

    def flush_all(self) -> None:
        """Everything, in each channel's order."""
        queues, self._queues = list(self._queues.values()), {}
        self._round.clear()
        for queue in queues:
            for topic, bodies in _neighbours(queue.messages):
                self._left(bodies)
                self._deliver(topic, bodies)

    def stop(self) -> None:
        if self._next is not None:
            self._next.cancel()

    def _wait(self, topic: bytes, bodies: Iterable[bytes]) -> None:
        application_id = self._hub.channels[topic].application_id
        queue = self._queues.get(application_id)
        if queue is None:
            queue = self._queues[application_id] = _Queue()
            self._round.append(application_id)
        for body in bodies:
            queue.messages.append((topic, body))
            self._bytes += len(body)
        if self._bytes > PAUSE_AT and not self._is_paused:
            self._is_paused = True
            self._read(False)

    def _left(self, bodies: Iterable[bytes]) -> None:
        self._bytes -= sum(map(len, bodies))
        if self._is_paused and self._bytes < RESUME_AT:
            self._is_paused = False
            self._read(True)

    def _go_on_soon(self) -> None:
        if self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._next = None
        ends_at = time.monotonic() + TURN
        while self._round:
            application_id = self._round[0]
            queue = self._queues[application_id]
            queue.credit = min(queue.credit + QUANTUM, QUANTUM)
            while queue.messages and queue.credit > 0:
                queue.credit -= self._deliver_next(queue)
                if time.monotonic() > ends_at:
                    break
            if not queue.messages:
                self._drop(application_id)
            else:
                self._round.rotate(-1)
            if time.monotonic() > ends_at:
                break
        if self._queues:
            self._go_on_soon()

    def _deliver_next(self, queue: _Queue) -> int:
        """The next neighbours; what they cost."""
        topic, body = queue.messages.popleft()
        bodies = [body]
        while queue.messages and queue.messages[0][0] == topic and len(bodies) < TOGETHER:
            bodies.append(queue.messages.popleft()[1])
        channel = self._hub.channels.get(topic)
        self._left(bodies)
        self._deliver(topic, bodies)
        return len(bodies) * (1 + (channel.count if channel is not None else 0))

    def _drop(self, application_id: str) -> None:
        del self._queues[application_id]
        self._round.remove(application_id)


def _neighbours(messages: Iterable[Message]) -> Iterator[tuple[bytes, list[bytes]]]:
    """Runs of one topic, in order."""
    current, bodies = b"", list[bytes]()
    for topic, body in messages:
        if topic != current or len(bodies) >= TOGETHER:
            if bodies:
                yield current, bodies
            current, bodies = topic, []
        bodies.append(body)
    if bodies:
        yield current, bodies
