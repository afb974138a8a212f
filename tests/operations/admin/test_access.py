"""The operators' pages: for operators with a second factor, and what they may touch in the database."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver

from apps.accounts.models import Authenticator, User
from apps.billing.models import Invoice
from apps.operations.admin import operator_site
from apps.operations.admin.base import reading
from apps.operations.models import OperatorEntry
from apps.tenants.models import Tenant
from apps.tenants.permissions import Role
from tests.dashboard.conftest import member_client
from tests.operations.admin.conftest import prove

pytestmark = pytest.mark.django_db


def paths() -> Iterator[str]:
    """Every page of the site with nonsense for its ids."""

    def below(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from below(pattern.url_patterns, route)
            elif "(?P" not in route:
                yield route

    for route in below(operator_site.get_urls(), "/operator/"):
        words = route.split("/")
        yield "/".join("1" if word.startswith("<") else word for word in words)


def test_there_are_pages() -> None:
    assert len(list(paths())) > 30


def test_a_stranger_is_asked_to_sign_in(client: Client) -> None:
    for path in paths():
        response = client.get(path)
        assert response.status_code == 302, path
        assert response["Location"].startswith("/sign-in/"), path


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN, Role.DEVELOPER])
def test_for_a_tenants_people_there_is_nothing_here(tenant: Tenant, role: Role) -> None:
    browser = member_client(tenant, role)
    for path in paths():
        assert {browser.get(path).status_code, browser.post(path).status_code} == {404}, path


def test_an_operator_without_a_second_factor_is_sent_to_set_one_up(operator: User) -> None:
    client = Client()
    client.force_login(operator)
    response = client.get("/operator/")
    assert (response.status_code, unquote(response["Location"])) == (302, "/security/enrol/?next=/operator/")


def test_an_operator_who_has_not_given_the_factor_gives_it_first(operator: User, authenticator: Authenticator) -> None:
    client = Client()
    client.force_login(operator)
    response = client.get("/operator/")
    assert (response.status_code, unquote(response["Location"])) == (302, "/sign-in/verify/?next=/operator/")


def test_an_operator_who_was_dismissed_finds_nothing(operator: User, browser: Client) -> None:
    assert browser.get("/operator/").status_code == 200
    User.objects.filter(pk=operator.pk).update(is_staff=False)
    assert browser.get("/operator/").status_code == 404


def test_every_list_and_report_opens_and_nothing_on_it_is_inline(browser: Client, billed: Invoice) -> None:
    for path in paths():
        if "1" in path.split("/") or "autocomplete" in path or "jsi18n" in path or path.endswith("/add/"):
            continue
        response = browser.get(path)
        assert response.status_code == 200, path
        page = response.content.decode()
        assert "style=" not in page, path
        assert "<style" not in page, path
        assert "onclick=" not in page, path
        assert all("src=" in tag or "application/json" in tag for tag in page.split("<script")[1:]), path
        assert "no-store" in response["Cache-Control"], path


def test_an_old_proof_does_not_open_a_change(browser: Client, authenticator: Authenticator, tenant: Tenant) -> None:
    prove(browser, authenticator, seconds_ago=301)
    page = f"/operator/tenants/tenant/{tenant.public_id}/do/suspend/"
    assert browser.get(page)["Location"].startswith("/sign-in/verify/")
    assert browser.post(page, {"reason": "Spam"})["Location"].startswith("/sign-in/verify/")
    assert browser.post("/operator/billing/taxrate/add/", {"code": "x"})["Location"].startswith("/sign-in/verify/")
    assert not OperatorEntry.objects.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_plan SET name = 'x'",
        "UPDATE tenants_tenant SET name = 'x'",
        "DELETE FROM billing_invoice",
        "INSERT INTO billing_ledgertransaction (tenant_id, operation, operation_id, at) VALUES (1, 'x', 'x', now())",
        "SELECT * FROM accounts_user",
        "SELECT * FROM audience_subscriber",
        "SELECT * FROM tenants_credential",
    ],
)
def test_the_operators_role_reads_what_is_listed_and_nothing_else(billed: Invoice, statement: str) -> None:
    from django.db import connection

    with reading():
        assert Invoice.objects.get_queryset().count() == 1
    with pytest.raises(DatabaseError, match="permission denied"), reading(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_what_operators_did_cannot_be_changed_by_sql_either(operator: User) -> None:
    from apps.operations.operators import record_operation

    record_operation(operator=operator, action="x.y", target="z", before={}, after={})
    for change in (
        lambda: OperatorEntry.objects.update(action="nothing"),
        lambda: OperatorEntry.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            change()
