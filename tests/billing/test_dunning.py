"""What happens while an invoice is not paid, and that paying it lifts everything at once."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail

from apps.accounts.services.mail import deliver_due_mail
from apps.billing.dunning import BadSchedule, Step, parse
from apps.billing.models import DunningStep, Invoice
from apps.billing.services.credits import change_profile
from apps.billing.services.dunning import take_dunning_steps
from apps.billing.services.invoicing import void
from apps.billing.services.settling import issue_credit_note, record_payment
from apps.campaigns.services import create_campaign, schedule_campaign
from apps.campaigns.services.editing import Plan
from apps.messaging.services import accept_message
from apps.tenants.errors import TenantRestricted, TenantSuspended
from apps.tenants.models import Application, AuditEntry, Tenant
from apps.tenants.queries import find_application
from apps.tenants.scope import tenant_scope
from apps.tenants.services import reactivate_tenant, suspend_tenant
from apps.tenants.standing import Standing
from tests.billing.invoices import MAY, invoice_of, plan, subscribe, use

pytestmark = pytest.mark.django_db
CONTENT = {"en": {"title": "Hi", "body": "There"}}


@pytest.fixture
def unpaid(tenant: Tenant, application: Application, as_worker: None) -> Invoice:
    """An invoice of June 1, due on June 15, that nobody pays. The clock stands at its finalisation."""
    plan()
    subscribe(tenant)
    use(tenant, 2_000, datetime(2026, 5, 20, tzinfo=UTC))
    with tenant_scope(tenant):
        change_profile(tenant=tenant, email="bills@acme.example")
        invoice = invoice_of(tenant)
    mail.outbox.clear()
    with time_machine.travel(datetime(2026, 6, 1, 2, tzinfo=UTC), tick=False):
        deliver_due_mail()
    return invoice


def days_after_due(invoice: Invoice, days: int) -> Standing:
    """Does everything that is due by then."""
    assert invoice.due_at is not None
    with time_machine.travel(invoice.due_at + timedelta(days=days, hours=1), tick=False):
        take_dunning_steps()
        deliver_due_mail()
    with tenant_scope(invoice.tenant_id):
        return Tenant.objects.get(pk=invoice.tenant_id).standing


def pay(invoice: Invoice) -> Standing:
    with tenant_scope(invoice.tenant_id):
        open_now = Invoice.objects.of(invoice.tenant_id).get(pk=invoice.pk)
        tenant = Tenant.objects.get(pk=invoice.tenant_id)
        record_payment(
            tenant=tenant, invoice=invoice, amount=open_now.open_amount, method="bank", reference="B-1", actor="system"
        )
        return Tenant.objects.get(pk=tenant.pk).standing


def test_a_schedule_is_read_in_the_order_it_is_taken() -> None:
    assert parse("suspend:30 collect:0 remind:1 collect:1") == (
        Step(0, "collect"), Step(1, "collect"), Step(1, "remind"), Step(30, "suspend"),
    )  # fmt: skip


@pytest.mark.parametrize("text", ["shout:3", "remind", "remind:", "remind:-1", "remind:367", "remind:1.5", "remind:٣"])
def test_a_schedule_that_says_nothing_sound_is_refused(text: str) -> None:
    with pytest.raises(BadSchedule):
        parse(text)


def test_the_invoice_arrives_with_its_pdf(unpaid: Invoice) -> None:
    (letter,) = mail.outbox
    assert letter.to == ["bills@acme.example"]
    (attached,) = letter.attachments
    name, content, kind = attached
    assert (name, kind) == ("INV-2026-000001.pdf", "application/pdf")
    assert (content if isinstance(content, bytes) else base64.b64decode(content)).startswith(b"%PDF-")


def test_the_letter_and_its_pdf_speak_the_tenants_language(tenant: Tenant, as_worker: None, catalogues: None) -> None:
    with tenant_scope(tenant):
        tenant.changed(language="zh-hans")
    plan()
    subscribe(tenant)
    use(tenant, 10, datetime(2026, 5, 20, tzinfo=UTC))
    with tenant_scope(tenant):
        invoice_of(tenant)
    with time_machine.travel(datetime(2026, 6, 1, 2, tzinfo=UTC), tick=False):
        deliver_due_mail()
    letter = mail.outbox[-1]
    assert "账单" in letter.subject
    assert letter.attachments


def test_an_unpaid_invoice_reminds_then_restricts_then_suspends(unpaid: Invoice) -> None:
    mail.outbox.clear()
    assert [days_after_due(unpaid, days) for days in (0, 1, 14, 21, 30)] == [
        Standing.GOOD, Standing.OVERDUE, Standing.OVERDUE, Standing.RESTRICTED, Standing.SUSPENDED,
    ]  # fmt: skip
    subjects = [letter.subject for letter in mail.outbox]
    assert len(subjects) == 5
    assert subjects[3] == "Acme: no new campaigns until an invoice is paid"
    assert subjects[4] == "Acme is suspended: an invoice is unpaid"
    assert all(letter.attachments for letter in mail.outbox)
    with tenant_scope(unpaid.tenant_id):
        changes = AuditEntry.objects.of(unpaid.tenant_id).filter(action="standing.changed").order_by("pk")
        assert [entry.facts["to"] for entry in changes] == ["overdue", "restricted", "suspended"]


def test_a_repeated_tick_takes_no_step_twice(unpaid: Invoice) -> None:
    days_after_due(unpaid, 21)
    mail.outbox.clear()
    days_after_due(unpaid, 21)
    assert mail.outbox == []


def test_a_restricted_tenant_starts_no_campaign_but_publishes(unpaid: Invoice, application: Application) -> None:
    days_after_due(unpaid, 21)
    with tenant_scope(unpaid.tenant_id):
        tenant = Tenant.objects.get(pk=unpaid.tenant_id)
        wanted = Plan("Spring", {"all": True}, ["console"], content=CONTENT)
        campaign = create_campaign(tenant=tenant, application=application, plan=wanted)
        with pytest.raises(TenantRestricted):
            schedule_campaign(tenant=tenant, campaign=campaign, send_at=None)
    record = find_application(application_id=application.application_id)
    assert record is not None
    assert not record.suspended


def test_a_suspended_tenant_sends_nothing_and_its_publications_are_refused(
    unpaid: Invoice, application: Application
) -> None:
    days_after_due(unpaid, 30)
    with tenant_scope(unpaid.tenant_id), pytest.raises(TenantSuspended):
        accept_message(
            tenant=Tenant.objects.get(pk=unpaid.tenant_id),
            application=application,
            content=CONTENT,
            routes=["console"],
            external_ids=["ann"],
        )
    record = find_application(application_id=application.application_id)
    assert record is not None
    assert record.suspended


def test_a_payment_lifts_everything_at_once_and_says_so(unpaid: Invoice, application: Application) -> None:
    days_after_due(unpaid, 30)
    mail.outbox.clear()
    assert pay(unpaid) is Standing.GOOD
    record = find_application(application_id=application.application_id)
    assert record is not None
    assert not record.suspended
    deliver_due_mail()
    assert [letter.subject for letter in mail.outbox] == ["Acme is open again"]
    with tenant_scope(unpaid.tenant_id):
        assert not DunningStep.objects.of(unpaid.tenant_id).filter(done_at=None).exists()


def test_a_part_payment_lifts_nothing_and_a_credit_note_over_the_rest_does(unpaid: Invoice) -> None:
    days_after_due(unpaid, 30)
    with tenant_scope(unpaid.tenant_id):
        tenant = Tenant.objects.get(pk=unpaid.tenant_id)
        record_payment(tenant=tenant, invoice=unpaid, amount=1, method="bank", reference="B-1", actor="system")
        assert tenant.refreshed().standing is Standing.SUSPENDED
        issue_credit_note(tenant=tenant, invoice=unpaid, reason="Goodwill", actor="system")
        assert tenant.refreshed().standing is Standing.GOOD


def test_a_voided_invoice_suspends_nobody(unpaid: Invoice) -> None:
    days_after_due(unpaid, 30)
    with tenant_scope(unpaid.tenant_id):
        tenant = Tenant.objects.get(pk=unpaid.tenant_id)
        void(tenant=tenant, invoice=unpaid, reason="Wrong plan", actor="system")
        assert tenant.refreshed().standing is Standing.GOOD


def test_a_payment_does_not_lift_what_an_operator_stopped(unpaid: Invoice) -> None:
    with tenant_scope(unpaid.tenant_id):
        tenant = Tenant.objects.get(pk=unpaid.tenant_id)
        suspend_tenant(tenant=tenant, reason="Spam", actor="usr_x")
    assert pay(unpaid) is Standing.SUSPENDED
    with tenant_scope(unpaid.tenant_id):
        reactivate_tenant(tenant=tenant, actor="usr_x")
        assert tenant.refreshed().standing is Standing.GOOD


def test_a_plan_has_a_schedule_of_its_own(tenant: Tenant, as_worker: None) -> None:
    plan("strict", dunning="suspend:2")
    subscribe(tenant, "strict")
    use(tenant, 2_000, datetime(2026, 5, 20, tzinfo=UTC))
    with tenant_scope(tenant):
        invoice = invoice_of(tenant, MAY)
    assert [days_after_due(invoice, days) for days in (1, 2)] == [Standing.GOOD, Standing.SUSPENDED]


def test_the_neighbour_is_not_touched(unpaid: Invoice, other_tenant: Tenant) -> None:
    days_after_due(unpaid, 30)
    with tenant_scope(other_tenant):
        assert other_tenant.refreshed().standing is Standing.GOOD
