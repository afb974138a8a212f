"""One WebSocket client: reads its event messages and answers them. What a subscription takes is in subscribing.py."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from apps.realtime import behaviour, metrics, subscribing, watching
from apps.realtime.applications import LiveApplication, TokenBucket
from apps.realtime.hooks import Hook
from apps.realtime.hub import LiveChannel
from apps.realtime.link import CommandFailed, LinkLost
from apps.realtime.peers import Frames
from apps.realtime.protocol import channels, closing, messages, signing
from apps.realtime.protocol.closing import Close
from apps.realtime.protocol.frames import frame
from apps.realtime.protocol.messages import BadMessage, ClientMessage
from apps.realtime.protocol.publications import Topic
from apps.realtime.receipts import leave_receipts, read_receipts
from apps.realtime.tokens import grants
from apps.realtime.tokens.claims import TokenRefused
from apps.realtime.tokens.grants import Grants

if TYPE_CHECKING:
    from apps.realtime.engine import Engine

_CLIENT_PREFIX = "client-"
#: Ends that somebody wanted, and one whose cause has been noted before.
_NO_ERRORS = frozenset({closing.RECONNECT, closing.TERMINATED, closing.TOKEN_NOT_VALID})
_MAX_USER_BYTES = 1024


class Subscription:
    """A channel this connection is on. member_id: under which user id, on a presence channel."""

    __slots__ = ("channel", "member_id")

    def __init__(self, channel: LiveChannel, member_id: str | None) -> None:
        self.channel, self.member_id = channel, member_id


class Connection:
    """Belongs to one event loop; its methods run one after another in the connection's own task."""

    __slots__ = (
        "application", "client", "client_events", "closed_with", "engine", "frames", "grants", "is_closing",
        "is_one_way", "is_online", "last_received", "must_authorize", "note", "pinged_at", "protocol", "since",
        "socket_id", "subscriptions", "user_data", "user_id", "wants_positions", "watched",
    )  # fmt: skip

    def __init__(self, engine: Engine, application: LiveApplication, frames: Frames, client: str) -> None:
        self.engine, self.application, self.frames, self.client = engine, application, frames, client
        self.socket_id = messages.new_socket_id()
        self.subscriptions: dict[str, Subscription] = {}
        self.user_id: str | None = None
        self.user_data: dict[str, Any] = {}
        self.client_events: TokenBucket | None = None
        self.since = time.time()
        self.last_received = time.monotonic()
        self.pinged_at: float | None = None
        self.is_closing = False
        #: How it ended, once it has: close code and reason, whoever closed it.
        self.closed_with: Close | None = None
        #: While somebody follows this connection in the console.
        self.note: Callable[[str, str], None] | None = None
        #: None until a token is used.
        self.grants: Grants | None = None
        #: Until it signs in or joins a channel that needs a signature. A later change of the setting leaves it alone.
        self.must_authorize = False
        self.protocol = messages.PROTOCOL
        #: The client can only listen, so it is never asked for a sign of life.
        self.is_one_way = False
        #: Every subscription carries positions, whether it asks for them or not.
        self.wants_positions = False
        #: Counted among its user's connections.
        self.is_online = False
        #: Channels of other users' online status.
        self.watched: dict[str, LiveChannel] = {}

    def send(self, json: bytes) -> None:
        self.frames.write(frame(json))

    def refuse(self, message: str, code: int) -> None:
        """A `pusher:error` event: the connection stays open."""
        self.engine.note_error(self.application, message, code, self.socket_id)
        self.send(messages.error(message, code))

    def close(self, why: Close) -> None:
        """Nothing is delivered after the close frame."""
        if not self.is_closing:
            self.is_closing, self.closed_with = True, why
            if why not in _NO_ERRORS:
                self.engine.note_error(self.application, why.reason, why.code, self.socket_id)
            metrics.CLOSED.labels(why.code).inc()
            if self.protocol < messages.OLDEST_WITH_CLOSE_CODES:
                self.send(messages.error(why.reason, why.code))
            self.leave_channels()
            self.frames.close(why.code, why.reason)

    async def authorize(self) -> bool:
        """After it has shown a signature. False when there is no place for it: then it is closed. Raises LinkLost."""
        if not self.must_authorize:
            return True
        record = self.application.record
        admission, cap = self.engine.membership.admission, record.settings.max_connections
        if not await admission.admit(record.tenant_id, record.application_id, cap=cap):
            self.close(closing.CONNECTION_QUOTA)
            return False
        self.application.authorized(self)
        return True

    async def receive(self, text: str | bytes) -> None:
        """One frame from the client. A bad one is answered with an error event and changes nothing."""
        self.last_received = time.monotonic()
        self.pinged_at = None
        if self.note is not None:
            self.note("in", text if isinstance(text, str) else text.decode(errors="replace"))
        try:
            message = messages.parse(text)
            await self._answer(message)
        except BadMessage as error:
            self.refuse(str(error), closing.MALFORMED)
        except (LinkLost, CommandFailed):
            # The client would wait for an answer for ever; a new connection asks again.
            self.close(closing.OVER_CAPACITY)

    async def _answer(self, message: ClientMessage) -> None:
        answer = _ANSWERS.get(message.event)
        if answer is not None:
            await answer(self, message)
        elif message.event.startswith(_CLIENT_PREFIX):
            await self._relay(message)
        else:
            self.refuse(f"There is no event {message.event!r} that a client may send", closing.UNKNOWN_EVENT)

    async def _pong(self, message: ClientMessage) -> None:
        self.send(messages.PONG)

    async def _alive(self, message: ClientMessage) -> None:
        """Any frame has already counted as a sign of life."""

    async def _subscribe(self, message: ClientMessage) -> None:
        await subscribing.subscribe(self, message)

    async def _unsubscribe(self, message: ClientMessage) -> None:
        name = messages.fields_of(message).get("channel")
        if isinstance(name, str):
            self.leave_channel(name)

    def leave_channel(self, name: str) -> None:
        subscription = self.subscriptions.pop(name, None)
        if self.grants is not None:
            self.grants.channels.pop(name, None)
        if subscription is not None:
            subscribing.leave(self, subscription)

    async def _refresh_token(self, message: ClientMessage) -> None:
        try:
            await grants.refresh(self, messages.fields_of(message).get("token"))
        except TokenRefused as refused:
            self.refuse(str(refused), closing.TOKEN_REFUSED)

    async def _sign_in(self, message: ClientMessage) -> None:
        fields = messages.fields_of(message)
        if "token" in fields:
            try:
                await grants.sign_in(self, fields["token"])
            except TokenRefused as refused:
                self.refuse(str(refused), closing.SIGN_IN_FAILED)
            return
        user_data = fields.get("user_data")
        if not isinstance(user_data, str) or len(user_data.encode("utf-8", "replace")) > 10 * _MAX_USER_BYTES:
            self.refuse("user_data must be a string of at most 10 KB", closing.SIGN_IN_FAILED)
            return
        text = signing.sign_in_text(self.socket_id, user_data)
        if not signing.is_signed(fields.get("auth"), text, self.application.record.credentials):
            self.refuse("The sign-in signature is not valid", closing.SIGN_IN_FAILED)
            return
        user = messages.fields_of(ClientMessage("", None, user_data))
        user_id = user.get("id")
        if not isinstance(user_id, str) or not channels.is_user_id(user_id):
            self.refuse("user_data needs an id: a string of channel-name characters", closing.SIGN_IN_FAILED)
        elif self.user_id not in (None, user_id):
            self.refuse("This connection is signed in as another user", closing.SIGN_IN_FAILED)
        elif (watchlist := watching.watchlist_of(user)) is None:
            self.refuse("watchlist must be a list of user ids", closing.SIGN_IN_FAILED)
        elif await self.authorize():
            await self.signed_in(user_id, user, user_data)
            if self.application.record.settings.watchlist:
                await watching.begin(self, watchlist)

    async def _receipts(self, message: ClientMessage) -> None:
        receipts = read_receipts(messages.fields_of(message))
        if not self._may_send_event(self.application.record.settings.max_client_events_per_second):
            self.refuse("Too many events a second; these receipts were dropped", closing.CLIENT_EVENT_RATE)
            return
        await leave_receipts(self.engine.lines, receipts)
        self.send(messages.receipts_noted(len(receipts)))

    async def signed_in(self, user_id: str, user: dict[str, Any], user_data: str) -> None:
        """Of somebody who has proved it."""
        await self.engine.hear_commands(self.application)
        if self.user_id is None:
            came_online = await self.engine.membership.online.join(self.application.record.application_id, user_id)
            self.is_online = True
            if came_online:
                self.engine.behaviour.note(self.application, user_id, behaviour.ONLINE)
        self.user_id, self.user_data = user_id, user
        self.application.sign_in(self, user_id)
        self.send(messages.signin_success(user_data))

    async def _relay(self, message: ClientMessage) -> None:
        settings = self.application.record.settings
        subscription = self.subscriptions.get(message.channel or "")
        data = messages.text_of(message.data)
        if not settings.client_events:
            self.refuse("Client events are switched off for this application", closing.CLIENT_EVENT_REFUSED)
        elif subscription is None:
            self.refuse("Client events need a subscription to their channel", closing.CLIENT_EVENT_REFUSED)
        elif not subscription.channel.kind.needs_auth:
            self.refuse("Client events need a private or presence channel", closing.CLIENT_EVENT_REFUSED)
        elif not self._may_publish(subscription):
            self.refuse("The token of this channel does not allow client events", closing.CLIENT_EVENT_REFUSED)
        elif len(data.encode("utf-8", "replace")) > settings.max_event_bytes:
            self.refuse(f"data is larger than {settings.max_event_bytes} bytes", closing.CLIENT_EVENT_REFUSED)
        elif not self._may_send_event(settings.max_client_events_per_second):
            self.refuse("Too many client events a second; this one was dropped", closing.CLIENT_EVENT_RATE)
        else:
            await self._broadcast(message, data, subscription)

    def _may_publish(self, subscription: Subscription) -> bool:
        grant = self.grants.channels.get(subscription.channel.name) if self.grants else None
        return grant is None or grant.may_publish

    def _may_send_event(self, rate: int) -> bool:
        if self.client_events is None or self.client_events.rate != rate:
            self.client_events = TokenBucket(rate)
        return self.client_events.take()

    async def _broadcast(self, message: ClientMessage, data: str, subscription: Subscription) -> None:
        channel = subscription.channel
        if not await self.engine.allowed(self.application, 1):
            self.refuse("The message quota of this account is used up", closing.CLIENT_EVENT_REFUSED)
            return
        json = messages.event(message.event, data, channel.name, user_id=subscription.member_id)
        facts = {"event": message.event, "data": data, "socket_id": self.socket_id}
        if subscription.member_id is not None:
            facts["user_id"] = subscription.member_id
        await self.engine.announce(
            self.application.record.application_id, channel.name, json, Topic.CLIENT_EVENT, Hook("client_event", facts),
            excluded=self.socket_id,
        )  # fmt: skip
        self.application.counters.published += 1
        user_id = subscription.member_id or self.user_id
        self.engine.behaviour.note(
            self.application, user_id, behaviour.CLIENT_EVENT, event=message.event, channel=channel.name
        )

    def leave_channels(self) -> None:
        """Gives back every subscription, and the user's online status."""
        for subscription in self.subscriptions.values():
            subscribing.leave(self, subscription)
        self.subscriptions.clear()
        watching.stop(self)
        if self.is_online and self.user_id is not None:
            self.is_online = False
            self.engine.membership.online.leave(self.application.record.application_id, self.user_id)
            self.engine.membership.changed()


_Answer = Callable[[Connection, ClientMessage], Awaitable[None]]
_ANSWERS: dict[str, _Answer] = {
    "pusher:ping": Connection._pong,
    "pusher:pong": Connection._alive,
    "pusher:subscribe": Connection._subscribe,
    "pusher:unsubscribe": Connection._unsubscribe,
    "pusher:signin": Connection._sign_in,
    "pusher:refresh_token": Connection._refresh_token,
    "pusher:receipts": Connection._receipts,
}
