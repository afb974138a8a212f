"""The shell: who gets in, what they see of it, and what stays with them."""

from __future__ import annotations

import json

import pytest
from django.contrib.humanize.templatetags.humanize import intcomma
from django.test import Client
from django.utils import translation

from apps.accounts.models import User
from apps.dashboard.navigation import links_for
from apps.tenants.models import Application, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from apps.tenants.services import create_application
from tests.dashboard.conftest import member_client

pytestmark = pytest.mark.django_db


def test_the_landing_page_greets_strangers_and_sends_members_to_the_overview(client: Client, developer: Client) -> None:
    assert client.get("/").status_code == 200
    assert developer.get("/").url == "/overview/"


def test_a_stranger_is_sent_to_sign_in_and_comes_back(client: Client) -> None:
    response = client.get("/overview/")
    assert response.status_code == 302
    assert response.url.endswith("?next=/overview/")


def test_a_polling_fragment_of_a_signed_out_person_leads_the_whole_page_away(client: Client) -> None:
    response = client.get("/overview/", headers={"HX-Request": "true"})
    assert response.status_code == 204
    assert response["HX-Redirect"]


def test_an_owner_without_a_second_factor_is_sent_to_enrol_one(client: Client, tenant: Tenant, owner: User) -> None:
    client.force_login(owner)
    response = client.get("/overview/")
    assert response.status_code == 302
    assert "enrol" in response.url


def test_a_tenant_may_ask_every_member_for_a_second_factor(developer: Client, tenant: Tenant) -> None:

    assert developer.get("/overview/").status_code == 200
    with tenant_scope(tenant):
        tenant.changed(requires_mfa=True)
    assert "enrol" in developer.get("/overview/").url


def test_signed_in_pages_are_never_stored(developer: Client) -> None:
    assert "no-store" in developer.get("/overview/")["Cache-Control"]


def test_somebody_without_a_tenant_is_told_so(client: Client) -> None:
    client.force_login(User.objects.create_user("lost@example.org", "x"))
    response = client.get("/overview/")
    assert response.status_code == 403
    assert b"not_a_member" in response.content


def test_the_switcher_offers_own_applications_only(
    developer: Client, application: Application, other_application: Application
) -> None:
    page = developer.get("/overview/").content.decode()
    assert application.name in page
    assert other_application.name not in page
    refused = developer.post("/preferences/application", {"application": other_application.public_id})
    assert refused.status_code == 404


def test_switching_to_a_tenant_needs_a_membership(developer: Client, other_tenant: Tenant) -> None:
    assert developer.post("/preferences/tenant", {"tenant": other_tenant.public_id}).status_code == 404


def test_a_chosen_application_stays_chosen(developer: Client, tenant: Tenant, application: Application) -> None:

    with tenant_scope(tenant):
        second = create_application(tenant=tenant, name="Another one").application
    assert developer.get("/overview/").wsgi_request.application == application
    developer.post("/preferences/application", {"application": second.public_id, "next": "/overview/"})
    assert developer.get("/overview/").wsgi_request.application == second


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_a_choice_leads_back_into_the_house_only(client: Client, target: str) -> None:
    assert client.post("/preferences/theme", {"theme": "dark", "next": target}).url == "/"


def test_the_theme_is_a_cookie_and_an_attribute(client: Client) -> None:
    client.post("/preferences/theme", {"theme": "dark", "next": "/"})
    assert 'data-theme="dark"' in client.get("/").content.decode()
    assert client.post("/preferences/theme", {"theme": "<b>"}).status_code == 400


def test_a_language_follows_the_person_to_another_browser(developer: Client, tenant: Tenant) -> None:
    developer.post("/preferences/language", {"language": "zh-hans", "next": "/"})
    user = User.objects.get(language="zh-hans")
    elsewhere = Client()
    elsewhere.force_login(user)
    assert 'lang="zh-hans"' in elsewhere.get("/overview/").content.decode()


def test_an_unknown_language_changes_nothing(client: Client) -> None:
    response = client.post("/preferences/language", {"language": "xx"})
    assert response.status_code == 400
    assert "django_language" not in response.cookies


def test_the_sidebar_hides_what_a_role_may_not_open() -> None:
    def labels(role: str) -> set[str]:
        return {link.url for group in links_for(role, "/overview/") for link in group.links}

    assert labels("analyst") < labels("developer")


def test_an_error_for_htmx_is_a_toast(developer: Client) -> None:
    response = developer.post("/preferences/theme", {"theme": "?"}, headers={"HX-Request": "true"})
    assert response.status_code == 400
    assert json.loads(response["HX-Trigger"])["toasts"]["items"][0]["level"] == "error"
    assert response.content == b""


def test_a_page_that_is_not_there_says_so(client: Client) -> None:
    response = client.get("/nowhere/")
    assert response.status_code == 404
    assert b"not_found" in response.content


def test_a_role_that_may_not_is_refused_with_a_code(tenant: Tenant) -> None:

    marketer = member_client(tenant, Role.MARKETER)
    response = marketer.get("/live/")
    assert (response.status_code, b"role_forbids" in response.content) == (403, True)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_large_numbers_are_grouped_in_every_language(language: str) -> None:
    with translation.override(language):
        assert intcomma(1234567) == "1,234,567"
