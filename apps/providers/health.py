"""How the accounts of an application with the networks are doing: for pages and the API.

Counts per hour and the last errors stand in Valkey, beside the circuits. They are for looking at: what was sent and
billed is the ledger's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
import redis

from apps.core import clock, valkey
from apps.providers import breaker
from apps.providers.base import Credential, Outcome, Result, Sender
from apps.providers.breaker import Circuit, State
from apps.providers.credentials import open_credential
from apps.providers.models import ProviderCredential
from apps.providers.registry import open_provider
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope

HOURS = 24
ERRORS = 20
_KEPT = (HOURS + 2) * 3_600
_ERRORS_KEPT = 7 * 86_400
#: Kinds of error that one slice may add: a slice that fails in many ways must not push out all that came before.
_PER_SLICE = 3


@dataclass(frozen=True, slots=True)
class Hour:
    """What networks answered in the hour that begins at `start`. failed: rejected and unregistered."""

    start: datetime
    accepted: int = 0
    failed: int = 0
    throttled: int = 0
    unavailable: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class LastError:
    """reason: the network's own code. count: pushes of that slice it was said to."""

    at: datetime
    result: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Health:
    """One credential. paused: nothing is sent until somebody resumes it. state, retry_at: of its circuit.

    hours: the last 24, the present one last. quota_left: pushes that the network still takes today, where one can know.
    """

    credential_id: str
    provider: str
    paused: bool
    state: State
    retry_at: datetime | None
    hours: tuple[Hour, ...]
    errors: tuple[LastError, ...]
    quota_left: int | None

    @property
    def accepted(self) -> int:
        return sum(hour.accepted for hour in self.hours)

    @property
    def failed(self) -> int:
        return sum(hour.failed for hour in self.hours)


_FIELDS = {
    Result.ACCEPTED: "accepted", Result.REJECTED: "failed", Result.UNREGISTERED: "failed",
    Result.THROTTLED: "throttled", Result.UNAVAILABLE: "unavailable", Result.UNKNOWN: "unknown",
}  # fmt: skip


def count(circuit: Circuit, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Adds a slice. Without Valkey it is not counted."""
    results = Counter(_FIELDS[outcome.result] for outcome in outcomes)
    refused = Counter((one.result.value, one.reason) for one in outcomes if one.result is not Result.ACCEPTED)
    hour, errors = _hour_key(circuit, now), _errors_key(circuit)
    try:
        with valkey.connect(circuit.region).pipeline(transaction=False) as pipe:
            for name, number in results.items():
                pipe.hincrby(hour, name, number)
            pipe.expire(hour, _KEPT)
            for (result, reason), number in refused.most_common(_PER_SLICE):
                pipe.lpush(errors, orjson.dumps([now.timestamp(), result, reason, number]))
            if refused:
                pipe.ltrim(errors, 0, ERRORS - 1)
                pipe.expire(errors, _ERRORS_KEPT)
            pipe.execute()
    except redis.RedisError:
        return


def provider_health(*, tenant: Tenant, application: Application, provider: str = "") -> list[Health]:
    """Of every credential that is not retired, of one provider or all, newest first. Opens its own scope."""
    with tenant_scope(tenant):
        rows = ProviderCredential.objects.of(tenant).filter(application=application, retired_at=None).order_by("-id")
        known = list(rows.filter(provider=provider) if provider else rows)
        values = [open_credential(tenant=tenant, credential=row) for row in known]
    return [_health_of(tenant, application, row, value) for row, value in zip(known, values, strict=True)]


def _health_of(tenant: Tenant, application: Application, row: ProviderCredential, credential: Credential) -> Health:
    now = clock.now()
    circuit = Circuit(tenant.home_region, application.application_id, row.provider, row.public_id)
    standing = breaker.look(circuit)
    hours, errors = _read(circuit, now)
    sender = Sender(tenant.home_region, tenant.pk, application.application_id, (credential,))
    return Health(
        credential_id=row.public_id,
        provider=row.provider,
        paused=row.paused_at is not None,
        state=standing.state,
        retry_at=now + timedelta(seconds=standing.wait) if standing.wait else None,
        hours=hours,
        errors=errors,
        quota_left=quota_left(row.provider, sender),
    )


def quota_left(provider: str, sender: Sender) -> int | None:
    """Pushes that the network still takes today, where one can know."""
    ask = getattr(open_provider(provider, sender), "quota_left", None)
    return None if ask is None else ask()


def _read(circuit: Circuit, now: datetime) -> tuple[tuple[Hour, ...], tuple[LastError, ...]]:
    starts = [now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=back) for back in range(HOURS)][::-1]
    try:
        with valkey.connect(circuit.region).pipeline(transaction=False) as pipe:
            for start in starts:
                pipe.hgetall(_hour_key(circuit, start))
            pipe.lrange(_errors_key(circuit), 0, ERRORS - 1)
            *counted, said = pipe.execute()
    except redis.RedisError:
        counted, said = [{} for _ in starts], []
    hours = tuple(
        Hour(start, **{name.decode(): int(number) for name, number in row.items()})
        for start, row in zip(starts, counted, strict=True)
    )
    return hours, tuple(_error(*orjson.loads(one)) for one in said)


def _error(at: float, result: str, reason: str, number: int) -> LastError:
    return LastError(datetime.fromtimestamp(at, UTC), result, reason, number)


def _hour_key(circuit: Circuit, moment: datetime) -> str:
    return f"push:health:{{{circuit.name}}}:h:{int(moment.timestamp() // 3_600)}"


def _errors_key(circuit: Circuit) -> str:
    return f"push:health:{{{circuit.name}}}:errors"
