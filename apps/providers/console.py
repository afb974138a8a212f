"""Sends nowhere: one log line per push. For development, and as a second route in tests."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from apps.providers.base import Outcome, Push, Result, Sender

log = logging.getLogger(__name__)


class ConsoleProvider:
    """Accepts everything. The line carries ids, never what the notification says."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender

    def send(self, pushes: Sequence[Push]) -> list[Outcome]:
        for push in pushes:
            log.info(
                "push.console application=%s message=%s push=%s", self.sender.application_id, push.message_id, push.id
            )
        return [Outcome(push.id, Result.ACCEPTED) for push in pushes]
