"""Who was active: different subscribers and devices of a period, of which the first sight counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from operator import itemgetter

from apps.billing.models import BillingPeriod, Quota, UsageSubject
from apps.billing.records import UsageRecordIn
from apps.billing.services.periods import current_period
from apps.billing.services.recording import record_usage
from apps.tenants.models import Tenant

_BATCH = 2_000


def count_active(*, tenant: Tenant, meter: str, seen: Mapping[str, datetime], application_id: int) -> int:
    """seen: subject -> when. Answers how many were new in their period.

    meter: one of different subjects. Who was seen in the period before costs one look-up and no row. Runs in the
    caller's transaction; a repeat counts nothing.
    """
    by_period: dict[datetime, dict[str, datetime]] = defaultdict(dict)
    period: BillingPeriod | None = None
    for subject, at in sorted(seen.items(), key=itemgetter(1)):  # so that each period is looked up once
        if period is None or at >= period.ends_at:
            period = current_period(tenant=tenant, at=at)
        by_period[period.starts_at][subject] = at
    return sum(_count(tenant, meter, starts_at, of_it, application_id) for starts_at, of_it in by_period.items())


def newcomers(*, tenant: Tenant, meter: str, subjects: Collection[str]) -> set[str]:
    """Which of these were not seen yet in the running period."""
    return _unseen(tenant, meter, current_period(tenant=tenant).starts_at, subjects)


def _unseen(tenant: Tenant, meter: str, starts_at: datetime, subjects: Collection[str]) -> set[str]:
    known = UsageSubject.objects.of(tenant).filter(meter=meter, period_start=starts_at, subject__in=list(subjects))
    return set(subjects) - set(known.values_list("subject", flat=True))


def _count(tenant: Tenant, meter: str, starts_at: datetime, seen: Mapping[str, datetime], application_id: int) -> int:
    fresh = sorted(_unseen(tenant, meter, starts_at, seen.keys()))
    if fresh:  # before the hour's sums: whoever ends a reservation of this meter holds the quota already
        quota = Quota.objects.of(tenant).filter(period__starts_at=starts_at, meter=meter)
        quota.order_by("pk").select_for_update(of=("self",)).first()
    for first in range(0, len(fresh), _BATCH):
        records = [
            UsageRecordIn(
                meter, f"{subject}:{starts_at:%Y%m%dT%H%M%S}", 1, seen[subject], application_id, subject=subject
            )
            for subject in fresh[first : first + _BATCH]
        ]
        record_usage(records, tenant=tenant)
    return len(fresh)
