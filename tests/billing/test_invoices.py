"""An invoice's life: what it says, what freezes it, what it books, and that nothing goes round the rules by SQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from apps.accounts.models import OutgoingMail
from apps.billing.errors import BadAmount, WrongInvoiceState
from apps.billing.models import (
    AccountKind,
    BillingPeriod,
    CreditNote,
    DunningStep,
    Invoice,
    InvoiceLine,
    LedgerEntry,
    Quota,
    TaxRate,
)
from apps.billing.services import set_plan
from apps.billing.services.credits import (
    add_coupon,
    balances_of_credits,
    change_profile,
    expire_credits,
    grant_credit,
    profile_of,
)
from apps.billing.services.dunning import take_dunning_steps
from apps.billing.services.invoicing import bill_of, finalise, open_draft, unpark, void
from apps.billing.services.ledger import Account, balances, book
from apps.billing.services.month_end import finalise_due, open_due_drafts
from apps.billing.services.settling import issue_credit_note, record_payment
from apps.billing.statement import DiscountKind
from apps.tenants.models import AuditEntry, Tenant
from apps.tenants.scope import tenant_scope
from tests.billing.invoices import JULY, JUNE, MAY, PUBLISHED, invoice_of, plan, subscribe, use

pytestmark = pytest.mark.django_db


@pytest.fixture
def may(tenant: Tenant) -> Tenant:
    """A tenant that owes 30 + 20 for May, and 19 % on it."""
    plan()
    TaxRate.objects.create(code="vat", name="VAT", percent=19)
    subscribe(tenant)
    with tenant_scope(tenant):
        change_profile(tenant=tenant, taxes={"": "vat"}, email="bills@acme.example")
    use(tenant, 2_000, datetime(2026, 5, 20, tzinfo=UTC))
    return tenant


def owed(tenant: Tenant) -> dict[str, int]:
    return {
        kind: sum(balances(tenant=tenant, kind=AccountKind(kind)).values())
        for kind in ("receivable", "revenue", "tax_payable", "cash", "wallet", "goodwill", "breakage")
        if balances(tenant=tenant, kind=AccountKind(kind))
    }


def check_now() -> None:
    """What deferred triggers do at the commit."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def test_a_finalised_invoice_says_books_and_mails_what_is_owed(may: Tenant) -> None:
    with tenant_scope(may):
        invoice = invoice_of(may)
        lines = InvoiceLine.objects.of(may).filter(invoice=invoice).order_by("position")
        assert [(line.kind, line.quantity, line.posted, line.due) for line in lines] == [
            ("usage", 2_000, 2_000, 2_380),
            ("flat_fee", 1, 3_000, 3_570),
        ]
        assert (invoice.net, invoice.tax, invoice.total, invoice.open_amount) == (5_000, 950, 5_950, 5_950)
        assert (invoice.label, invoice.payment_status) == ("INV-2026-000001", "pending")
        assert owed(may) == {"receivable": 5_950, "revenue": -5_000, "tax_payable": -950}
        check_now()
    assert [mail.recipient for mail in OutgoingMail.objects.filter(kind="invoice")] == ["bills@acme.example"]


def test_the_preview_of_a_cycle_is_its_invoice_when_nothing_more_is_used(may: Tenant) -> None:
    with tenant_scope(may):
        with time_machine.travel(JUNE - timedelta(seconds=1), tick=False):
            add_coupon(tenant=may, name="Spring", kind=DiscountKind.PERCENT, value=Decimal("12.5"))
            grant_credit(tenant=may, name="Prepaid", currency="EUR", amount=1_234)
            periods = BillingPeriod.objects.of(may)
            draft = Invoice(tenant=may, starts_at=periods.get().starts_at)
            preview = bill_of(tenant=may, invoice=draft)
        invoice = invoice_of(may)
    assert (preview.statement.total, preview.wallet) == (invoice.total, invoice.wallet) == (5_206, 1_234)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE billing_invoice SET total = 1, net = 1, tax = 0",
        "UPDATE billing_invoice SET number = 7",
        "UPDATE billing_invoice SET status = 'draft'",
        "UPDATE billing_invoice SET status = 'discarded', number = NULL",
        "UPDATE billing_invoice SET parties_json = '{}'",
        "DELETE FROM billing_invoice",
        "UPDATE billing_invoiceline SET posted = 1",
        "DELETE FROM billing_invoiceline",
        'INSERT INTO billing_invoiceline SELECT (jsonb_populate_record(line, \'{"id": 999, "position": 9}\')).* '
        "FROM billing_invoiceline AS line LIMIT 1",
        "UPDATE billing_invoicetax SET posted = 1",
        "UPDATE billing_creditnote SET total = 1",
        "DELETE FROM billing_creditnote",
        "UPDATE billing_payment SET amount = 1",
        "UPDATE billing_ledgerentry SET amount = 1",
        "DELETE FROM billing_ledgerentry",
        "DELETE FROM billing_ledgertransaction",
    ],
)
def test_sql_cannot_change_what_was_finalised(may: Tenant, sql: str) -> None:
    with tenant_scope(may):
        invoice = invoice_of(may)
        record_payment(tenant=may, invoice=invoice, amount=50, method="manual", reference="1", actor="op")
        issue_credit_note(tenant=may, invoice=invoice, amount=Decimal(1), reason="kind", actor="op")
        check_now()
        before = invoice.refreshed().total
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
        assert invoice.refreshed().total == before
        assert invoice.status == "finalised"


