"""The end of every cycle: what is due stands in rows, each is done in one transaction, and any worker may do it."""

from __future__ import annotations

import logging
import random
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from apps.billing.models import BillingProfile, Invoice, InvoiceStatus
from apps.billing.services.invoicing import finalise_held, park, write_draft
from apps.billing.services.periods import current_period
from apps.core import clock, valkey
from apps.realtime import keys
from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

logger = logging.getLogger(__name__)
T = TypeVar("T")

#: Cycles per task: less than a second of work, so that ticks and other tenants' work get their turn between two.
_MOST = 10
#: Workers take at random of so many oldest, so that they seldom meet.
_WINDOW = 1_000
#: Workers that a tick rings for when there is much to do.
_MOST_RINGS = 4
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


def bill_some() -> int:
    """Opens and finalises a few drafts; answers how many were due. Invoices wait for usage that is not counted yet."""
    return open_due_drafts() + (0 if is_counting_behind() else finalise_due())


def rings_needed() -> int:
    """How many workers have something to do about cycles that ended and drafts that are due; a few at most."""
    waiting = len(_ended(_MOST * _MOST_RINGS)) + len(_due(_MOST * _MOST_RINGS))
    return min(_MOST_RINGS, -(-waiting // _MOST))


def open_due_drafts() -> int:
    """Opens the drafts of cycles that ended, and the periods that follow them; answers how many had ended."""
    ended = _some(_ended(_WINDOW))
    for tenant_id, starts_at in ended:
        with tenant_scope(tenant_id):
            tenant = Tenant.objects.get(pk=tenant_id)
            current_period(tenant=tenant)
            write_draft(tenant=tenant, starts_at=starts_at)
    return len(ended)


def _ended(most: int) -> list[tuple[int, datetime]]:
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_ENDED, {"now": clock.now(), "most": most})
        return list(cursor.fetchall())


def _some(due: list[T]) -> list[T]:
    return random.sample(due, min(_MOST, len(due)))


def finalise_due() -> int:
    """Finalises drafts whose grace is over, of the oldest; answers how many were due.

    Each is one transaction: killed anywhere, it is a draft still, and the number it took is given back. Parked
    tenants are left out until an operator has looked.
    """
    due = _some(_due(_WINDOW))
    for tenant_id, invoice_id in due:
        try:
            _finalise(tenant_id, invoice_id)
        except (
            OperationalError,
            InterfaceError,
            SoftTimeLimitExceeded,
        ):  # not the tenant's doing: the next tick goes on
            raise
        except Exception as error:  # one tenant's broken figures must not keep the others from being billed
            logger.exception("invoice.failed tenant_number=%s invoice_number=%s", tenant_id, invoice_id)
            with tenant_scope(tenant_id):
                park(tenant=Tenant.objects.get(pk=tenant_id), reason=f"{type(error).__name__} while finalising")
    return len(due)


def _due(most: int) -> list[tuple[int, int]]:
    with all_tenants(CrossTenantRole.DISPATCH):
        drafts = Invoice.objects.get_queryset().filter(status=InvoiceStatus.DRAFT, finalise_at__lte=clock.now())
        unparked = drafts.exclude(tenant_id__in=_parked())
        return list(unparked.order_by("finalise_at", "pk").values_list("tenant_id", "pk")[:most])


def _finalise(tenant_id: int, invoice_id: int) -> None:
    with tenant_scope(tenant_id):
        drafts = Invoice.objects.of(tenant_id).filter(pk=invoice_id, status=InvoiceStatus.DRAFT)
        draft = drafts.select_related("tenant").select_for_update(skip_locked=True, of=("self",)).first()
        if draft is not None:  # else another worker has it
            finalise_held(tenant=draft.tenant, invoice=draft)


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
