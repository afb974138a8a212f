"""What a mail server's answer means. Pure. Sources: RFC 5321 4.2, RFC 3463 (the enhanced codes), RFC 5248.

Only an enhanced code that names the mailbox is proof that it is gone: a bare 550 is also what a server says to a sender
it does not like.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from apps.providers.answers import outcome_of_lost
from apps.providers.base import Outcome, Result, Scope
from apps.providers.exchanges import Lost

#: Seconds. A server that greylists wants to be asked again minutes later, and rarely says how many.
AFTER_GREYLISTING = 300.0
AFTER_BUSY = 60.0

_ENHANCED = re.compile(r"\A\s*([245])\.(\d{1,3})\.(\d{1,3})\b")
#: Bad mailbox, bad domain, moved away, domain takes no mail.
_GONE = frozenset({"1.1", "1.2", "1.6", "1.10"})
_CLOSING = 421


class Stage(StrEnum):
    """Which command was answered."""

    LOGIN = "login"
    SENDER = "sender"
    RECIPIENT = "recipient"
    CONTENT = "content"


@dataclass(frozen=True, slots=True)
class Said:
    """A reply: three digits and its text."""

    stage: Stage
    code: int
    text: str = ""

    @property
    def subject(self) -> str:
        """The enhanced code without its class, as `1.1`; empty when there is none."""
        match = _ENHANCED.match(self.text)
        return f"{match[2]}.{match[3]}" if match else ""

    @property
    def reason(self) -> str:
        """`550 5.1.1`, without the server's words, which may hold an address."""
        return f"{self.code} {self.code // 100}.{self.subject}" if self.subject else str(self.code)


def outcome_of(push_id: str, answer: Said | Lost, now: datetime) -> Outcome:
    """now: when the mail was handed over, which is when a mailbox was last known to be gone."""
    if isinstance(answer, Lost):
        return outcome_of_lost(push_id, answer)
    if answer.code < 400:
        return Outcome(push_id, Result.ACCEPTED)
    if answer.code < 500:
        return _temporary(push_id, answer)
    result, scope = _permanent(answer)
    gone_at = now if result is Result.UNREGISTERED else None
    return Outcome(push_id, result, scope, answer.reason, gone_at=gone_at)


def _temporary(push_id: str, said: Said) -> Outcome:
    if said.code == _CLOSING:
        return Outcome(push_id, Result.UNAVAILABLE, Scope.PROVIDER, said.reason)
    if said.stage is Stage.RECIPIENT:
        return Outcome(push_id, Result.THROTTLED, Scope.DEVICE, said.reason, AFTER_GREYLISTING)
    if said.stage is Stage.CONTENT:
        return Outcome(push_id, Result.UNAVAILABLE, Scope.PROVIDER, said.reason)
    return Outcome(push_id, Result.THROTTLED, Scope.CREDENTIAL, said.reason, AFTER_BUSY)


def _permanent(said: Said) -> tuple[Result, Scope]:
    if said.stage in {Stage.LOGIN, Stage.SENDER} or said.code in {530, 535}:
        return Result.REJECTED, Scope.CREDENTIAL
    if said.stage is Stage.CONTENT:
        return Result.REJECTED, Scope.MESSAGE
    return (Result.UNREGISTERED if said.subject in _GONE else Result.REJECTED), Scope.DEVICE
