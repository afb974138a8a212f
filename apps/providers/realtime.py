"""Our own network: a notification to a connected, signed-in user, on that user's own channel.

Nothing is kept for who is not there: PUBLISH's count of receivers says whether somebody was, and if nobody was the
pipeline takes the next route.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from apps.providers.base import Outcome, Push, Result, Scope, Sender
from apps.providers.payload import members_of
from apps.realtime.publish import UserMessage, publish_to_users

EVENT = "notification"
NOT_CONNECTED = "not_connected"


class RealtimeProvider:
    def __init__(self, sender: Sender) -> None:
        self.sender = sender

    def send(self, pushes: Sequence[Push]) -> list[Outcome]:
        receivers = publish_to_users(
            region=self.sender.region,
            application_id=self.sender.application_id,
            messages=[
                UserMessage(push.recipient, EVENT, orjson.dumps(members_of(push)).decode(), push.id) for push in pushes
            ],
        )
        return [
            Outcome(push.id, Result.ACCEPTED)
            if count
            else Outcome(push.id, Result.REJECTED, Scope.DEVICE, NOT_CONNECTED)
            for push, count in zip(pushes, receivers, strict=True)
        ]
