"""What the data plane may still publish: taken from the quotas here, left at the region's Valkey, corrected as usage
comes in.

The plane counts its allowance down by itself, so the value is only set when nobody knows it (asked), when it is too
high (usage came in that it did not know of), when a period or a plan begins, and after a minute without usage, when
blocks that died with their gateway come back. The bounds of an overshoot are in docs/billing.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from redis import Redis

from apps.billing.meters import (
    CONNECTION_MINUTES,
    CONNECTIONS_PEAK,
    MESSAGES_DELIVERED,
    MESSAGES_PUBLISHED,
    MESSAGES_STORED,
)
from apps.billing.models import ApplicationLimit, BillingPeriod, Quota
from apps.billing.services.application_limits import used_by_application
from apps.billing.services.call_limits import hold_or_free_calls
from apps.billing.services.caps import UNLIMITED, Budget, budget_of
from apps.billing.services.periods import current_period
from apps.core import clock, valkey
from apps.realtime import allowances, keys
from apps.tenants.application_settings import ApplicationSettings
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

_QUIET = timedelta(seconds=60)
_LEASE = timedelta(seconds=30)
_CLAIMED = 500
_PLANE = (MESSAGES_PUBLISHED, MESSAGES_DELIVERED, MESSAGES_STORED, CONNECTION_MINUTES)


@dataclass(slots=True)
class Bounds:
    """What binds one application beside its tenant: publications left, connections at once. None for nothing."""

    messages: int | None = None
    connections: int | None = None

    def tighten(self, messages: int) -> None:
        self.messages = messages if self.messages is None else min(self.messages, messages)


@dataclass(frozen=True, slots=True)
class Offer:
    """region: where the tenant's gateways are. fresh: nobody has offered in this period yet."""

    region: str
    messages: int
    connections: int | None
    fresh: bool
    #: By decimal id, of the applications that something binds and of those that must hear that nothing does.
    applications: Mapping[str, Bounds]


def settle_allowance(*, tenant_id: int, anew: bool = False) -> None:
    """Looks at one tenant's allowance and sets it where it must be. Opens its own scope.

    anew: sets it whatever it is now; for new limits, and when no usage is on its way.
    """
    offer = _offer_of(tenant_id, anew)
    if offer is None:
        return
    client = valkey.connect(offer.region)
    anew = anew or offer.fresh
    # Before the tenant's: while that is not known, gateways ask; one without a limit of its own is not bounded.
    for application_id, bounds in offer.applications.items():
        allowances.bound_connections(client, tenant_id, application_id, bounds.connections)
        if anew or bounds.messages is None or _is_too_high(client, tenant_id, bounds.messages, application_id):
            allowances.offer_to_application(client, tenant_id, application_id, bounds.messages)
    shown = offer.messages if anew or _is_too_high(client, tenant_id, offer.messages) else None
    allowances.offer(client, tenant_id, messages=shown, connections=offer.connections)


def _is_too_high(client: Redis, tenant_id: int, messages: int, application_id: str = "") -> bool:
    """Also when nobody has said yet how many there are."""
    left: Any = client.get(keys.message_allowance(tenant_id, application_id))
    return left is None or int(left) > messages


def _offer_of(tenant_id: int, anew: bool) -> Offer | None:
    with tenant_scope(tenant_id):
        tenant = Tenant.objects.filter(pk=tenant_id).first()
        if tenant is None:
            return None
        period = current_period(tenant=tenant)
        quotas = {quota.meter: quota for quota in Quota.objects.of(tenant).filter(period=period)}
        published, budget = quotas[MESSAGES_PUBLISHED], budget_of(tenant=tenant)
        _note(published, tenant, period.ends_at if anew else min(period.ends_at, clock.now() + _QUIET))
        if anew:
            hold_or_free_calls(tenant=tenant)
        return Offer(
            region=tenant.home_region,
            messages=_messages(quotas, budget),
            connections=_connections(quotas, budget),
            fresh=published.check_at is None,
            applications=_applications(
                tenant, period, stored=_stored(quotas, budget), with_unlimited=anew or published.check_at is None
            ),
        )


