"""What a network's answers do to devices: proof retires, suspicion only counts. One statement each, for a batch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q

from apps.audience.models import Device
from apps.core import clock
from apps.tenants.models import Application, Tenant

#: Refusals that far apart count as two: one bad run must not put a device away.
STRIKE_EVERY = timedelta(hours=24)
STRIKES = 2

_RETIRE = """
UPDATE audience_device device SET retired_at = %(now)s, retired_reason = gone.reason, updated_at = %(now)s
FROM unnest(%(ids)s::bigint[], %(gone_at)s::timestamptz[], %(reasons)s::text[]) AS gone (id, at, reason)
WHERE device.tenant_id = %(tenant)s AND device.id = gone.id AND device.registered_at < gone.at
  AND device.retired_at IS NULL
"""

_STRIKE = """
UPDATE audience_device
SET strikes = strikes + 1, last_strike_at = %(now)s, updated_at = %(now)s,
    quarantined_at = CASE WHEN strikes + 1 >= %(strikes)s THEN %(now)s END
WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s) AND quarantined_at IS NULL
  AND (last_strike_at IS NULL OR last_strike_at <= %(before)s)
"""


def retire_devices(*, tenant: Tenant, gone: Mapping[int, tuple[datetime, str]]) -> int:
    """gone: row number -> when the network last knew the address dead, and its word for it. Answers how many were.

    A device that registered again after that moment is alive and stays.
    """
    values = list(gone.values())
    return _execute(
        _RETIRE,
        {
            "tenant": tenant.pk,
            "now": clock.now(),
            "ids": list(gone),
            "gone_at": [at for at, _ in values],
            "reasons": [reason[:64] for _, reason in values],
        },
    )


def strike_devices(*, tenant: Tenant, device_ids: Collection[int]) -> int:
    """The network refused the address without saying that it is gone. Answers how many strikes counted."""
    now = clock.now()
    return _execute(
        _STRIKE,
        {
            "tenant": tenant.pk,
            "ids": sorted(device_ids),
            "now": now,
            "before": now - STRIKE_EVERY,
            "strikes": STRIKES,
        },
    )


def clear_strikes(*, tenant: Tenant, device_ids: Collection[int]) -> None:
    """The network took a push for these devices."""
    now = clock.now()
    Device.objects.of(tenant).filter(pk__in=device_ids).update(
        last_accepted_at=now, strikes=0, last_strike_at=None, updated_at=now
    )


def restore_devices(*, tenant: Tenant, application: Application, provider: str, since: datetime) -> int:
    """Takes back what a provider that is not believed any more did to devices since then. Answers how many."""
    touched = Q(retired_at__gte=since) | Q(quarantined_at__gte=since) | Q(last_strike_at__gte=since)
    devices = Device.objects.of(tenant).filter(touched, application=application, provider=provider)
    return devices.exclude(retired_reason="too_many").update(
        retired_at=None, retired_reason="", quarantined_at=None, strikes=0, last_strike_at=None,
        updated_at=clock.now(),
    )  # fmt: skip


def _execute(statement: str, values: Mapping[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)
