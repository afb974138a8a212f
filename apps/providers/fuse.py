"""A network that refuses too many devices at once is not believed: a wrong key, topic or environment looks like that.

Counts per credential stand in Valkey, by minute and by day. A wiped Valkey forgets a window, which delays the fuse by
at most 200 attempts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import redis

from apps.core import valkey
from apps.providers.base import Outcome, Result, Scope

WINDOW = timedelta(minutes=10)
#: Attempts in the window below which nothing is concluded.
ENOUGH = 200
#: Share of refused devices that is too many, and how many times the application's own usual share.
SHARE, TIMES_USUAL = 0.20, 4.0
_MINUTES, _DAYS = 10, 7


@dataclass(frozen=True, slots=True)
class Counted:
    attempts: int
    refused: int

    @property
    def share(self) -> float:
        return self.refused / self.attempts if self.attempts else 0.0


def is_blown(window: Counted, usual: Counted) -> bool:
    """usual: of the days before."""
    return window.attempts >= ENOUGH and window.share > max(SHARE, TIMES_USUAL * usual.share)


def refusals_in(outcomes: Sequence[Outcome]) -> Counted:
    """What counts: answers that would retire a device or strike it."""
    refused = sum(
        outcome.result is Result.UNREGISTERED or (outcome.result is Result.REJECTED and outcome.scope is Scope.DEVICE)
        for outcome in outcomes
    )
    return Counted(len(outcomes), refused)


def count(*, region: str, name: str, batch: Counted, now: datetime) -> tuple[Counted, Counted]:
    """Adds a batch; name: whose. Answers the window with it, and the seven days before today.

    Without Valkey only the batch is known.
    """
    minute, day = int(now.timestamp() // 60), now.toordinal()
    try:
        with valkey.connect(region).pipeline(transaction=False) as pipe:
            for key, lives in ((_key(name, "m", minute), 900), (_key(name, "d", day), 9 * 86_400)):
                pipe.hincrby(key, "attempts", batch.attempts)
                pipe.hincrby(key, "refused", batch.refused)
                pipe.expire(key, lives)
            for back in range(_MINUTES):
                pipe.hmget(_key(name, "m", minute - back), "attempts", "refused")
            for back in range(1, _DAYS + 1):
                pipe.hmget(_key(name, "d", day - back), "attempts", "refused")
            answers = pipe.execute()[6:]
    except redis.RedisError:
        return batch, Counted(0, 0)
    return _sum(answers[:_MINUTES]), _sum(answers[_MINUTES:])


def _key(name: str, unit: str, number: int) -> str:
    return f"push:fuse:{{{name}}}:{unit}:{number}"


def _sum(rows: Sequence[Sequence[bytes | None]]) -> Counted:
    return Counted(sum(int(row[0] or 0) for row in rows), sum(int(row[1] or 0) for row in rows))
