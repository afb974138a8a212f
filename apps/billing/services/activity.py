"""Who was active: different subscribers and devices of a period, of which the first sight counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from apps.billing.models import UsageSubject
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
    for subject, at in seen.items():
        by_period[current_period(tenant=tenant, at=at).starts_at][subject] = at
    return sum(_count(tenant, meter, starts_at, of_it, application_id) for starts_at, of_it in by_period.items())


def _count(tenant: Tenant, meter: str, starts_at: datetime, seen: Mapping[str, datetime], application_id: int) -> int:
    known = UsageSubject.objects.of(tenant).filter(meter=meter, period_start=starts_at, subject__in=list(seen))
    fresh = sorted(seen.keys() - set(known.values_list("subject", flat=True)))
    for first in range(0, len(fresh), _BATCH):
        records = [
            UsageRecordIn(
                meter, f"{subject}:{starts_at:%Y%m%dT%H%M%S}", 1, seen[subject], application_id, subject=subject
            )
            for subject in fresh[first : first + _BATCH]
        ]
        record_usage(records, tenant=tenant)
    return len(fresh)
