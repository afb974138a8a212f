"""A network that fails is left alone for a while, by all workers: one circuit per (application, provider, credential).

Closed: send. Open: nothing leaves until a moment. Half open: that moment has passed, one worker tries a few pushes, and
what becomes of those closes or opens it again, for twice as long. What the network asked to wait for (Retry-After on a
whole credential) opens nothing, but is waited for in the same way. The state is in Valkey; a wiped Valkey forgets it,
which costs one more failed slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import uniform

import redis

from apps.core import valkey
from apps.providers.base import Outcome, Result, Scope

#: Failures in a row: pushes that the network could not take, and slices in which it left pushes without an answer.
FAILURES = 20
#: Seconds that a circuit is open: the first time, and at most.
FIRST, LONGEST = 5.0, 300.0
#: Seconds of a network's own Retry-After that everybody waits for; beyond it each delivery waits by itself.
LONGEST_HOLD = 60.0
#: Pushes that a half-open circuit lets through, and seconds that one worker has for them.
PROBE, PROBE_TIME = 20, 45.0
#: Seconds to wait while somebody else tries.
_PROBED_ELSEWHERE = 1.0
_KEPT = 86_400

_FAILED = frozenset({Result.UNAVAILABLE, Result.UNKNOWN})
_OF_THE_NETWORK = frozenset({Scope.PROVIDER, Scope.NONE})
_LIMITS = frozenset({Scope.CREDENTIAL, Scope.PROVIDER})


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Circuit:
    """Whose. credential: public id."""

    region: str
    application_id: str
    provider: str
    credential: str

    @property
    def name(self) -> str:
        return f"{self.application_id}:{self.provider}:{self.credential}"

    @property
    def key(self) -> str:
        return f"push:circuit:{{{self.name}}}"


@dataclass(frozen=True, slots=True)
class Permit:
    """wait: seconds after which to ask again; 0: send now. most: pushes at a time; None: any number."""

    wait: float = 0.0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """state, and in how many seconds something may be sent again."""

    state: State = State.CLOSED
    wait: float = 0.0


# `until`: nothing leaves before it. `opened`: how often in a row it was opened. `probed`: somebody tries until then.
_ASK = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1e6
local state = redis.call('HMGET', KEYS[1], 'until', 'opened', 'probed')
local wait = (tonumber(state[1]) or 0) - now
if wait > 0 then return {tostring(wait), 0} end
if (tonumber(state[2]) or 0) == 0 then return {'0', 0} end
if (tonumber(state[3]) or 0) > now then return {ARGV[2], 0} end
redis.call('HSET', KEYS[1], 'probed', string.format('%.6f', now + ARGV[1]))
return {'0', 1}
"""

# ARGV: failures after the last answer; whether there was an answer; limit, first, longest, jitter, kept.
_RECORD = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1e6
local state = redis.call('HMGET', KEYS[1], 'failures', 'opened')
local failures, opened = tonumber(state[1]) or 0, tonumber(state[2]) or 0
if ARGV[2] == '1' then
    if opened == 0 and failures == 0 and ARGV[1] == '0' then return 0 end
    failures, opened = 0, 0
    redis.call('HDEL', KEYS[1], 'probed')
end
failures = failures + ARGV[1]
local opens = failures >= tonumber(ARGV[3]) or (opened > 0 and failures > 0)
if opens then
    local seconds = math.min(tonumber(ARGV[5]), ARGV[4] * 2 ^ opened) * (1 + ARGV[6])
    opened, failures = opened + 1, 0
    redis.call('HSET', KEYS[1], 'until', string.format('%.6f', now + seconds))
    redis.call('HDEL', KEYS[1], 'probed')
end
redis.call('HSET', KEYS[1], 'failures', failures, 'opened', opened)
redis.call('EXPIRE', KEYS[1], ARGV[7])
return opens and 1 or 0
"""

_HOLD = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1e6
local until_ = math.max(tonumber(redis.call('HGET', KEYS[1], 'until')) or 0, now + ARGV[1])
redis.call('HSET', KEYS[1], 'until', string.format('%.6f', until_))
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""

_LOOK = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1e6
local state = redis.call('HMGET', KEYS[1], 'until', 'opened')
return {tostring(math.max(0, (tonumber(state[1]) or 0) - now)), tonumber(state[2]) or 0}
"""


def ask(circuit: Circuit) -> Permit:
    """Before each slice. Without Valkey everything may be sent."""
    try:
        wait, probes = _run(circuit, _ASK, PROBE_TIME, _PROBED_ELSEWHERE)
    except redis.RedisError:
        return Permit()
    return Permit(float(wait), PROBE if probes else None)


def record(circuit: Circuit, outcomes: Sequence[Outcome]) -> bool:
    """What became of a slice. Answers whether the circuit opened by it."""
    failures, answered = _streak(outcomes)
    hold = _asked_for(outcomes)
    try:
        opened = _run(circuit, _RECORD, failures, int(answered), FAILURES, FIRST, LONGEST, _jitter(), _KEPT)
        if hold:
            _run(circuit, _HOLD, min(hold, LONGEST_HOLD), _KEPT)
    except redis.RedisError:
        return False
    return bool(opened)


def look(circuit: Circuit) -> Standing:
    """For people: asks for nothing and changes nothing."""
    try:
        wait, opened = _run(circuit, _LOOK)
    except redis.RedisError:
        return Standing()
    if not opened:
        return Standing(State.HELD if float(wait) else State.CLOSED, float(wait))
    return Standing(State.OPEN if float(wait) else State.HALF_OPEN, float(wait))


def _streak(outcomes: Sequence[Outcome]) -> tuple[int, bool]:
    """Failures after the last answer of the network, and whether there was one. Pushes without an answer are one
    failure together: a connection that is cut loses all that was under way on it. What one device's own server (an
    unknown Web Push host) or our missing token says is neither.
    """
    failures, answered, lost = 0, False, False
    for outcome in outcomes:
        if outcome.result not in _FAILED:
            failures, answered, lost = 0, True, False
        elif outcome.scope in _OF_THE_NETWORK:
            repeated = outcome.result is Result.UNKNOWN and lost
            failures += not repeated
            lost = lost or outcome.result is Result.UNKNOWN
    return failures, answered


def _asked_for(outcomes: Sequence[Outcome]) -> float:
    """Seconds the network wants to be left alone for by the whole credential."""
    throttled = (one for one in outcomes if one.result is Result.THROTTLED and one.scope in _LIMITS)
    return max((one.retry_after or 0.0 for one in throttled), default=0.0)


def _jitter() -> float:
    return uniform(0, 0.25)  # noqa: S311  # spreads load, hides nothing


def _run(circuit: Circuit, script: str, *arguments: float) -> list[bytes]:
    answer: list[bytes] = valkey.connect(circuit.region).register_script(script)(keys=[circuit.key], args=arguments)
    return answer
