"""Our own network: a notification to a connected, signed-in user, on that user's own channel.

Nothing is kept for who is not there: PUBLISH's count of receivers says whether somebody was, and if nobody was the
pipeline takes the next route.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from redis import RedisError

from apps.core import valkey
from apps.providers.base import Needs, Outcome, Push, Result, Scope, Sender
from apps.providers.payload import members_of
from apps.realtime.errors import BrokerUnavailable
from apps.realtime.publish import UserMessage, publish_to_users

EVENT = "notification"
NOT_CONNECTED, NO_BROKER = "not_connected", "broker_unavailable"


class RealtimeProvider:
    #: Our own plane answers within milliseconds.
    needs = Needs(publishes=True, at_once=1_000)

    def __init__(self, sender: Sender) -> None:
        self.sender = sender

    def send(self, pushes: Sequence[Push]) -> list[Outcome]:
        if not self._is_reachable():
            return [Outcome(push.id, Result.UNAVAILABLE, Scope.PROVIDER, NO_BROKER) for push in pushes]
        messages = [
            UserMessage(push.recipient, EVENT, orjson.dumps(members_of(push)).decode(), push.id) for push in pushes
        ]
        try:
            receivers = publish_to_users(
                region=self.sender.region,
                application_id=self.sender.application_id,
                tenant_id=self.sender.tenant_id,
                messages=messages,
                rate=self.sender.publish_rate,
            )
        except BrokerUnavailable:  # it went away in the middle: some may have been delivered
            return [Outcome(push.id, Result.UNKNOWN, Scope.PROVIDER, NO_BROKER) for push in pushes]
        return [_outcome(push, count) for push, count in zip(pushes, receivers, strict=True)]

    def _is_reachable(self) -> bool:
        """Asked before each slice, so that a broker that is away costs a delay and not a slice of unknown outcomes."""
        try:
            return bool(valkey.connect(self.sender.region).ping())
        except RedisError:
            return False


def _outcome(push: Push, receivers: int) -> Outcome:
    if receivers:
        return Outcome(push.id, Result.ACCEPTED)
    return Outcome(push.id, Result.REJECTED, Scope.DEVICE, NOT_CONNECTED)
