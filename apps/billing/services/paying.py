"""Money that comes by a processor: a page to pay at, and notices of what happened there."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from apps.billing.errors import BadAmount, WrongInvoiceState
from apps.billing.models import Invoice, ProcessorNotice
from apps.billing.payments import Demand, PaymentAdapter, Received, Refunded, RefundNews, payment_adapter
from apps.billing.services.credits import profile_of
from apps.billing.services.refunds import look_at_refund
from apps.billing.services.settling import Repaid, mirror_refund, record_payment
from apps.core import clock
from apps.core.errors import HouseError, NotFound
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from apps.tenants.services import SYSTEM

logger = logging.getLogger(__name__)


def demand_for(*, tenant: Tenant, invoice: Invoice) -> Demand:
    """What is open of a finalised invoice."""
    payer = profile_of(tenant=tenant).payer_reference
    return Demand(invoice.public_id, tenant.public_id, invoice.open_amount, invoice.currency, payer, invoice.label)


def take_notice(*, body: bytes, headers: Mapping[str, str]) -> None:
    """Acts on a processor's notice once; it may come twice, late and in any order. Opens its own scopes.

    What cannot be booked is kept with its reason, for an operator. Raises BadNotice, and ProcessorUnavailable when what
    it is about cannot be fetched: then the processor sends it again.
    """
    adapter = payment_adapter()
    notice = adapter.read_notice(body, headers)
    kept = ProcessorNotice(
        processor=adapter.name, identity=notice.identity, kind=notice.kind, reference=notice.reference
    )
    ProcessorNotice.objects.bulk_create([kept], ignore_conflicts=True)
    waiting = ProcessorNotice.objects.filter(processor=adapter.name, identity=notice.identity, handled_at=None)
    if not waiting.exists():
        return
    happened = adapter.look_up(notice)
    problem = _act_on(adapter, happened) if happened is not None else ""
    waiting.update(handled_at=clock.now(), problem=problem)


def _act_on(adapter: PaymentAdapter, happened: Received | Refunded | RefundNews) -> str:
    """Why it could not be booked, or nothing."""
    if not isinstance(happened, RefundNews):
        return _book(adapter, happened)
    try:
        number = Tenant.number_of(happened.tenant_id)
        with tenant_scope(number):
            look_at_refund(tenant=Tenant.objects.get(pk=number), public_id=happened.refund_id)
    except (NotFound, Tenant.DoesNotExist):
        return _why(NotFound())
    return ""


def _book(adapter: PaymentAdapter, happened: Received | Refunded) -> str:
    """Why it could not be booked, or nothing."""
    received = happened if isinstance(happened, Received) else happened.payment
    try:
        number = Tenant.number_of(received.tenant_id)
        with tenant_scope(number):
            tenant = Tenant.objects.filter(pk=number).first()
            if tenant is None:
                raise NotFound
            invoice = Invoice.objects.of(tenant).access(received.invoice_id)
            if invoice.currency != received.currency:
                raise WrongInvoiceState
            if isinstance(happened, Refunded):
                _repay(adapter, tenant, invoice, happened)
            else:
                _receive(adapter, tenant, invoice, happened)
    except (NotFound, BadAmount, WrongInvoiceState) as error:
        logger.error(
            "payment.not_booked processor=%s reference=%s why=%s", adapter.name, received.reference, error.code
        )
        return _why(error)
    return ""


def _receive(adapter: PaymentAdapter, tenant: Tenant, invoice: Invoice, received: Received) -> None:
    record_payment(
        tenant=tenant,
        invoice=invoice,
        amount=received.amount,
        method=adapter.name,
        reference=received.reference,
        actor=SYSTEM,
    )
    profile = profile_of(tenant=tenant)
    if received.payer and profile.payer_reference != received.payer:
        profile.changed(payer_reference=received.payer)


def _repay(adapter: PaymentAdapter, tenant: Tenant, invoice: Invoice, refunded: Refunded) -> None:
    """The payment is booked first: its own notice may come later."""
    _receive(adapter, tenant, invoice, refunded.payment)
    repaid = Repaid(adapter.name, refunded.payment.reference, refunded.reference)
    mirror_refund(tenant=tenant, invoice=invoice, amount=refunded.amount, repaid=repaid, actor=SYSTEM)


def _why(error: HouseError) -> str:
    return f"{error.code}: {error.message}"[:300]