def test_forbidden_transitions_are_refused(may: Tenant) -> None:
    with tenant_scope(may):
        draft = open_draft(tenant=may, starts_at=MAY)
        assert draft is not None
        with pytest.raises(WrongInvoiceState):
            void(tenant=may, invoice=draft, reason="x", actor="op")
        with pytest.raises(WrongInvoiceState):
            record_payment(tenant=may, invoice=draft, amount=1, method="manual", reference="1", actor="op")
        with pytest.raises(WrongInvoiceState):
            issue_credit_note(tenant=may, invoice=draft, reason="x", actor="op")
        invoice = finalise(tenant=may, invoice_id=draft.pk)
        with pytest.raises(WrongInvoiceState):
            finalise(tenant=may, invoice_id=draft.pk)
        record_payment(tenant=may, invoice=invoice, amount=1, method="manual", reference="1", actor="op")
        with pytest.raises(WrongInvoiceState):
            void(tenant=may, invoice=invoice, reason="x", actor="op")
        assert open_draft(tenant=may, starts_at=MAY) is None


def test_voiding_takes_everything_back_and_keeps_the_number(may: Tenant) -> None:
    with tenant_scope(may):
        credit = grant_credit(tenant=may, name="Prepaid", currency="EUR", amount=1_000)
        invoice = invoice_of(may)
        assert balances_of_credits(tenant=may) == {credit.pk: 0}
        void(tenant=may, invoice=invoice, reason="wrong address", actor="op")
        check_now()
        assert balances_of_credits(tenant=may) == {credit.pk: 1_000}
        assert owed(may) == {"receivable": 0, "revenue": 0, "tax_payable": 0, "cash": 1_000, "wallet": -1_000}
        assert (invoice.refreshed().label, invoice.status) == ("INV-2026-000001", "voided")
        again = invoice_of(may)
        assert (again.label, again.total) == ("INV-2026-000002", 5_950)


def test_payments_are_booked_once_and_never_pass_what_is_open(may: Tenant) -> None:
    with tenant_scope(may):
        invoice = invoice_of(may)
        pay = {"tenant": may, "invoice": invoice, "method": "manual", "actor": "op"}
        for _repeat in range(2):
            record_payment(**pay, amount=5_000, reference="transfer 1")
        assert invoice.refreshed().payment_status == "partially_paid"
        for amount in (951, 0, -5):
            with pytest.raises(BadAmount):
                record_payment(**pay, amount=amount, reference="transfer 2")
        record_payment(**pay, amount=950, reference="transfer 2")
        assert (invoice.refreshed().payment_status, invoice.open_amount) == ("paid", 0)
        assert owed(may) == {"receivable": 0, "revenue": -5_000, "tax_payable": -950, "cash": 5_950}
        assert not DunningStep.objects.of(may).filter(done_at=None).exists()


def test_credit_notes_round_together_and_never_pass_the_invoice(tenant: Tenant) -> None:
    plan(fee="100")
    subscribe(tenant)
    with tenant_scope(tenant):
        invoice = invoice_of(tenant)
        third = Decimal("33.333333333333")
        for _note in range(2):
            issue_credit_note(tenant=tenant, invoice=invoice, amount=third, reason="kind", actor="op")
        with pytest.raises(BadAmount):
            issue_credit_note(tenant=tenant, invoice=invoice, amount=third * 2, reason="kind", actor="op")
        issue_credit_note(tenant=tenant, invoice=invoice, reason="kind", actor="op")
        notes = CreditNote.objects.of(tenant).order_by("pk")
        assert [(note.label, note.total) for note in notes] == [
            ("CN-2026-000001", 3_333),
            ("CN-2026-000002", 3_334),
            ("CN-2026-000003", 3_333),
        ]
        with pytest.raises(BadAmount):
            issue_credit_note(tenant=tenant, invoice=invoice, reason="kind", actor="op")
        check_now()
        assert owed(tenant) == {"receivable": 0, "revenue": 0}
        assert invoice.refreshed().payment_status == "paid"


