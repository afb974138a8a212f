"""Money that goes back with a credit note: once, never more than was paid, wherever a worker dies."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.conf import LazySettings

from apps.billing.models import AccountKind, CreditNote, Invoice, Refund, RefundState
from apps.billing.processors.stripe import Stripe
from apps.billing.services import refunds
from apps.billing.services.ledger import balances
from apps.billing.services.refunds import credit_instead, note_transfer, retry_refund, send_refunds
from apps.billing.services.settling import issue_credit_note, record_payment
from apps.core import clock
from apps.tenants.scope import tenant_scope
from tests.billing.stripe_counterpart import Account
from tests.billing.test_stripe import account, invoice, owed, sound, tell

__all__ = ["account", "invoice"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]


def paid(account: Account, invoice: Invoice) -> None:
    tell("payment_intent.succeeded", account.pay(amount=5_000, metadata=owed(invoice), customer="cus_1"))


def credit(invoice: Invoice, amount: str | None, *, pays_back: bool = True) -> None:
    with tenant_scope(invoice.tenant_id):
        issue_credit_note(
            tenant=invoice.tenant, invoice=invoice, reason="Wrong", actor="system", pays_back=pays_back,
            amount=None if amount is None else Decimal(amount),
        )  # fmt: skip


def refund_of(invoice: Invoice) -> Refund:
    with tenant_scope(invoice.tenant_id):
        return Refund.objects.of(invoice.tenant_id).latest("pk")


def books(invoice: Invoice) -> dict[str, int]:
    """What is in cash, owed back, and in wallets (minor units, wallets and debts below zero)."""
    kinds = AccountKind.CASH, AccountKind.REFUNDS, AccountKind.WALLET
    with tenant_scope(invoice.tenant_id):
        return {kind.value: sum(balances(tenant=invoice.tenant, kind=kind).values()) for kind in kinds}


def make_due(invoice: Invoice) -> None:
    with tenant_scope(invoice.tenant_id):
        Refund.objects.of(invoice.tenant_id).exclude(due_at=None).update(due_at=clock.now())


def test_a_credit_note_of_a_paid_invoice_is_paid_back_once(account: Account, invoice: Invoice) -> None:
    paid(account, invoice)
    credit(invoice, "20")
    assert books(invoice) == {"cash": 5_000, "refunds": -2_000, "wallet": 0}
    assert (send_refunds(), send_refunds()) == (1, 0)
    assert [(each["amount"], each["payment_intent"]) for each in account.refunds.values()] == [(2_000, "pi_1")]
    assert books(invoice) == {"cash": 3_000, "refunds": 0, "wallet": 0}
    assert (refund_of(invoice).state, refund_of(invoice).reference) == (RefundState.DONE, "re_1")
    tell("refund.created", account.refunds["re_1"])
    send_refunds()
    with tenant_scope(invoice.tenant_id):
        assert CreditNote.objects.of(invoice.tenant_id).count() == 1
    assert books(invoice)["cash"] == 3_000
    assert sound(invoice)


def test_never_more_goes_back_than_was_paid(account: Account, invoice: Invoice) -> None:
    with tenant_scope(invoice.tenant_id):
        record_payment(
            tenant=invoice.tenant, invoice=invoice, amount=2_000, method="bank", reference="b", actor="system"
        )
    tell("payment_intent.succeeded", account.pay(amount=3_000, metadata=owed(invoice), customer="cus_1"))
    tell("refund.created", account.refund("pi_1", 1_000))  # by hand, at Stripe
    credit(invoice, "10", pays_back=False)
    credit(invoice, None)
    send_refunds()
    with tenant_scope(invoice.tenant_id):
        rows = Refund.objects.of(invoice.tenant_id).order_by("pk").values_list("payment__method", "amount", "state")
        assert list(rows) == [("stripe", 1_000, "done"), ("stripe", 2_000, "done"), ("bank", 1_000, "by_hand")]
    assert [each["amount"] for each in account.refunds.values()] == [1_000, 2_000]
    assert sound(invoice)


@pytest.mark.parametrize("dies", ["before the call", "after the call", "while it books"])
def test_a_worker_that_dies_anywhere_leaves_one_refund(
    account: Account, invoice: Invoice, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    paid(account, invoice)
    credit(invoice, None)

    class Killed(BaseException):
        """Nothing catches it."""

    def after(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            if dies != "before the call":
                real(*args, **kwargs)
            raise Killed

        return call

    with monkeypatch.context() as patched:
        if dies == "while it books":
            patched.setattr(refunds, "_settle", after(refunds._settle))
        else:
            patched.setattr(Stripe, "refund", after(Stripe.refund))
        with pytest.raises(Killed):
            send_refunds()
    assert send_refunds() == 0  # leased
    account.answers.clear()  # as if Stripe had forgotten its keys meanwhile
    make_due(invoice)
    send_refunds()
    assert [each["amount"] for each in account.refunds.values()] == [5_000]
    assert books(invoice) == {"cash": 0, "refunds": 0, "wallet": 0}
    assert sound(invoice)


def test_what_stripe_refuses_is_shown_and_can_be_tried_again_or_credited(account: Account, invoice: Invoice) -> None:
    paid(account, invoice)
    account.refund_status = "failed"
    credit(invoice, "20")
    send_refunds()
    assert (refund_of(invoice).state, refund_of(invoice).problem) == (RefundState.FAILED, "failed")
    with tenant_scope(invoice.tenant_id):
        retry_refund(tenant=invoice.tenant, refund=refund_of(invoice))
    send_refunds()
    assert (refund_of(invoice).tries, len(account.refunds)) == (2, 2)
    with tenant_scope(invoice.tenant_id):
        credit_instead(tenant=invoice.tenant, refund=refund_of(invoice))
    assert books(invoice) == {"cash": 5_000, "refunds": 0, "wallet": -2_000}
    assert sound(invoice)


def test_one_that_is_pending_is_asked_for_when_a_notice_comes_and_may_come_back(
    account: Account, invoice: Invoice
) -> None:
    paid(account, invoice)
    account.refund_status = "pending"
    credit(invoice, "20")
    send_refunds()
    assert (refund_of(invoice).state, send_refunds()) == (RefundState.UNDER_WAY, 0)
    for status, cash in (("succeeded", 3_000), ("failed", 5_000)):
        account.refunds["re_1"]["status"] = status
        tell("refund.updated", account.refunds["re_1"])
        send_refunds()
        assert books(invoice)["cash"] == cash
    assert (refund_of(invoice).state, books(invoice)["refunds"]) == (RefundState.FAILED, -2_000)
    assert sound(invoice)


def test_while_stripe_is_down_it_is_asked_again_later(account: Account, invoice: Invoice) -> None:
    paid(account, invoice)
    credit(invoice, "20")
    account.down = True
    send_refunds()
    assert (refund_of(invoice).state, refund_of(invoice).tries) == (RefundState.WAITING, 1)
    account.down = False
    make_due(invoice)
    send_refunds()
    assert refund_of(invoice).state == RefundState.DONE


def test_without_a_processor_an_operator_transfers_it(invoice: Invoice, settings: LazySettings) -> None:
    with tenant_scope(invoice.tenant_id):
        record_payment(
            tenant=invoice.tenant, invoice=invoice, amount=5_000, method="bank", reference="b", actor="system"
        )
    credit(invoice, "20")
    assert (refund_of(invoice).state, send_refunds()) == (RefundState.BY_HAND, 0)
    with tenant_scope(invoice.tenant_id):
        note_transfer(tenant=invoice.tenant, refund=refund_of(invoice), reference="SEPA 1")
    assert books(invoice) == {"cash": 3_000, "refunds": 0, "wallet": 0}
    assert sound(invoice)
