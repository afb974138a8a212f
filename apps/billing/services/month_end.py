"""The end of every cycle: what is due stands in rows, each is done in one transaction, and any worker may do it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from apps.billing.models import BillingProfile, Invoice, InvoiceStatus
from apps.billing.services.invoicing import finalise, open_draft, park
from apps.billing.services.periods import current_period
from apps.core import clock, valkey
from apps.realtime import keys
from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

logger = logging.getLogger(__name__)

_MOST = 200
#: Seconds a tick goes on taking batches while there are full ones.
_LONGEST = 45.0
#: Usage that waits longer than this to be counted holds the invoices back.
_BEHIND = timedelta(seconds=60)

#: Cycles of which no period runs any more and no invoice was opened.
_ENDED = """
SELECT DISTINCT period.tenant_id, coalesce(period.cycle_starts_at, period.starts_at) AS cycle
FROM billing_billingperiod AS period
WHERE period.invoiced_at IS NULL AND period.ends_at <= %(now)s AND NOT EXISTS (
    SELECT FROM billing_billingperiod AS running
    WHERE running.tenant_id = period.tenant_id AND running.ends_at > %(now)s
      AND running.cycle_starts_at = coalesce(period.cycle_starts_at, period.starts_at)
)
ORDER BY 2, 1 LIMIT %(most)s
"""


def take_all(verb: Callable[[], int]) -> None:
    """Repeats a batch until one was not full, or the tick has lasted long enough."""
    until = time.monotonic() + _LONGEST
    while verb() >= _MOST and time.monotonic() < until:
        pass


def open_due_drafts() -> int:
    """Opens the drafts of cycles that ended, and the periods that follow them; answers how many had ended."""
    now = clock.now()
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_ENDED, {"now": now, "most": _MOST})
        ended = cursor.fetchall()
    for tenant_id, starts_at in ended:
        with tenant_scope(tenant_id):
            tenant = Tenant.objects.get(pk=tenant_id)
            current_period(tenant=tenant)
            open_draft(tenant=tenant, starts_at=starts_at)
    return len(ended)


def finalise_due() -> int:
    """Finalises drafts whose grace is over, oldest first; answers how many were due.

    Each is one transaction: killed anywhere, it is a draft still, and the number it took is given back. Parked
    tenants are left out until an operator has looked.
    """
    with all_tenants(CrossTenantRole.DISPATCH):
        drafts = Invoice.objects.get_queryset().filter(status=InvoiceStatus.DRAFT, finalise_at__lte=clock.now())
        unparked = drafts.exclude(tenant_id__in=_parked())
        due = list(unparked.order_by("finalise_at", "pk").values_list("tenant_id", "pk")[:_MOST])
    for tenant_id, invoice_id in due:
        try:
            _finalise(tenant_id, invoice_id)
        except (OperationalError, InterfaceError):  # the server, not the tenant: the next tick goes on
            raise
        except Exception as error:  # one tenant's broken figures must not keep the others from being billed
            logger.exception("invoice.failed tenant_number=%s invoice_number=%s", tenant_id, invoice_id)
            with tenant_scope(tenant_id):
                park(tenant=Tenant.objects.get(pk=tenant_id), reason=f"{type(error).__name__} while finalising")
    return len(due)


def _finalise(tenant_id: int, invoice_id: int) -> None:
    with tenant_scope(tenant_id):
        drafts = Invoice.objects.of(tenant_id).filter(pk=invoice_id, status=InvoiceStatus.DRAFT)
        if drafts.select_for_update(skip_locked=True).exists():  # else another worker has it
            finalise(tenant=Tenant.objects.get(pk=tenant_id), invoice_id=invoice_id)


def _parked() -> list[int]:
    parked = BillingProfile.objects.get_queryset().exclude(parked_at=None)
    return list(parked.values_list("tenant_id", flat=True))


def is_counting_behind() -> bool:
    """Whether usage has waited so long to be counted that invoices must wait for it."""
    for region in settings.VALKEY_URLS:
        oldest: list[Any] = valkey.connect(region).xrange(keys.USAGE, count=1) or []
        for number, _fields in oldest:
            milliseconds = int(number.split(b"-")[0])
            if clock.now() - datetime.fromtimestamp(milliseconds / 1000, UTC) > _BEHIND:
                return True
    return False