def test_what_was_paid_comes_back_to_the_credit_that_paid_and_the_rest_as_new_credit(may: Tenant) -> None:
    with tenant_scope(may):
        credit = grant_credit(tenant=may, name="Prepaid", currency="EUR", amount=1_000)
        invoice = invoice_of(may)
        record_payment(tenant=may, invoice=invoice, amount=4_950, method="manual", reference="1", actor="op")
        issue_credit_note(tenant=may, invoice=invoice, amount=Decimal(15), reason="outage", actor="op")
        check_now()
        left = balances_of_credits(tenant=may)
        assert left.pop(credit.pk) == 1_000
        assert list(left.values()) == [500]


def test_late_usage_is_billed_on_the_next_invoice_at_the_old_prices(may: Tenant) -> None:
    with tenant_scope(may):
        invoice_of(may)
    with time_machine.travel(datetime(2026, 6, 2, tzinfo=UTC), tick=False):
        use(may, 300, datetime(2026, 5, 31, 23, tzinfo=UTC), "late")
        dear = plan("dear", fee="30", price="1")
        with tenant_scope(may):
            set_plan(tenant=may, code=dear.plan.code)
    with tenant_scope(may):
        june = invoice_of(may, JUNE, JULY)
        late = InvoiceLine.objects.of(may).get(invoice=june, kind="adjustment")
        assert (late.quantity, late.posted, late.meter) == (300, 300, PUBLISHED)
        july = invoice_of(may, JULY, datetime(2026, 8, 1, tzinfo=UTC))
        assert not InvoiceLine.objects.of(may).filter(invoice=july, kind="adjustment").exists()


def test_a_change_of_plan_bills_each_part_of_the_cycle_by_its_plan(tenant: Tenant) -> None:
    plan("small", fee="31", included=3_100)
    plan("large", fee="310", price="0.001", included=31_000)
    subscribe(tenant, "small")
    use(tenant, 4_000, datetime(2026, 5, 3, tzinfo=UTC))
    subscribe(tenant, "large", datetime(2026, 5, 11, tzinfo=UTC))
    use(tenant, 40_000, datetime(2026, 5, 20, tzinfo=UTC))
    with tenant_scope(tenant):
        invoice = invoice_of(tenant)
        lines = InvoiceLine.objects.of(tenant).filter(invoice=invoice).order_by("position")
        assert [(line.text, line.kind, line.billable, line.posted) for line in lines] == [
            ("Small", "usage", 3_000, 3_000),
            ("Small", "flat_fee", 1, 1_000),
            ("Large", "usage", 19_000, 1_900),
            ("Large", "flat_fee", 1, 21_000),
        ]
        assert Invoice.objects.of(tenant).count() == 1


def test_a_plan_of_a_year_begins_a_cycle_of_its_own(tenant: Tenant) -> None:
    plan("small", fee="31")
    plan("yearly", fee="365", months=12)
    subscribe(tenant, "small")
    subscribe(tenant, "yearly", datetime(2026, 5, 11, tzinfo=UTC))
    with tenant_scope(tenant):
        first, second = BillingPeriod.objects.of(tenant).order_by("starts_at")
        assert (first.ends_at, first.share) == (second.starts_at, second.share * 10 / 31)
        assert second.ends_at == datetime(2027, 5, 11, tzinfo=UTC)
        assert invoice_of(tenant).total == 1_000


def test_nothing_to_pay_is_discarded_and_late_usage_of_it_is_still_billed(tenant: Tenant) -> None:
    plan(fee="0")
    subscribe(tenant)
    with tenant_scope(tenant):
        assert invoice_of(tenant).status == "discarded"
    with time_machine.travel(datetime(2026, 6, 2, tzinfo=UTC), tick=False):
        use(tenant, 100, datetime(2026, 5, 31, tzinfo=UTC))
    with tenant_scope(tenant):
        assert invoice_of(tenant, JUNE, JULY).total == 100


def test_sums_that_do_not_agree_park_the_tenant_instead_of_billing_it(may: Tenant, as_worker: None) -> None:
    with tenant_scope(may):
        Quota.objects.of(may).filter(meter=PUBLISHED).update(used=1)
        draft = invoice_of(may)
        assert (draft.status, draft.total) == ("draft", 0)
        assert profile_of(tenant=may).parked_reason == f"{PUBLISHED}: 1 counted, 2000 summed"
        assert AuditEntry.objects.of(may).filter(action="billing.parked").count() == 1
    with time_machine.travel(JUNE + timedelta(hours=2), tick=False):
        assert finalise_due() == 0
        with tenant_scope(may):
            Quota.objects.of(may).filter(meter=PUBLISHED).update(used=2_000)
            unpark(tenant=may, actor="op")
        assert finalise_due() == 1
    with tenant_scope(may):
        assert draft.refreshed().total == 5_950


