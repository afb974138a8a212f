"""Units that one application may use in a period, beside what its tenant may.

What it has used is read from the reports' sums and never counted a second time, so it holds from the moment a limit is
set, whatever was used before.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Sum

from apps.billing.errors import BadLimit, QuotaExceeded
from apps.billing.meters import (
    ACTIVE_DEVICES,
    ACTIVE_SUBSCRIBERS,
    CAMPAIGN_SENDS,
    CONNECTION_MINUTES,
    MESSAGES_DELIVERED,
    MESSAGES_PUBLISHED,
    MESSAGES_STORED,
    METERS,
    PUSH_ACCEPTED,
    WEBHOOKS_DELIVERED,
)
from apps.billing.models import ApplicationLimit, BillingPeriod, Quota, Reservation, UsageAlert
from apps.billing.reports import Grain, usage_report
from apps.billing.services.limits import OwnLimit
from apps.billing.services.periods import current_period
from apps.core import clock
from apps.tenants.models import Application, Tenant
from apps.tenants.services import record_audit

#: What a door can hold an application to. Its connections are a setting of the application (`max_connections`).
LIMITABLE = (
    MESSAGES_PUBLISHED,
    MESSAGES_DELIVERED,
    MESSAGES_STORED,
    CONNECTION_MINUTES,
    CAMPAIGN_SENDS,
    PUSH_ACCEPTED,
    WEBHOOKS_DELIVERED,
    ACTIVE_SUBSCRIBERS,
    ACTIVE_DEVICES,
)


def limits_of_application(*, tenant: Tenant, application: Application) -> dict[str, OwnLimit]:
    found = ApplicationLimit.objects.of(tenant).filter(application=application)
    return {limit.meter: OwnLimit(limit.soft, limit.hard) for limit in found}


def set_application_limits(
    *, tenant: Tenant, application: Application, actor: str, limits: Mapping[str, OwnLimit]
) -> None:
    """Replaces the application's limits. They bind at once, also below what is used. Raises BadLimit.

    actor: public id, for the audit.
    """
    if not all(meter in LIMITABLE and limit.is_sound for meter, limit in limits.items()):
        raise BadLimit
    wanted = {meter: limit for meter, limit in limits.items() if limit != OwnLimit()}
    before = limits_of_application(tenant=tenant, application=application)
    owned = ApplicationLimit.objects.of(tenant).filter(application=application)
    owned.exclude(meter__in=wanted).delete()
    period = current_period(tenant=tenant)
    for meter in {meter for meter in {*before, *wanted} if before.get(meter) != wanted.get(meter)}:
        UsageAlert.objects.of(tenant).filter(meter=meter, application_id=application.pk).delete()
    for meter, limit in wanted.items():
        fresh = {} if before.get(meter) == limit else {"watched_percent": 0, "watched_from": None}
        ApplicationLimit.objects.of(tenant).update_or_create(
            tenant=tenant, application=application, meter=meter,
            defaults={"soft": limit.soft, "hard": limit.hard, "check_at": clock.now(), **fresh},
        )  # fmt: skip
    # The data plane hears of it through the next look at the tenant's allowance.
    Quota.objects.of(tenant).filter(period=period, meter=MESSAGES_PUBLISHED).update(check_at=clock.now())
    facts = {meter: {"soft": limit.soft, "hard": limit.hard} for meter, limit in wanted.items()}
    record_audit(
        tenant=tenant, actor=actor, action="application_limits.set", target=application.public_id,
        facts={"limits": facts},
    )  # fmt: skip


def used_by_application(
    *, tenant: Tenant, application_id: int, meters: tuple[str, ...], period: BillingPeriod
) -> dict[str, int]:
    """Units of the period's whole cycle, by meter. application_id: row number."""
    cycle = period.cycle
    figures = usage_report(
        tenant=tenant, start=cycle.starts_at, end=cycle.ends_at, grain=Grain.WHOLE,
        meters={meter: METERS[meter] for meter in meters}, application_id=application_id,
    )  # fmt: skip
    return dict.fromkeys(meters, 0) | {figure.meter: figure.quantity for figure in figures}


def require_application(*, tenant: Tenant, application_id: int, meter: str, quantity: int) -> None:
    """Raises QuotaExceeded when the application's hard limit would be passed. application_id: row number or 0."""
    bound = ApplicationLimit.objects.of(tenant).filter(application_id=application_id, meter=meter, hard__isnull=False)
    limit = bound.select_related("application").first() if application_id else None
    if limit is None or limit.hard is None:
        return
    period = current_period(tenant=tenant)
    used = used_by_application(tenant=tenant, application_id=application_id, meters=(meter,), period=period)[meter]
    promised = Reservation.objects.of(tenant).filter(application_id=application_id, quota__meter=meter)
    used += promised.aggregate(units=Sum("quantity"))["units"] or 0
    if used + quantity > limit.hard:
        raise QuotaExceeded(
            meter=meter, limit=limit.hard, used=used, resets_at=period.cycle.ends_at,
            application=limit.application.application_id,
        )  # fmt: skip
