"""What operators do: one service each, written down before and after, in the tenant's own log too."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.http import HttpResponse
from django.test import Client

from apps.accounts.models import User
from apps.billing.models import BillingProfile, Coupon, CreditGrant, CreditNote, Invoice, Plan, PlanVersion, TaxRate
from apps.billing.pricing import Model, Terms
from apps.billing.services.credits import profile_of
from apps.billing.services.invoicing import open_draft, park
from apps.billing.services.periods import current_period, subscription_of
from apps.core import ids
from apps.operations.models import OperatorEntry
from apps.operations.operators import verify_operations
from apps.tenants.models import AuditEntry, Tenant
from apps.tenants.scope import tenant_scope
from apps.tenants.services import verify_audit
from apps.tenants.standing import Standing
from tests.billing.invoices import JULY, JUNE

pytestmark = pytest.mark.django_db


def do(browser: Client, path: str, **values: Any) -> HttpResponse:
    return browser.post(f"/operator/{path}/", values)  # type: ignore[return-value]


def last() -> OperatorEntry:
    return OperatorEntry.objects.latest("id")


def test_a_suspension_is_done_written_down_twice_and_lifted(browser: Client, operator: User, tenant: Tenant) -> None:
    page = f"tenants/tenant/{tenant.public_id}"
    assert do(browser, f"{page}/do/suspend", reason="Spam").status_code == 302
    entry = last()
    assert (entry.actor, entry.actor_email, entry.action) == (operator.public_id, operator.email, "tenant.suspend")
    assert (entry.target, entry.tenant_reference) == (tenant.public_id, tenant.public_id)
    assert entry.before == {"standing": "good", "reason": ""}
    assert entry.after == {"standing": "suspended", "reason": "Spam"}
    with tenant_scope(tenant):
        assert tenant.refreshed().standing is Standing.SUSPENDED
        own = AuditEntry.objects.of(tenant).get(action="operator.tenant.suspend")
        assert (own.actor, own.facts["after"]["standing"]) == (operator.public_id, "suspended")
        assert verify_audit(tenant=tenant).broken_at is None
    assert b"Reactivate" in browser.get(f"/operator/{page}/change/").content
    assert do(browser, f"{page}/do/reactivate").status_code == 302
    with tenant_scope(tenant):
        assert tenant.refreshed().standing is Standing.GOOD
    assert (verify_operations().entries, verify_operations().broken_at) == (2, None)


def test_an_id_that_begins_like_a_quoted_comma_is_found(browser: Client, tenant: Tenant) -> None:
    number = next(n for n in range(10_000, 99_000) if ids.encode(Tenant.public_id_prefix, n)[3:6] == quote(","))
    with tenant_scope(number):
        Tenant(pk=number, name="Comma", data_key=tenant.data_key).save(force_insert=True)
    page = browser.get(f"/operator/tenants/tenant/{ids.encode(Tenant.public_id_prefix, number)}/change/")
    assert (page.status_code, b"Suspend" in page.content) == (200, True)


def test_what_a_form_lacks_changes_nothing_and_says_so(browser: Client, tenant: Tenant) -> None:
    response = do(browser, f"tenants/tenant/{tenant.public_id}/do/suspend", reason="")
    assert response.status_code == 200
    assert b"This field is required" in response.content
    assert not OperatorEntry.objects.exists()


def test_an_unknown_verb_or_row_is_not_there(browser: Client, tenant: Tenant) -> None:
    assert do(browser, f"tenants/tenant/{tenant.public_id}/do/explode").status_code == 404
    assert do(browser, "tenants/tenant/ten_nothing/do/suspend", reason="x").status_code == 404
    assert do(browser, f"tenants/tenant/{tenant.pk}/do/suspend", reason="x").status_code == 404


def test_a_plan_is_assigned_with_limits(browser: Client, billed: Invoice, tenant: Tenant) -> None:
    page = f"tenants/tenant/{tenant.public_id}/do/plan"
    assert b'value="pro" selected' in browser.get(f"/operator/{page}/").content
    said = {"plan": "pro", "limit messages.published": "500", "limit connections.peak": "none"}
    assert browser.post(f"/operator/{page}/", said).status_code == 302
    with tenant_scope(tenant):
        held = subscription_of(tenant=tenant)
    assert held.limits_json == {"messages.published": 500, "connections.peak": None}
    assert last().after == {"plan": "Pro v1", "limits": held.limits_json}
    response = browser.post(f"/operator/{page}/", {"plan": "pro", "limit messages.published": "many"})
    assert b"whole number of units" in response.content


def test_credit_is_granted_with_an_end_and_a_priority(browser: Client, tenant: Tenant) -> None:
    page = f"tenants/tenant/{tenant.public_id}/do/credit"
    said = {
        "name": "Sorry", "amount": "12.50", "currency": "eur", "priority": "5", "meters": ["campaign.sends"],
        "expires_at_0": "2099-01-31", "expires_at_1": "12:00",
    }  # fmt: skip
    assert do(browser, page, **said).status_code == 302
    with tenant_scope(tenant):
        (grant,) = CreditGrant.objects.of(tenant)
    assert (grant.amount, grant.currency, grant.priority, grant.is_paid) == (1_250, "EUR", 5, False)
    assert grant.meters_json == ["campaign.sends"]
    assert grant.expires_at is not None
    assert (grant.expires_at.year, last().after["amount"]) == (2099, 1_250)
    for wrong, sentence in (
        ({"amount": "0.001"}, "no such small amounts"),
        ({"currency": "XXQ"}, "no such currency"),
        ({"expires_at_0": "2020-01-01"}, "cannot be used"),
        ({"amount": "0"}, "above zero"),
    ):
        assert sentence in do(browser, page, **{**said, **wrong}).content.decode(), wrong
    with tenant_scope(tenant):
        assert CreditGrant.objects.of(tenant).count() == 1


def test_a_coupon_is_given_and_ended(browser: Client, tenant: Tenant) -> None:
    page = f"tenants/tenant/{tenant.public_id}/do/coupon"
    assert do(browser, page, name="Start", kind="percent", value="10").status_code == 302
    with tenant_scope(tenant):
        coupon = Coupon.objects.of(tenant).get()
    assert do(browser, f"billing/coupon/{coupon.public_id}/do/end").status_code == 302
    with tenant_scope(tenant):
        assert Coupon.objects.of(tenant).get().ends_at is not None
    assert last().action == "coupon.end"
    assert b"do/end/" not in browser.get(f"/operator/billing/coupon/{coupon.public_id}/change/").content


def test_billing_details_are_changed_with_the_tax(browser: Client, tenant: Tenant) -> None:
    TaxRate.objects.create(code="vat", name="VAT", percent=19)
    said = {"legal_name": "Acme Ltd", "email": "b@acme.example", "payment_days": "30", "tax": "vat"}
    assert do(browser, f"tenants/tenant/{tenant.public_id}/do/billing", **said).status_code == 302
    with tenant_scope(tenant):
        profile = profile_of(tenant=tenant)
    assert (profile.legal_name, profile.payment_days, profile.taxes_json) == ("Acme Ltd", 30, {"": "vat"})
    assert last().before["legal_name"] == ""


def test_a_parked_tenant_is_unparked(browser: Client, tenant: Tenant) -> None:
    page = f"/operator/tenants/tenant/{tenant.public_id}/change/"
    assert b"Unpark" not in browser.get(page).content
    with tenant_scope(tenant):
        park(tenant=tenant, reason="1 counted, 2 summed")
    shown = browser.get(page).content.decode()
    assert "1 counted, 2 summed" in shown
    assert do(browser, f"tenants/tenant/{tenant.public_id}/do/unpark").status_code == 302
    with tenant_scope(tenant):
        assert BillingProfile.objects.of(tenant).get().parked_at is None


def test_a_payment_is_booked_and_its_repeat_is_not(browser: Client, billed: Invoice, tenant: Tenant) -> None:
    page = f"billing/invoice/{billed.public_id}/do/pay"
    assert b'value="50.00"' in browser.get(f"/operator/{page}/").content
    assert do(browser, page, amount="20", method="bank", reference="R-1").status_code == 302
    assert do(browser, page, amount="20", method="bank", reference="R-1").status_code == 302
    assert (last().before["paid"], last().after["paid"]) == (2_000, 2_000)
    response = do(browser, page, amount="31", method="bank", reference="R-2")
    assert b"no more than what is left" in response.content
    with tenant_scope(tenant):
        assert Invoice.objects.of(tenant).get().paid == 2_000


def test_a_credit_note_and_a_void_are_offered_as_the_state_allows(
    browser: Client, billed: Invoice, tenant: Tenant
) -> None:
    change = f"/operator/billing/invoice/{billed.public_id}/change/"
    page = browser.get(change).content.decode()
    assert ("do/void/" in page, "do/credit/" in page, "do/finalise/" in page) == (True, True, False)
    assert do(browser, f"billing/invoice/{billed.public_id}/do/credit", amount="5", reason="Late").status_code == 302
    with tenant_scope(tenant):
        assert CreditNote.objects.of(tenant).get().total == 500
    page = browser.get(change).content.decode()
    assert ("do/void/" in page, "do/credit/" in page) == (False, True)
    response = do(browser, f"billing/invoice/{billed.public_id}/do/void", reason="Wrong")
    assert b"not in a state" in response.content


def test_a_draft_is_finalised_before_its_time(browser: Client, billed: Invoice, tenant: Tenant) -> None:
    with tenant_scope(tenant):
        current_period(tenant=tenant, at=JULY)
        draft = open_draft(tenant=tenant, starts_at=JUNE)
    assert draft is not None
    assert do(browser, f"billing/invoice/{draft.public_id}/do/finalise").status_code == 302
    assert (last().before["status"], last().after["number"]) == ("draft", "INV-2026-000002")


def test_an_invoice_is_found_by_its_number_its_id_and_its_tenant(
    browser: Client, billed: Invoice, tenant: Tenant, other_tenant: Tenant
) -> None:
    for words in ("INV-2026-000001", billed.public_id, tenant.public_id, "acme"):
        assert billed.public_id in browser.get("/operator/billing/invoice/", {"q": words}).content.decode(), words
    for words in ("INV-2026-000002", other_tenant.public_id, "globex", "INV-2026-" + "9" * 40):
        assert billed.public_id not in browser.get("/operator/billing/invoice/", {"q": words}).content.decode(), words


def test_a_tenant_is_found_by_a_members_address(browser: Client, tenant: Tenant, other_tenant: Tenant) -> None:
    page = browser.get("/operator/tenants/tenant/", {"q": "owner@acme.example"}).content.decode()
    assert (tenant.public_id in page, other_tenant.public_id in page) == (True, False)


def test_no_row_number_stands_in_an_address(browser: Client, billed: Invoice, tenant: Tenant) -> None:
    page = browser.get("/operator/billing/invoice/").content.decode()
    assert f"/invoice/{billed.public_id}/" in page
    page += browser.get(f"/operator/billing/invoice/{billed.public_id}/change/").content.decode()
    assert page.count(f'href="/operator/tenants/tenant/{tenant.public_id}/change/"') == 2
    assert f"/tenant/{tenant.pk}/" not in page
    assert browser.get(f"/operator/billing/invoice/{billed.pk}/change/").status_code == 302


def test_a_version_is_issued_from_the_newest_and_the_old_one_stays(browser: Client, billed: Invoice) -> None:
    pro = Plan.objects.get(code="pro")
    page = f"/operator/billing/plan/{pro.pk}/version/"
    shown = browser.get(page)
    said = _as_sent(shown.context["form"])
    assert said["messages.published-unit_price"] == "0.01"
    said |= {
        "plan-flat_fee": "40", "plan-dunning": "remind:3 suspend:9", "messages.delivered-model": "graduated",
        "messages.delivered-tiers": "1000 0.5\nrest 0.25 3",
    }  # fmt: skip
    assert browser.post(page, said).status_code == 302
    old, new = PlanVersion.objects.filter(plan=pro).order_by("number")
    assert (old.terms.flat_fee, new.terms.flat_fee, new.number) == (30, 40, 2)
    charge = new.terms.charge_for("messages.delivered")
    assert charge is not None
    assert (charge.model, charge.tiers[0].up_to, charge.tiers[1].flat_fee) == (Model.GRADUATED, 1_000, 3)
    assert (last().action, last().before["number"], last().after["number"]) == ("plan.version", 1, 2)
    assert _as_sent(browser.get(page).context["form"])["messages.delivered-tiers"] == "1000 0.5\nrest 0.25 3"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"plan-currency": "QQQ"}, "no such currency"),
        ({"plan-minimum": "9", "plan-maximum": "8"}, "the maximum is below the minimum"),
        ({"plan-dunning": "shout:1"}, "no dunning step"),
        ({"messages.published-model": "volume"}, "have tiers"),
        ({"messages.published-tiers": "rest 1", "messages.published-model": "per_unit"}, "have tiers"),
        ({"messages.published-model": "volume", "messages.published-tiers": "rest much"}, "up to, price, fee"),
        ({"messages.published-model": "volume", "messages.published-tiers": "5 1"}, "the last tier is open"),
        ({"messages.published-model": "volume", "messages.published-tiers": "rest NaN"}, "not an amount|out of range"),
        ({"messages.published-package_size": "0", "messages.published-model": "package"}, "greater than or equal"),
    ],
)
def test_terms_that_cannot_be_charged_by_are_refused(
    browser: Client, billed: Invoice, change: dict[str, str], sentence: str
) -> None:
    page = f"/operator/billing/plan/{Plan.objects.get(code='pro').pk}/version/"
    said = {**_as_sent(browser.get(page).context["form"]), **change}
    response = browser.post(page, said)
    assert response.status_code == 200
    assert any(words in response.content.decode() for words in sentence.split("|"))
    assert PlanVersion.objects.filter(plan__code="pro").count() == 1


def _as_sent(form: Any) -> dict[str, str]:
    """What a browser would send of the form as it is shown."""
    fields = [field for part in form.forms for field in part]
    return {field.html_name: "" if field.value() is None else str(field.value()) for field in fields}


def test_a_version_that_was_issued_has_no_form(browser: Client, billed: Invoice) -> None:
    version = PlanVersion.objects.get(plan__code="pro")
    page = f"/operator/billing/planversion/{version.pk}/change/"
    assert b"<textarea" not in browser.get(page).content
    assert browser.post(page, {"number": "7"}).status_code == 403
    assert browser.post(f"/operator/billing/planversion/{version.pk}/delete/", {"post": "yes"}).status_code == 403
    assert PlanVersion.objects.get(pk=version.pk).terms == Terms.from_json(version.terms_json)


def test_plans_and_taxes_are_added_and_renamed_on_record(browser: Client, operator: User) -> None:
    assert browser.post("/operator/billing/plan/add/", {"code": "team", "name": "Team"}).status_code == 302
    team = Plan.objects.get(code="team")
    page = f"/operator/billing/plan/{team.pk}/change/"
    assert browser.post(page, {"code": "stolen", "name": "Teams"}).status_code == 302
    team.refresh_from_db()
    assert (team.code, team.name) == ("team", "Teams")
    assert (last().before, last().after) == ({"code": "team", "name": "Team"}, {"code": "team", "name": "Teams"})
    said = {"code": "vat", "name": "VAT", "percent": "19", "reason": ""}
    assert browser.post("/operator/billing/taxrate/add/", said).status_code == 302
    assert (last().action, last().after["percent"]) == ("taxrate.add", "19")


def test_the_log_shows_who_changed_what(browser: Client, operator: User, tenant: Tenant) -> None:
    do(browser, f"tenants/tenant/{tenant.public_id}/do/suspend", reason="Spam <b>")
    page = browser.get("/operator/operations/operatorentry/", {"q": tenant.public_id}).content.decode()
    assert operator.email in page
    assert "Spam &lt;b&gt;" in page
    assert "tenant.suspend" in browser.get("/operator/tenants/auditentry/").content.decode()
    history = browser.get(f"/operator/tenants/tenant/{tenant.public_id}/history/")
    assert history["Location"].endswith(f"?q={tenant.public_id}")
