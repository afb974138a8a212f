"""Warns of the cap in money and of applications' limits at 50, 80 and 100 %, once per cycle and threshold.

Both are looked at in turns: nothing marks a moment at which a price or one application's part of a sum has grown.
"""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

from django.db import connection

from apps.billing.meters import METERS
from apps.billing.models import SPENDING, ApplicationLimit, BillingPeriod, Subscription, UsageAlert
from apps.billing.money import display, posted, scale_of
from apps.billing.services.alerts import THRESHOLDS, write_about_limit
from apps.billing.services.application_limits import used_by_application
from apps.billing.services.caps import spent_of
from apps.billing.services.periods import current_period, periods_of_cycle
from apps.core import clock
from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

_EVERY = timedelta(seconds=15)
_CLAIMED = 200

_CAPS = """
UPDATE billing_subscription SET cap_watched_at = %(now)s WHERE id IN (
    SELECT id FROM billing_subscription
    WHERE spend_cap IS NOT NULL AND (cap_watched_at IS NULL OR cap_watched_at <= %(before)s)
    ORDER BY cap_watched_at NULLS FIRST LIMIT %(most)s FOR UPDATE SKIP LOCKED
) RETURNING tenant_id, id
"""
_APPLICATIONS = """
UPDATE billing_applicationlimit SET check_at = %(next)s WHERE id IN (
    SELECT id FROM billing_applicationlimit WHERE check_at <= %(now)s
    ORDER BY check_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
) RETURNING tenant_id, id
"""


def watch_caps_and_applications() -> None:
    """Whatever is due in all tenants, at most some hundred. Two workers at once share them."""
    for tenant_id, number in _claim(_CAPS):
        with tenant_scope(tenant_id):
            _watch_cap(Tenant.objects.get(pk=tenant_id), number)
    for tenant_id, number in _claim(_APPLICATIONS):
        with tenant_scope(tenant_id):
            _watch_application(Tenant.objects.get(pk=tenant_id), number)


def _claim(statement: str) -> list[tuple[int, int]]:
    now = clock.now()
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(statement, {"now": now, "before": now - _EVERY, "next": now + _EVERY, "most": _CLAIMED})
        return sorted(cursor.fetchall())


def _watch_cap(tenant: Tenant, number: int) -> None:
    """Holds the subscription, so that of two workers the second sees what the first has said."""
    subscription = Subscription.objects.of(tenant).select_for_update().filter(pk=number).first()
    if subscription is None or subscription.spend_cap is None:
        return
    period = current_period(tenant=tenant)
    first = periods_of_cycle(tenant=tenant, starts_at=period.cycle.starts_at)[0]
    cap, currency, spending = subscription.spend_cap, period.terms.currency, spent_of(tenant=tenant)
    reached = _reached(spending * scale_of(currency), cap)
    if _say(tenant, first, SPENDING, reached, used=posted(spending, currency), limit=cap):
        write_about_limit(
            tenant=tenant, kind="spend_alert",
            facts=lambda language: {
                "threshold": reached[-1],
                "spent": display(posted(spending, currency), currency, language),
                "cap": display(cap, currency, language),
            },
        )  # fmt: skip


def _watch_application(tenant: Tenant, number: int) -> None:
    found = ApplicationLimit.objects.of(tenant).select_for_update(of=("self",)).select_related("application")
    limit = found.filter(pk=number).first()
    if limit is None or limit.watched_limit is None:
        return
    period, application = current_period(tenant=tenant), limit.application
    meters = (limit.meter,)
    used = used_by_application(tenant=tenant, application_id=application.pk, meters=meters, period=period)[limit.meter]
    first = periods_of_cycle(tenant=tenant, starts_at=period.cycle.starts_at)[0]
    bound, reached = limit.watched_limit, _reached(Fraction(used), limit.watched_limit)
    title, name = METERS[limit.meter].title, application.name
    if _say(tenant, first, limit.meter, reached, used=used, limit=bound, application_id=application.pk):
        write_about_limit(
            tenant=tenant, kind="usage_alert",
            facts=lambda _language: {
                "threshold": reached[-1], "used": used, "limit": bound, "meter": f"{name}: {title}",
            },
        )  # fmt: skip


def _reached(used: Fraction, limit: int) -> list[int]:
    return [mark for mark in THRESHOLDS if used * 100 >= limit * mark]


def _say(
    tenant: Tenant, period: BillingPeriod, meter: str, reached: list[int], *, used: int, limit: int,
    application_id: int = 0,
) -> bool:  # fmt: skip
    """Notes the thresholds; whether one of them is new. The caller holds what is watched."""
    said = UsageAlert.objects.of(tenant).filter(period=period, meter=meter, application_id=application_id)
    new = sorted({*reached} - {*said.values_list("threshold", flat=True)})
    UsageAlert.objects.bulk_create(
        UsageAlert(
            tenant=tenant, period=period, meter=meter, application_id=application_id, threshold=mark, used=used,
            hard_limit=limit,
        )
        for mark in new
    )  # fmt: skip
    return bool(new)
