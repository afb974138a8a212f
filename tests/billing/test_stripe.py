"""The Stripe adapter against a counterpart of its API: paid once, whatever comes twice, late or forged."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import LazySettings
from django.http import HttpResponse
from django.test import Client

from apps.billing.models import AccountKind, CreditNote, DunningStep, Invoice, PaymentStatus, ProcessorNotice
from apps.billing.models import Payment as BookedPayment
from apps.billing.payments import CollectionResult, Demand, payment_adapter
from apps.billing.processors.stripe_amounts import NotPayable, from_stripe, to_stripe
from apps.billing.services.credits import profile_of
from apps.billing.services.dunning import take_dunning_steps
from apps.billing.services.invariants import broken_invariants
from apps.billing.services.ledger import balances
from apps.core import clock
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from tests.billing.invoices import MAY, invoice_of, plan, subscribe, use
from tests.billing.stripe_counterpart import KEY, SECRET, Account, event, serving, signature
from tests.dashboard.conftest import owner_client

__all__ = ["owner_client"]
pytestmark = pytest.mark.django_db
_numbers = itertools.count(1)


@pytest.fixture
def account(settings: LazySettings) -> Iterator[Account]:
    account = Account()
    with serving(account) as url:
        settings.PAYMENT_ADAPTER = "apps.billing.processors.stripe.Stripe"
        settings.STRIPE = {"key": KEY, "webhook_secret": SECRET, "api": url}
        yield account


@pytest.fixture
def invoice(tenant: Tenant) -> Invoice:
    """50.00 EUR, unpaid."""
    plan()
    subscribe(tenant)
    use(tenant, 2_000, datetime(2026, 5, 20, tzinfo=UTC))
    with tenant_scope(tenant):
        made = invoice_of(tenant, MAY)
        assert made.tenant == tenant
        return made


def owed(invoice: Invoice) -> dict[str, str]:
    return {"pushsaas_invoice": invoice.public_id, "pushsaas_tenant": invoice.tenant.public_id}


def demand(invoice: Invoice, payer: str = "cus_1") -> Demand:
    return Demand(invoice.public_id, invoice.tenant.public_id, 5_000, "EUR", payer, invoice.label)


def tell(kind: str, thing: dict[str, Any], *, body: bytes | None = None, **signed: Any) -> HttpResponse:
    body = event(kind, thing, next(_numbers)) if body is None else body
    return Client().post(  # type: ignore[return-value]
        "/payments/notice",
        body,
        content_type="application/json",
        headers={"Stripe-Signature": signature(body, **signed)},
    )


def now(invoice: Invoice) -> Invoice:
    with tenant_scope(invoice.tenant_id):
        return Invoice.objects.of(invoice.tenant_id).get(pk=invoice.pk)


def payments(invoice: Invoice) -> list[tuple[str, str, int]]:
    with tenant_scope(invoice.tenant_id):
        found = BookedPayment.objects.of(invoice.tenant_id).order_by("pk")
        return list(found.values_list("method", "reference", "amount"))


def sound(invoice: Invoice) -> bool:
    with tenant_scope(invoice.tenant_id):
        return list(broken_invariants(tenant=Tenant.objects.get(pk=invoice.tenant_id))) == []


def test_the_library_is_only_imported_where_stripe_is_configured() -> None:
    code = "import apps.billing.payments, sys; assert 'stripe' not in sys.modules"
    program = f"import django; django.setup(); import pushsaas.urls; {code}"
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=60)


@pytest.mark.parametrize(
    ("units", "currency", "theirs"),
    [(1_234, "EUR", 1_234), (1_234, "JPY", 1_234), (1_230, "KWD", 1_230), (12, "ISK", 1_200), (12, "UGX", 1_200)],
)
def test_amounts_are_the_same_money_at_stripe(units: int, currency: str, theirs: int) -> None:
    assert to_stripe(units, currency) == theirs
    assert from_stripe(theirs, currency) == units


def test_an_amount_that_stripe_cannot_move_is_not_rounded() -> None:
    with pytest.raises(NotPayable):
        to_stripe(1_234, "KWD")


def test_a_customer_pays_on_stripes_page_and_the_invoice_is_paid(
    account: Account, invoice: Invoice, owner_client: Client
) -> None:
    page = f"/invoices/{invoice.public_id}/"
    assert f'action="{page}pay/"' in owner_client.get(page).content.decode()
    for _again in range(2):
        assert owner_client.post(f"{page}pay/")["Location"] == "https://checkout.stripe.com/c/cs_1"
    assert account.sessions["cs_1"]["success_url"] == f"http://testserver{page}"
    account.pay_session()
    assert tell("checkout.session.completed", account.sessions["cs_1"]).status_code == 200
    assert now(invoice).payment_status == PaymentStatus.PAID
    assert payments(invoice) == [("stripe", "pi_1", 5_000)]
    with tenant_scope(invoice.tenant_id):
        assert profile_of(tenant=invoice.tenant).payer_reference == "cus_1"
    assert 'pay/"' not in owner_client.get(page).content.decode()
    assert sound(invoice)


def test_a_marketer_does_not_pay_and_the_manual_adapter_has_no_page(invoice: Invoice, owner_client: Client) -> None:
    response = owner_client.post(f"/invoices/{invoice.public_id}/pay/")
    assert response.status_code == 409
    assert 'pay/"' not in owner_client.get(f"/invoices/{invoice.public_id}/").content.decode()


def test_notices_that_come_twice_late_and_out_of_order_book_once(account: Account, invoice: Invoice) -> None:
    payment = account.pay(amount=5_000, metadata=owed(invoice), customer="cus_1")
    failed_before = {**payment, "status": "requires_payment_method"}
    body = event("payment_intent.succeeded", payment, 900)
    assert tell("payment_intent.succeeded", payment).status_code == 200
    assert tell("payment_intent.payment_failed", failed_before).status_code == 200
    for _again in range(3):
        assert tell("", {}, body=body).status_code == 200
    assert payments(invoice) == [("stripe", "pi_1", 5_000)]
    assert now(invoice).payment_status == PaymentStatus.PAID
    assert ProcessorNotice.objects.filter(identity="evt_900").count() == 1


def test_what_an_event_says_is_not_believed(account: Account, invoice: Invoice) -> None:
    payment = account.pay(amount=5_000, metadata=owed(invoice), status="processing", amount_received=0)
    tell("payment_intent.succeeded", {**payment, "status": "succeeded", "amount_received": 5_000})
    assert payments(invoice) == []


@pytest.mark.parametrize(
    "forged", [{"secret": "whsec_other"}, {"at": 1_000_000_000}, {"secret": ""}], ids=["key", "old", "empty"]
)
def test_a_notice_that_stripe_did_not_sign_is_refused(
    account: Account, invoice: Invoice, forged: dict[str, Any]
) -> None:
    payment = account.pay(amount=5_000, metadata=owed(invoice))
    response = tell("payment_intent.succeeded", payment, **forged)
    assert (response.status_code, response.json()) == (400, {"code": "bad_notice"})
    assert account.calls == []
    assert not ProcessorNotice.objects.exists()
    assert payments(invoice) == []


def test_without_a_secret_every_notice_is_refused(account: Account, invoice: Invoice, settings: LazySettings) -> None:
    settings.STRIPE = {**settings.STRIPE, "webhook_secret": ""}
    assert tell("payment_intent.succeeded", account.pay(amount=1), secret="").status_code == 400


@pytest.mark.parametrize("body", [b"{}", b"[]", b"nonsense", b'{"id": 1}', b"\xff"])
def test_a_signed_body_that_cannot_be_read_is_refused(account: Account, body: bytes) -> None:
    raw = body.decode("utf-8", "replace").encode()
    response = Client().post(
        "/payments/notice", body, content_type="application/json", headers={"Stripe-Signature": signature(raw)}
    )
    assert response.status_code == 400


def test_when_stripe_does_not_answer_the_notice_is_wanted_again(account: Account, invoice: Invoice) -> None:
    payment = account.pay(amount=5_000, metadata=owed(invoice))
    body = event("payment_intent.succeeded", payment, 901)
    account.down = True
    assert tell("", {}, body=body).status_code == 503
    account.down = False
    assert tell("", {}, body=body).status_code == 200
    assert payments(invoice) == [("stripe", "pi_1", 5_000)]


def test_money_that_fits_no_open_invoice_is_kept_for_an_operator(account: Account, invoice: Invoice) -> None:
    for number, values in enumerate(
        [
            {"amount": 5_001, "metadata": owed(invoice)},
            {"amount": 5_000, "metadata": owed(invoice), "currency": "usd"},
            {"amount": 5_000, "metadata": {**owed(invoice), "pushsaas_invoice": "inv_nothing"}},
            {"amount": 5_000, "metadata": {**owed(invoice), "pushsaas_tenant": "ten_nothing"}},
        ]
    ):
        assert tell("payment_intent.succeeded", account.pay(**values)).status_code == 200, number
    assert [kept.problem.split(":")[0] for kept in ProcessorNotice.objects.order_by("pk")] == [
        "bad_amount", "wrong_invoice_state", "not_found", "not_found",
    ]  # fmt: skip
    assert payments(invoice) == []


def test_somebody_elses_payment_at_the_same_account_is_none_of_ours(account: Account, invoice: Invoice) -> None:
    assert tell("payment_intent.succeeded", account.pay(amount=5_000, metadata={"shop": "1"})).status_code == 200
    assert ProcessorNotice.objects.get().problem == ""


def test_another_tenants_invoice_cannot_be_paid_by_naming_it(
    account: Account, other_tenant: Tenant, invoice: Invoice
) -> None:
    mixed = {"pushsaas_invoice": invoice.public_id, "pushsaas_tenant": other_tenant.public_id}
    tell("payment_intent.succeeded", account.pay(amount=5_000, metadata=mixed))
    assert ProcessorNotice.objects.get().problem.startswith("not_found")
    assert payments(invoice) == []


def test_a_refund_is_mirrored_once_by_a_credit_note_and_the_cash_goes(account: Account, invoice: Invoice) -> None:
    payment = account.pay(amount=5_000, metadata=owed(invoice), customer="cus_1")
    refund = account.refund(payment["id"], 2_000)
    for kind in ("refund.created", "refund.updated", "refund.created"):  # before the payment's own notice
        assert tell(kind, refund).status_code == 200
    tell("payment_intent.succeeded", payment)
    with tenant_scope(invoice.tenant_id):
        (note,) = CreditNote.objects.of(invoice.tenant_id)
        assert (note.total, note.refund_reference) == (2_000, "re_1")
        assert balances(tenant=invoice.tenant, kind=AccountKind.CASH) == {("EUR", "stripe"): 3_000}
        assert balances(tenant=invoice.tenant, kind=AccountKind.WALLET) == {}
    assert sound(invoice)


def test_a_saved_card_is_charged_when_the_invoice_is_due(account: Account, invoice: Invoice, as_worker: None) -> None:
    account.cards["cus_1"] = "pm_1"
    with tenant_scope(invoice.tenant_id):
        profile_of(tenant=invoice.tenant).changed(payer_reference="cus_1")
        DunningStep.objects.of(invoice.tenant_id).filter(action="collect").update(due_at=clock.now())
    take_dunning_steps()
    assert payments(invoice) == [("stripe", "pi_1", 5_000)]
    assert now(invoice).payment_status == PaymentStatus.PAID
    tell("payment_intent.succeeded", account.payments["pi_1"])
    assert len(payments(invoice)) == 1


def test_a_charge_whose_answer_got_lost_is_found_and_not_repeated(account: Account, invoice: Invoice) -> None:
    account.cards["cus_1"] = "pm_1"
    account.lose = True
    assert payment_adapter().collect(demand(invoice)).result is CollectionResult.REFUSED
    account.lose = False
    found = payment_adapter().collect(demand(invoice))
    assert (found.result, found.reference, len(account.payments)) == (CollectionResult.PAID, "pi_1", 1)


def test_a_declined_card_is_tried_again_with_another_key(account: Account, invoice: Invoice) -> None:
    account.cards["cus_1"] = "pm_1"
    account.decline = True
    assert payment_adapter().collect(demand(invoice)).result is CollectionResult.REFUSED
    account.decline = False
    assert payment_adapter().collect(demand(invoice)).result is CollectionResult.PAID
    assert len(account.answers) == 2


@pytest.mark.parametrize("payer", ["", "cus_2"])
def test_without_a_card_nobody_is_charged(account: Account, invoice: Invoice, payer: str) -> None:
    assert payment_adapter().collect(demand(invoice, payer)).result is CollectionResult.WAITING
    assert account.payments == {}


def test_a_body_that_is_too_large_is_not_read(account: Account) -> None:
    response = Client().post("/payments/notice", b"x" * (300 * 1024), content_type="application/json")
    assert response.status_code == 413
