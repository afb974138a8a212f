"""From a vendor's answer to an outcome per device. Pure. The tables of codes are with each vendor."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from apps.providers.answers import outcome_of_lost, retry_after
from apps.providers.base import Outcome, Push, Result, Scope
from apps.providers.exchanges import Answer, Lost, Reply

log = logging.getLogger(__name__)

Word = tuple[Result, Scope]

ACCEPTED: Word = (Result.ACCEPTED, Scope.NONE)
GONE: Word = (Result.UNREGISTERED, Scope.DEVICE)
DEVICE: Word = (Result.REJECTED, Scope.DEVICE)
MESSAGE: Word = (Result.REJECTED, Scope.MESSAGE)
CREDENTIAL: Word = (Result.REJECTED, Scope.CREDENTIAL)
#: The access token is not taken any more; a new one may be.
STALE: Word = (Result.UNAVAILABLE, Scope.CREDENTIAL)
TOO_FAST: Word = (Result.THROTTLED, Scope.CREDENTIAL)
TOO_MANY: Word = (Result.THROTTLED, Scope.DEVICE)
LATER: Word = (Result.UNAVAILABLE, Scope.PROVIDER)
UNREADABLE: Word = (Result.UNKNOWN, Scope.PROVIDER)

CHINA = ZoneInfo("Asia/Shanghai")
MIDNIGHT = time(0)


@dataclass(frozen=True, slots=True)
class Said:
    """A vendor's answer, read. code: its own, empty when there is none. id: its name for the push.

    devices: addresses of which it said something else than of the rest, and that code. ids: names by address, where
    each push of a request has its own.
    """

    code: str
    id: str = ""
    devices: Mapping[str, tuple[Word, str]] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Codes:
    """words: what a vendor's codes mean; HTTP statuses may be among them. lifts_at: codes of limits that end at a time
    of day in China."""

    words: Mapping[str, Word]
    lifts_at: Mapping[str, time] = field(default_factory=dict)

    def outcomes(self, group: Sequence[Push], answer: Answer, said: Said, *, now: datetime) -> list[Outcome]:
        """now: when the request was written."""
        if isinstance(answer, Lost):
            return [outcome_of_lost(push.id, answer) for push in group]
        whole = (self.word(said.code, answer.status), said.code or str(answer.status))
        wait = retry_after(answer, now)
        return [self._outcome(push, said, said.devices.get(_address(push), whole), wait, now) for push in group]

    def word(self, code: str, status: int) -> Word:
        known = self.words.get(code) or (self.words.get(str(status)) if status != 200 else None)
        if known is None and (code or status == 200):
            log.warning("push.unlisted_code status=%s code=%s", status, code[:64])
        return known or _by_status(code, status)

    def _outcome(self, push: Push, said: Said, whole: tuple[Word, str], wait: float | None, now: datetime) -> Outcome:
        (result, scope), reason = whole
        if result is Result.ACCEPTED:
            return Outcome(push.id, result, provider_message_id=said.ids.get(_address(push)) or said.id)
        if reason in self.lifts_at:
            wait = max(wait or 0.0, seconds_until(self.lifts_at[reason], now))
        gone_at = now if result is Result.UNREGISTERED else None
        return Outcome(push.id, result, scope, reason, wait, gone_at)


def seconds_until(moment: time, now: datetime) -> float:
    """To the next time it is `moment` in China."""
    here = now.astimezone(CHINA)
    next_one = datetime.combine(here.date(), moment, CHINA)
    return ((next_one if next_one > here else next_one + timedelta(days=1)) - here).total_seconds()


def _by_status(code: str, status: int) -> Word:
    if status == 429:
        return TOO_FAST
    if status >= 500:
        return LATER
    if status == 401:
        return STALE
    if status in {403, 404}:
        return CREDENTIAL
    return MESSAGE if code or status >= 300 else UNREADABLE


def _address(push: Push) -> str:
    return push.endpoint.address if push.endpoint else ""


def reply_of(answer: Answer) -> bytes:
    return answer.body if isinstance(answer, Reply) else b""
