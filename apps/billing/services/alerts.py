"""Warns when 50, 80 or 100 % of a limit (the soft one before the hard one) is used, once per period."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.db import connection
from django.utils import translation

from apps.accounts.services.mail import send_mail
from apps.billing.models import Quota, UsageAlert
from apps.billing.services.own_meters import meters_of
from apps.tenants.models import Membership, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

THRESHOLDS = (50, 80, 100)
_MOST = 500

_CROSSED = """
SELECT tenant_id, id FROM billing_quota
WHERE watched_percent < 100 AND used >= coalesce(soft_limit, hard_limit) / 2
  AND used * 100 >= coalesce(soft_limit, hard_limit)
      * CASE WHEN watched_percent < 50 THEN 50 WHEN watched_percent < 80 THEN 80 ELSE 100 END
ORDER BY id LIMIT %s
"""


def raise_alerts() -> int:
    """Raises what is due in all tenants; answers how many quotas had crossed a threshold."""
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_CROSSED, [_MOST])
        crossed = cursor.fetchall()
    for tenant_id, quota_id in crossed:
        with tenant_scope(tenant_id):
            _raise(Tenant.objects.get(pk=tenant_id), quota_id)
    return len(crossed)


def _raise(tenant: Tenant, quota_id: int) -> None:
    quota = Quota.objects.of(tenant).select_for_update().get(pk=quota_id)
    limit = quota.watched_limit
    if limit is None:
        return
    reached = [mark for mark in THRESHOLDS if quota.watched_percent < mark and quota.used * 100 >= limit * mark]
    if not reached:  # another worker was first
        return
    UsageAlert.objects.bulk_create(
        [
            UsageAlert(
                tenant=tenant, period_id=quota.period_id, meter=quota.meter, threshold=mark, used=quota.used,
                hard_limit=limit,
            )
            for mark in reached
        ],
        ignore_conflicts=True,
    )  # fmt: skip
    Quota.objects.of(tenant).filter(pk=quota.pk).update(watched_percent=reached[-1])
    _mail(tenant, quota, reached[-1])


def _mail(tenant: Tenant, quota: Quota, threshold: int) -> None:
    """One letter for the highest threshold, to those who answer for the tenant."""
    title = meters_of(tenant=tenant)[quota.meter].title
    facts = {"threshold": threshold, "used": quota.used, "limit": quota.watched_limit or 0}
    write_about_limit(tenant=tenant, kind="usage_alert", facts=lambda _language: {**facts, "meter": str(title)})


def write_about_limit(*, tenant: Tenant, kind: str, facts: Callable[[str], Mapping[str, str | int]]) -> None:
    """A letter to those who answer for the tenant, each in their language, which `facts` is asked for and in."""
    answering = Membership.objects.of(tenant).filter(role__in=[Role.OWNER, Role.ADMIN]).select_related("user")
    for membership in answering:
        language = membership.user.language or tenant.language
        with translation.override(language):
            told: dict[str, str | int] = {"tenant": tenant.name, **facts(language)}
        send_mail(recipient=membership.user.email, kind=kind, language=language, facts=told)