def _applications(
    tenant: Tenant, period: BillingPeriod, *, stored: int | None, with_unlimited: bool
) -> dict[str, Bounds]:
    """stored: what the tenant may still store, None for no end. with_unlimited: names the applications that nothing
    binds too, for a limit may have been taken away."""
    offers: dict[str, Bounds] = {}
    if with_unlimited or stored is not None:
        for application in Application.objects.of(tenant):
            offers[application.application_id] = Bounds(messages=stored if _keeps_history(application) else None)
    limits = ApplicationLimit.objects.of(tenant).filter(meter__in=_PLANE, hard__isnull=False)
    for limit in limits.select_related("application"):
        used = used_by_application(
            tenant=tenant, application_id=limit.application_id, meters=(limit.meter,), period=period
        )[limit.meter]
        bounds = offers.setdefault(limit.application.application_id, Bounds())
        _tighten(bounds, limit, max(0, (limit.hard or 0) - used))
    return offers


def _tighten(bounds: Bounds, limit: ApplicationLimit, room: int) -> None:
    if limit.meter == CONNECTION_MINUTES:
        bounds.connections = None if room else 0
    elif limit.meter == MESSAGES_DELIVERED:
        bounds.tighten(UNLIMITED if room else 0)
    elif limit.meter == MESSAGES_PUBLISHED or _keeps_history(limit.application):
        bounds.tighten(room)


def _keeps_history(application: Application) -> bool:
    settings = ApplicationSettings.from_json(application.settings)
    return bool(settings.history_size and settings.history_ttl)


def _stored(quotas: Mapping[str, Quota], budget: Budget) -> int | None:
    """How many publications may still be stored. It bounds those of each application that keeps a history: what one of
    them stores is taken off the others' at the next count."""
    room = budget.room(MESSAGES_STORED, most=_left(quotas[MESSAGES_STORED]))
    return None if room >= UNLIMITED else room


def _note(published: Quota, tenant: Tenant, check_at: datetime) -> None:
    earlier = Quota.objects.of(tenant).filter(meter=MESSAGES_PUBLISHED, check_at__isnull=False)
    earlier.exclude(pk=published.pk).update(check_at=None)
    Quota.objects.of(tenant).filter(pk=published.pk).update(check_at=check_at)


def _messages(quotas: Mapping[str, Quota], budget: Budget) -> int:
    """Publications that the limits of units and the cap in money allow, were each delivered to nobody."""
    if _left(quotas[MESSAGES_DELIVERED]) == 0:
        return 0
    return budget.room(MESSAGES_PUBLISHED, most=_left(quotas[MESSAGES_PUBLISHED]))


def _connections(quotas: Mapping[str, Quota], budget: Budget) -> int | None:
    """The highest level allowed; what is open already may stay."""
    peak = quotas[CONNECTIONS_PEAK]
    bounds = [] if peak.hard_limit is None else [peak.hard_limit]
    if budget.cap is not None:
        bounds.append(peak.used + budget.room(CONNECTIONS_PEAK))
    if not budget.room(CONNECTION_MINUTES, most=min(1, _left(quotas[CONNECTION_MINUTES]))):
        bounds.append(0)
    return min(bounds, default=None)


def _left(quota: Quota) -> int:
    return UNLIMITED if quota.hard_limit is None else max(0, quota.hard_limit - quota.used)


def answer_asks(*, region: str) -> int:
    """Tells the region's gateways about the tenants they asked for."""
    client: Redis = valkey.connect(region)
    asked = allowances.asked(client)
    for tenant_id in asked:
        settle_allowance(tenant_id=tenant_id)
        client.srem(keys.ALLOWANCE_ASKS, tenant_id)
    return len(asked)


def settle_due_allowances() -> int:
    """Looks at the allowances whose minute of quiet or period is over."""
    due = _claim_due()
    for tenant_id in due:
        settle_allowance(tenant_id=tenant_id, anew=True)
    return len(due)


def _claim_due() -> list[int]:
    """Leased and not cleared, so that a worker that dies here leaves them to the next."""
    now = clock.now()
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE billing_quota SET check_at = %s WHERE id IN (SELECT id FROM billing_quota WHERE check_at <= %s "
            "ORDER BY check_at LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING tenant_id",
            [now + _LEASE, now, _CLAIMED],
        )
        return sorted({tenant_id for (tenant_id,) in cursor.fetchall()})
