"""Numbers without gaps: a counter's row is the last thing a transaction touches, so that a rollback gives it back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection

from apps.billing.models import CreditNote, Invoice, InvoiceCounter, InvoiceStatus

#: Longer than any finalisation holds the row, shorter than anybody would wait.
_LOCK_TIMEOUT = "10s"

_INVOICE = """
WITH taken AS (
    UPDATE billing_invoicecounter SET last_number = last_number + 1 WHERE series = %(series)s RETURNING last_number
)
UPDATE billing_invoice SET number = last_number, series = %(series)s, status = 'finalised', finalised_at = %(at)s
FROM taken WHERE id = %(id)s RETURNING number
"""

_CREDIT_NOTE = """
WITH taken AS (
    UPDATE billing_invoicecounter SET last_number = last_number + 1 WHERE series = %(series)s RETURNING last_number
)
UPDATE billing_creditnote SET number = last_number FROM taken WHERE id = %(id)s RETURNING number
"""


def number_invoice(invoice: Invoice, *, at: datetime) -> None:
    """Finalises the draft with the next number of the year's series. Call it as the transaction's last statement."""
    invoice.series = f"INV-{at:%Y}"
    invoice.number = _take(_INVOICE, series=invoice.series, row=invoice.pk, at=at)
    invoice.status, invoice.finalised_at = InvoiceStatus.FINALISED, at


def number_credit_note(note: CreditNote) -> None:
    """Gives the note the next number of its series. Call it as the transaction's last statement."""
    note.number = _take(_CREDIT_NOTE, series=note.series, row=note.pk)


def _take(statement: str, *, series: str, row: int, at: datetime | None = None) -> int:
    values: dict[str, Any] = {"series": series, "id": row, "at": at}
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [_LOCK_TIMEOUT])
        cursor.execute(statement, values)
        taken = cursor.fetchone()
        if taken is None:  # the first of its series
            InvoiceCounter.objects.bulk_create([InvoiceCounter(series=series)], ignore_conflicts=True)
            cursor.execute(statement, values)
            taken = cursor.fetchone()
        return int(taken[0])
