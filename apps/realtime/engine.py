"""The running data plane of one event loop in one region: hub, broker, cluster membership, counters, upkeep."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from django.conf import settings

from apps.realtime import keys, scripts, watching
from apps.realtime.allowances import Allowances
from apps.realtime.applications import LiveApplication
from apps.realtime.behaviour import Behaviour
from apps.realtime.broker import Broker
from apps.realtime.cluster.membership import Membership
from apps.realtime.cluster.presence import Member
from apps.realtime.connection import Subscription
from apps.realtime.continuity import Continuity
from apps.realtime.counts import CountBoard
from apps.realtime.errors import AllowanceSpent, AllowanceUnavailable
from apps.realtime.fairness import Turns
from apps.realtime.fallback.board import Board
from apps.realtime.faults import Faults
from apps.realtime.history import ChannelLogs
from apps.realtime.hooks import Hook, Hooks
from apps.realtime.hub import Hub, LiveChannel
from apps.realtime.leftovers import Leftovers
from apps.realtime.link import CommandFailed, Lines, LinkLost, forget
from apps.realtime.pressure import Pressure
from apps.realtime.probe import Probe
from apps.realtime.protocol import closing
from apps.realtime.protocol.publications import Publication, Topic, unpacked
from apps.realtime.publishing import Publications
from apps.realtime.rates import PublishRates
from apps.realtime.registry import Registry
from apps.realtime.tokens.reading import TokenReader
from apps.realtime.tracing import Tracer
from apps.realtime.upkeep import Upkeep
from apps.realtime.usage import UsageLog
from apps.tenants.queries import ApplicationRecord

log = logging.getLogger(__name__)
_REGISTRY_CHANGED = keys.REGISTRY_CHANGED.encode()


class Engine:
    """Belongs to one event loop; nothing in it is shared with another one."""

    def __init__(self, region: str, registry: Registry) -> None:
        url = settings.VALKEY_URLS[region]
        #: Names this process's life in usage records and probes.
        self.name = secrets.token_hex(8)
        self.region, self.registry = region, registry
        self.lines = Lines(url, scripts.loads())
        self.continuity = Continuity(self)
        self.hub = Hub(self.continuity.gap)
        self.broker = Broker(url, on_messages=lambda messages: self.turns.take(messages), on_rebuilt=self._rebuilt)
        self.turns = Turns(self.hub, self._deliver, self.broker.keep_reading)
        self.logs = ChannelLogs(self.lines)
        self.applications: dict[str, LiveApplication] = {}
        self.publications = Publications(self.lines)
        self.counts = CountBoard(self)
        self.hooks = Hooks(self.lines, self._record)
        self.membership = Membership(self.lines, self.hooks, self.counts.changed)
        self.allowances = Allowances(self.lines)
        self.rates = PublishRates(self.lines)
        self.usage = UsageLog(self.lines, self.name)
        self.tokens = TokenReader()
        self.tracer = Tracer(self.lines)
        self.faults = Faults(self.lines)
        self.behaviour = Behaviour(self.lines)
        self.probe = Probe(self.name, self.lines, self.broker)
        self.upkeep = Upkeep(self)
        self.board = Board(self)
        self.pressure = Pressure()
        self.leftovers = Leftovers()
        self.open_count = 0
        self._listeners: dict[bytes, Callable[[bytes], None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Raises OSError, LinkLost while Valkey does not answer."""
        await self.lines.connect()
        await self.membership.start()
        await self.broker.start()
        await asyncio.shield(self.broker.subscribe(_REGISTRY_CHANGED))
        await self.probe.start()
        self.upkeep.start()

    async def stop(self) -> None:
        """For an engine without connections. Counts what is left, gives back allowances and the identity."""
        self.upkeep.stop()
        self.turns.stop()
        self.continuity.stop()
        self.board.stop()
        for task in self._tasks:
            task.cancel()
        try:
            await self.upkeep.flush_usage()
            await self.allowances.give_back(everything=True)
        except (LinkLost, CommandFailed) as error:
            log.warning("engine.stopped_with_unsaved_usage %s", error)
        await self.membership.stop()
        await self.broker.stop()
        self.lines.close()

    def application(self, record: ApplicationRecord) -> LiveApplication:
        live = self.applications.get(record.application_id)
        if live is None:
            live = self.applications[record.application_id] = LiveApplication(record)
        elif live.record is not record:
            live.replace(record)
        return live

    async def _record(self, application_id: str) -> ApplicationRecord | None:
        live = self.applications.get(application_id)
        return live.record if live is not None else await self.registry.application(application_id)

    # --- Channels

    def open_channel(self, application: LiveApplication, name: str) -> LiveChannel:
        application_id = application.record.application_id
        topic = keys.topic(application_id, name).encode()
        return self.hub.open(application_id, name, topic, application.counters)

    async def count_subscribers(self, channel: LiveChannel) -> None:
        """Reports the number soon; the node's first subscriber at once, so that the ack means `occupied`."""
        if channel.name.startswith("#"):
            return
        occupancy = self.membership.occupancy
        if occupancy.change(channel.application_id, channel.name, channel.count):
            await occupancy.report(channel.application_id, channel.name)
        else:
            self.membership.changed()

    def lost_subscriber(self, channel: LiveChannel) -> None:
        if not channel.name.startswith("#"):
            self.membership.occupancy.change(channel.application_id, channel.name, channel.count)
        self.membership.changed()
        if self.hub.close_if_empty(channel):
            self.broker.unsubscribe(channel.topic)

    @staticmethod
    def subscription(channel: LiveChannel, member: Member | None) -> Subscription:
        return Subscription(channel, member.user_id if member else None)

    # --- What the broker delivers

    def _deliver(self, topic: bytes, bodies: list[bytes]) -> None:
        """Neighbours of one topic."""
        channel = self.hub.channels.get(topic)
        if channel is None:
            for body in bodies:
                self._received_elsewhere(topic, body)
            return
        batch: list[Publication] = []
        for body in bodies:
            try:
                batch.append(unpacked(body))
            except ValueError:
                log.error("hub.unreadable_publication topic=%r", topic)
        channel.deliver(batch)

    def _received_elsewhere(self, topic: bytes, body: bytes) -> None:
        if topic == _REGISTRY_CHANGED:
            self.registry.changed(body.decode())
            self._spawn_refresh(body.decode())
        elif topic == self.probe.topic:
            self.probe.heard(body)
        elif topic in self._listeners:
            self._listeners[topic](body)

    def _rebuilt(self) -> None:
        """Messages may have been missed while the broker was away."""
        self.turns.flush_all()
        self.continuity.rebuilt()
        self.board.rebuilt()
        self._spawn(watching.tell_again(self))
        self.registry.changed()
        for application_id in list(self.applications):
            self._spawn_refresh(application_id)

    def _spawn_refresh(self, application_id: str) -> None:
        if application_id in self.applications:
            self._spawn(self._refresh(application_id))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _refresh(self, application_id: str) -> None:
        live = self.applications[application_id]
        record = await self.registry.application(application_id)
        if record is not None:
            live.replace(record)
        if record is None or not record.enabled:
            for connection in list(live.connections.values()):
                connection.close(closing.APPLICATION_DISABLED if record else closing.NO_SUCH_APPLICATION)

    def listen(self, topic: bytes, heard: Callable[[bytes], None]) -> asyncio.Future[None]:
        """For a topic that is no channel. Done once nothing is missed any more; shield it when awaiting."""
        self._listeners[topic] = heard
        return self.broker.subscribe(topic)

    def stop_listening(self, topic: bytes) -> None:
        if self._listeners.pop(topic, None) is not None:
            self.broker.unsubscribe(topic)

    # --- Commands to all gateways

    async def hear_commands(self, application: LiveApplication) -> None:
        """Before a user is signed in: from now on this process hears `terminate` for the application."""
        topic = keys.control(application.record.application_id).encode()
        await asyncio.shield(self.listen(topic, partial(self._terminate, application)))

    async def terminate(self, application_id: str, user_id: str) -> None:
        await self.lines.call("PUBLISH", keys.control(application_id), user_id)

    @staticmethod
    def _terminate(application: LiveApplication, user_id: bytes) -> None:
        for connection in list(application.users.get(user_id.decode(), ())):
            connection.close(closing.TERMINATED)

    # --- Small things that connections ask for

    async def allowed(self, application: LiveApplication, count: int) -> bool:
        if application.record.suspended:
            return False
        try:
            record = application.record
            await self.allowances.take(record.tenant_id, record.application_id, count)
        except (AllowanceSpent, AllowanceUnavailable):
            return False
        return True

    async def roster(self, channel: LiveChannel) -> str:
        roster = await self.membership.presence.roster(channel.application_id, channel.name)
        return roster.as_json()

    def note_error(
        self, application: LiveApplication, message: str, code: int | str, socket_id: str = "", channel: str = ""
    ) -> None:
        """Counted always, told to the console while somebody looks."""
        self.faults.note(application.record.application_id, code, message)
        self.tracer.note(application, "error", message=message, code=code, socket_id=socket_id, channel=channel)

    async def announce(
        self, application_id: str, channel: str, json: bytes, kind: Topic, hook: Hook, *, excluded: str = ""
    ) -> None:
        """An event that no log keeps, told by webhooks too. Raises LinkLost, CommandFailed."""
        noting = await self.hooks.noting(application_id, channel, hook)
        await self.publications.announce(
            application_id, channel, json, kind=kind, excluded=excluded, noting=noting
        )  # fmt: skip
        if noting:
            self.hooks.ring(application_id, channel)

    def missed(self, channel: LiveChannel) -> None:
        """A cache channel had nothing to replay."""
        forget(asyncio.ensure_future(self.hooks.note_miss(channel.application_id, channel.name)))

    def announce_later(self, application_id: str, channel: str, json: bytes, kind: Topic, hook: Hook) -> None:
        """Nobody waits for it."""
        forget(asyncio.ensure_future(self.announce(application_id, channel, json, kind, hook)))