def test_the_tick_drafts_waits_out_the_grace_finalises_and_duns(
    may: Tenant, other_tenant: Tenant, as_worker: None
) -> None:
    with time_machine.travel(JUNE, tick=False) as clock:
        assert open_due_drafts() == 1
        assert (open_due_drafts(), finalise_due()) == (0, 0)
        clock.shift(timedelta(hours=1))
        assert (finalise_due(), finalise_due()) == (1, 0)
        with tenant_scope(may):
            invoice = Invoice.objects.of(may).get()
            assert invoice.total == 5_950
        clock.shift(timedelta(days=15, minutes=1))
        assert (take_dunning_steps(), take_dunning_steps()) == (2, 0)
        assert OutgoingMail.objects.filter(kind="invoice_reminder").count() == 1
        clock.shift(timedelta(days=60))
        take_dunning_steps()
        assert invoice_status(may) == "uncollectible"


def invoice_status(tenant: Tenant) -> str:
    with tenant_scope(tenant):
        return Invoice.objects.of(tenant).get(starts_at=MAY).payment_status


def test_expired_credit_pays_nothing_even_before_it_is_booked_as_expired(may: Tenant, as_worker: None) -> None:
    with time_machine.travel(MAY, tick=False), tenant_scope(may):
        grant_credit(tenant=may, name="Gift", currency="EUR", amount=700, paid=False, expires_at=JUNE)
    with tenant_scope(may):
        assert invoice_of(may).wallet == 0
    with time_machine.travel(JUNE, tick=False):
        assert (expire_credits(), expire_credits()) == (1, 0)
    with tenant_scope(may):
        check_now()
        assert owed(may)["breakage"] == -700
        assert owed(may)["wallet"] == 0


@pytest.mark.parametrize(
    "entries",
    [
        [("EUR", 100), ("EUR", -99)],
        [("EUR", 100), ("USD", -100)],  # zero over all currencies, not in each
    ],
)
def test_a_transaction_that_does_not_balance_per_currency_is_refused(
    tenant: Tenant, entries: list[tuple[str, int]]
) -> None:
    moves = [(Account(AccountKind.CASH, currency), amount) for currency, amount in entries]
    with tenant_scope(tenant):
        book(tenant=tenant, operation="test", operation_id="1", entries=moves)
        with pytest.raises(DatabaseError, match="does not balance"), transaction.atomic():
            check_now()
        connection.set_rollback(True)


@pytest.mark.django_db(transaction=True)
def test_the_balance_is_checked_at_the_commit_although_the_scope_is_left_by_then(tenant: Tenant) -> None:
    with pytest.raises(DatabaseError, match="does not balance"), tenant_scope(tenant):
        book(tenant=tenant, operation="test", operation_id="1", entries=[(Account(AccountKind.CASH, "EUR"), 5)])
    with tenant_scope(tenant):
        assert LedgerEntry.objects.of(tenant).count() == 0


def test_an_operation_is_booked_once(tenant: Tenant) -> None:
    moves = [(Account(AccountKind.CASH, "EUR"), 5), (Account(AccountKind.REVENUE, "EUR"), -5)]
    with tenant_scope(tenant):
        first, second = (book(tenant=tenant, operation="test", operation_id="1", entries=moves) for _repeat in range(2))
        assert first == second
        assert LedgerEntry.objects.of(tenant).count() == 2


def test_the_check_parks_a_tenant_whose_books_do_not_add_up(
    may: Tenant, as_worker: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with tenant_scope(may):
        grant_credit(tenant=may, name="Prepaid", currency="EUR", amount=1_000)
        invoice = invoice_of(may)
        record_payment(tenant=may, invoice=invoice, amount=50, method="manual", reference="1", actor="op")
        issue_credit_note(tenant=may, invoice=invoice, amount=Decimal(1), reason="kind", actor="op")
    call_command("check_invariants")
    assert capsys.readouterr().out == "1 tenants, 0 broken rules\n"
    with tenant_scope(may):
        Invoice.objects.of(may).update(paid=40)
    with pytest.raises(CommandError, match="do not add up"):
        call_command("check_invariants")
    assert f"{may.public_id} receivable 4800 and open 4810 differ in EUR" in capsys.readouterr().out
    with tenant_scope(may):
        assert profile_of(tenant=may).parked_at is not None
