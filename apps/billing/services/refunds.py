"""Paying back: planned with a credit note, asked for outside any transaction, booked once when the money is gone.

A worker that is killed anywhere leaves a row that is due again; the processor is asked what it knows of that row's try
before it is asked to pay, so that no money goes twice.
"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Sum

from apps.billing.errors import BadAmount, ProcessorUnavailable, WrongInvoiceState
from apps.billing.models import (
    AccountKind,
    CreditGrant,
    CreditNote,
    Invoice,
    LedgerTransaction,
    Payment,
    Refund,
    RefundState,
)
from apps.billing.payments import Payout, PayoutState, RefundOrder, payment_adapter
from apps.billing.services.credits import wallet
from apps.billing.services.ledger import Account, book, reverse
from apps.core import clock
from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope
from apps.tenants.services import SYSTEM, record_audit

_MOST = 50
#: Longer than a call takes; then somebody else asks, with the same key.
_LEASE = timedelta(minutes=2)
_AGAIN, _LOOK_AGAIN = timedelta(minutes=1), timedelta(hours=1)


#: What the processor is asked about. Of one that is gone only when it says that something happened.
_ASKED = (RefundState.WAITING, RefundState.UNDER_WAY, RefundState.DONE)


def pending_account(currency: str) -> Account:
    """What is owed to payers and not paid back yet."""
    return Account(AccountKind.REFUNDS, currency)


def plan_refunds(*, tenant: Tenant, note: CreditNote, invoice: Invoice, amount: int) -> None:
    """Notes what of which payment goes back, the newest first. Raises BadAmount for more than was paid and is left.

    In the transaction that books the note; the caller holds the invoice.
    """
    method = payment_adapter().name
    for payment in Payment.objects.of(tenant).filter(invoice=invoice).order_by("-pk"):
        units = min(amount, payment.amount - _gone_of(tenant, payment))
        if units <= 0:
            continue
        by_hand = payment.method != method or method == "manual"
        Refund.objects.create(
            tenant=tenant, note=note, payment=payment, amount=units,
            state=RefundState.BY_HAND if by_hand else RefundState.WAITING, due_at=None if by_hand else clock.now(),
        )  # fmt: skip
        amount -= units
    if amount:
        raise BadAmount


def refundable(*, tenant: Tenant, invoice: Invoice) -> int:
    """Minor units of what was paid that have not gone back, nor are about to."""
    payments = Payment.objects.of(tenant).filter(invoice=invoice)
    mirrored = CreditNote.objects.of(tenant).filter(invoice=invoice, refunds=None).exclude(refund_reference="")
    gone = mirrored.aggregate(units=Sum("total"))["units"] or 0  # of an earlier release, which made no rows of them
    return sum(payment.amount - _gone_of(tenant, payment) for payment in payments) - gone


def note_repaid(*, tenant: Tenant, note: CreditNote, payment: Payment) -> Refund:
    """Notes a refund that was made at the processor, and that the credit note mirrors and books."""
    return Refund.objects.create(
        tenant=tenant, note=note, payment=payment, amount=note.total, state=RefundState.DONE,
        reference=note.refund_reference, ended_at=clock.now(),
    )  # fmt: skip


def _gone_of(tenant: Tenant, payment: Payment) -> int:
    """A failed one may be tried again, so what it holds is not given to another."""
    rows = Refund.objects.of(tenant).filter(payment=payment).exclude(state=RefundState.CREDITED)
    return rows.aggregate(units=Sum("amount"))["units"] or 0


def send_refunds() -> int:
    """Asks the processor for what is due, in all tenants; answers how many were. Opens its own scopes."""
    with all_tenants(CrossTenantRole.DISPATCH):
        due = Refund.objects.get_queryset().filter(due_at__lte=clock.now()).order_by("due_at")
        found = list(due.values_list("tenant_id", "pk")[:_MOST])
    for tenant_id, number in found:
        _send(tenant_id, number)
    return len(found)


def _send(tenant_id: int, number: int) -> None:
    with tenant_scope(tenant_id):
        refund = _due(tenant_id, number)
        if refund is None:
            return
        Refund.objects.of(tenant_id).filter(pk=number).update(due_at=clock.now() + _LEASE)
        invoice, tries = refund.payment.invoice, refund.tries
        order = RefundOrder(refund.public_id, tries, refund.payment.reference, refund.amount, invoice.currency)
    adapter = payment_adapter()
    try:
        payout = adapter.refund(order)
    except ProcessorUnavailable:
        payout = None
    with tenant_scope(tenant_id):
        tenant = Tenant.objects.get(pk=tenant_id)
        locked = Refund.objects.of(tenant).filter(pk=number, tries=tries).select_for_update().first()
        if locked is not None and locked.state in _ASKED:
            _settle(tenant, locked, payout)


def _due(tenant_id: int, number: int) -> Refund | None:
    rows = Refund.objects.of(tenant_id).filter(pk=number, due_at__lte=clock.now()).select_related("payment__invoice")
    return rows.select_for_update(skip_locked=True, of=("self",)).first()


def _settle(tenant: Tenant, refund: Refund, payout: Payout | None) -> None:
    now, was_gone = clock.now(), refund.state == RefundState.DONE
    if payout is None:
        refund.due_at = now + _AGAIN
    elif payout.state is PayoutState.DONE:
        _book_gone(tenant, refund, payout.reference)
    elif payout.state is PayoutState.UNDER_WAY:
        refund.state, refund.reference, refund.due_at = RefundState.UNDER_WAY, payout.reference, now + _LOOK_AGAIN
    else:
        if was_gone:  # the payer's bank sent it back
            booked = LedgerTransaction.objects.of(tenant).get(operation="refund", operation_id=_operation(refund))
            reverse(tenant=tenant, booked=booked)
        refund.state = RefundState.FAILED if payout.state is PayoutState.FAILED else RefundState.BY_HAND
        refund.problem, refund.due_at = payout.problem[:300], None
    refund.save()


def _book_gone(tenant: Tenant, refund: Refund, reference: str) -> None:
    """The money has left: the debt to the payer ends, the cash is less. Booked once whoever repeats it."""
    payment = refund.payment
    currency = payment.invoice.currency
    cash = Account(AccountKind.CASH, currency, payment.method)
    entries = [(pending_account(currency), refund.amount), (cash, -refund.amount)]
    book(tenant=tenant, operation="refund", operation_id=_operation(refund), entries=entries)
    refund.state, refund.reference, refund.due_at = RefundState.DONE, reference[:80], None
    refund.problem, refund.ended_at = "", clock.now()
    facts = {"refund": refund.public_id, "amount": refund.amount}
    record_audit(tenant=tenant, actor=SYSTEM, action="invoice.refunded", target=payment.invoice.public_id, facts=facts)


def _operation(refund: Refund) -> str:
    return f"{refund.public_id}:{refund.tries}"


def look_at_refund(*, tenant: Tenant, public_id: str) -> None:
    """The processor says that something happened to it: it is asked at the next tick."""
    refund = Refund.objects.of(tenant).access(public_id)
    open_ones = Refund.objects.of(tenant).filter(pk=refund.pk, state__in=_ASKED)
    open_ones.update(due_at=clock.now())


def retry_refund(*, tenant: Tenant, refund: Refund) -> None:
    """Asks again for one that failed, as a new try. Raises WrongInvoiceState."""
    locked = _locked(tenant, refund, RefundState.FAILED)
    locked.state, locked.tries, locked.due_at, locked.problem = RefundState.WAITING, locked.tries + 1, clock.now(), ""
    locked.save()


def note_transfer(*, tenant: Tenant, refund: Refund, reference: str) -> None:
    """An operator has transferred the money. Raises WrongInvoiceState."""
    locked = _locked(tenant, refund, RefundState.BY_HAND, RefundState.FAILED)
    _book_gone(tenant, locked, reference)
    locked.save()


def credit_instead(*, tenant: Tenant, refund: Refund) -> None:
    """What cannot be paid back becomes prepaid credit. Raises WrongInvoiceState."""
    locked = _locked(tenant, refund, RefundState.BY_HAND, RefundState.FAILED)
    invoice = locked.payment.invoice
    credit = CreditGrant.objects.create(
        tenant=tenant, name=invoice.label, currency=invoice.currency, amount=locked.amount
    )
    entries = [(pending_account(invoice.currency), locked.amount), (wallet(credit), -locked.amount)]
    book(tenant=tenant, operation="refund credited", operation_id=locked.public_id, entries=entries)
    locked.state, locked.due_at, locked.ended_at = RefundState.CREDITED, None, clock.now()
    locked.save()


def _locked(tenant: Tenant, refund: Refund, *states: RefundState) -> Refund:
    locked = Refund.objects.of(tenant).filter(pk=refund.pk).select_for_update().get()
    if locked.state not in states:
        raise WrongInvoiceState
    return locked
