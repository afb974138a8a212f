"""What an engine does by the clock: usage records, lease, liveness of connections, probes, the console feed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from apps.realtime import metrics, pressure
from apps.realtime.cluster.identity import RENEW_SECONDS
from apps.realtime.link import CommandFailed, LinkLost
from apps.realtime.protocol import closing, messages
from apps.realtime.tokens import grants
from apps.realtime.usage import INTERVAL as USAGE_INTERVAL

if TYPE_CHECKING:
    from apps.realtime.connection import Connection
    from apps.realtime.engine import Engine

log = logging.getLogger(__name__)

_PONG_TIMEOUT = 30.0
#: For clients of protocols that know no pings.
_IDLE = 24 * 3_600.0
#: For applications with authorized connections only; Pusher does not document its own.
_AUTHORIZE_WITHIN = 30.0
#: Beyond the promised activity timeout, for the client's ping to arrive.
_GRACE = 10.0
#: For those who can only listen: proxies close what has long been silent.
_COMMENT_EVERY = 15.0


class Upkeep:
    """A few tasks per engine, none per connection."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tasks: list[asyncio.Task[None]] = []
        self._counted_at = time.monotonic()
        #: Connection time of applications that were forgotten, by id: less than a minute each.
        self._begun_minutes: dict[str, float] = {}

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._every(USAGE_INTERVAL, self._account)),
            loop.create_task(self._every(RENEW_SECONDS, self._engine.membership.renew)),
            loop.create_task(self._every(1.0, self._watch)),
            loop.create_task(self._feel()),
        ]

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _feel(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + pressure.INTERVAL
            await asyncio.sleep(pressure.INTERVAL)
            self._engine.pressure.beat(loop.time() - due)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except (LinkLost, CommandFailed, OSError) as error:
                log.warning("upkeep.postponed work=%s %s", work.__name__, error)
            except Exception:
                log.exception("upkeep.failed work=%s", work.__name__)

    async def _account(self) -> None:
        await self.flush_usage()
        engine = self._engine
        await engine.faults.flush()
        await engine.allowances.give_back()
        await engine.tracer.refresh(list(engine.applications.values()), engine.membership.identity.node)
        self._forget_idle_applications()
        engine.leftovers.collect(engine.open_count)

    async def flush_usage(self) -> None:
        engine, now = self._engine, time.monotonic()
        elapsed, self._counted_at = now - self._counted_at, now
        for application in engine.applications.values():
            open_now = application.counted
            counters = application.counters
            begun = self._begun_minutes.pop(application.record.application_id, 0.0)
            counters.connection_seconds += elapsed * open_now + begun
            counters.peak = max(counters.peak, open_now)
            if not counters.is_empty:
                metrics.add(counters)
                record = application.record
                if record.is_billed:
                    engine.usage.note(record.tenant_id, record.application_id, counters)
                counters.start_again()
        await engine.usage.flush()

    def _forget_idle_applications(self) -> None:
        applications = self._engine.applications
        for application_id, application in list(applications.items()):
            if not application.connections and application.counters.is_empty:
                if application.counters.connection_seconds:
                    self._begun_minutes[application_id] = application.counters.connection_seconds
                del applications[application_id]
                self._engine.rates.forget(application_id)

    async def _watch(self) -> None:
        self._engine.counts.tick()
        self.check_liveness(time.monotonic())
        await self._engine.probe.tick()
        await self._engine.continuity.tick()
        metrics.QUEUED_BYTES.set(self._queued_bytes())
        metrics.BROKER_SILENCE.set(self._engine.probe.silence)
        metrics.PROBE_TIMEOUTS.set(self._engine.probe.timeouts)

    def _queued_bytes(self) -> int:
        return sum(
            connection.frames.buffered
            for application in self._engine.applications.values()
            for connection in application.connections.values()
        )

    def check_liveness(self, now: float) -> None:
        """Pings who has been silent for its activity timeout, and closes who does not answer that."""
        for application in self._engine.applications.values():
            patience = application.record.settings.activity_timeout + _GRACE
            for connection in list(application.connections.values()):
                _check(connection, now, patience)
                grants.check(connection)


def _check(connection: Connection, now: float, patience: float) -> None:
    if connection.must_authorize and time.time() - connection.since > _AUTHORIZE_WITHIN:
        connection.close(closing.UNAUTHORISED)
    elif connection.protocol < messages.OLDEST_WITH_PING:
        if now - connection.last_received > _IDLE:
            connection.close(closing.INACTIVE)
    elif connection.is_one_way:
        if now - connection.last_received > _COMMENT_EVERY:
            connection.last_received = now
            connection.send(messages.PING)
    elif connection.pinged_at is not None:
        if now - connection.pinged_at > _PONG_TIMEOUT:
            connection.close(closing.NO_PONG)
    elif now - connection.last_received > patience:
        connection.pinged_at = now
        connection.send(messages.PING)
