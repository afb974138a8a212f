"""Members and invitations: who may do what to whom, and that tenants do not see each other's."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts import throttling
from apps.accounts.models import User
from apps.core import clock
from apps.tenants.models import AuditEntry, Invitation, Membership, Tenant
from apps.tenants.permissions import Role
from apps.tenants.queries import memberships_of
from apps.tenants.scope import tenant_scope
from apps.tenants.services import verify_audit
from apps.tenants.services.invitations import invite_member
from tests.accounts.support import give_authenticator
from tests.dashboard.accounts_support import NEW_PASSWORD, is_signed_in, letters, link_in, sign_in
from tests.fixtures import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_old_guesses(clean_valkey: None) -> None:
    """Limits are counted in Valkey, which no rollback empties."""


def add_member(tenant: Tenant, role: Role, email: str = "") -> Membership:
    user = User.objects.create_user(email or f"{role}@team.example", PASSWORD, name=f"The {role}")
    with tenant_scope(tenant):
        return Membership.objects.create(tenant=tenant, user=user, role=role)


def browser_of(user: User) -> Client:
    """Signed in with a fresh second factor."""
    give_authenticator(user)
    client = Client()
    sign_in(client, user, code=True)
    return client


@pytest.fixture
def owner_client(owner: User, tenant: Tenant) -> Client:
    return browser_of(owner)


@pytest.fixture
def admin_client(tenant: Tenant) -> Client:
    return browser_of(add_member(tenant, Role.ADMIN).user)


def actions(tenant: Tenant) -> list[str]:
    with tenant_scope(tenant):
        assert verify_audit(tenant=tenant).broken_at is None
        return list(AuditEntry.objects.of(tenant).order_by("pk").values_list("action", flat=True))


def role_of(tenant: Tenant, membership: Membership) -> str | None:
    with tenant_scope(tenant):
        return Membership.objects.of(tenant).filter(pk=membership.pk).values_list("role", flat=True).first()


def invite(client: Client, email: str = "new@acme.example", role: Role = Role.MARKETER) -> str:
    """The path of the link in the letter."""
    response = client.post("/members/invite/", {"email": email, "role": role})
    assert response.status_code == 302, response.content
    return link_in(letters()[-1])


# --- Roles


def test_a_role_is_changed_and_audited(owner_client: Client, tenant: Tenant) -> None:
    analyst = add_member(tenant, Role.ANALYST)
    owner_client.post(f"/members/{analyst.public_id}/role/", {"role": "developer"})
    assert role_of(tenant, analyst) == "developer"
    assert actions(tenant)[-1] == "member.role_changed"


def test_the_last_owner_is_neither_demoted_nor_removed(owner_client: Client, owner: User, tenant: Tenant) -> None:
    with tenant_scope(tenant):
        own = Membership.objects.of(tenant).get(user=owner)
    for path, data in (
        (f"/members/{own.public_id}/role/", {"role": "admin"}),
        (f"/members/{own.public_id}/remove/", {}),
    ):
        response = owner_client.post(path, data)
        assert response.status_code == 409
        assert b"last_owner" in response.content
    assert role_of(tenant, own) == "owner"


def test_one_of_two_owners_may_go(owner_client: Client, owner: User, tenant: Tenant) -> None:
    add_member(tenant, Role.OWNER)
    with tenant_scope(tenant):
        own = Membership.objects.of(tenant).get(user=owner)
    assert owner_client.post(f"/members/{own.public_id}/remove/").status_code == 302
    assert memberships_of(owner) == []


def test_an_administrator_touches_no_owner(admin_client: Client, owner: User, tenant: Tenant) -> None:
    with tenant_scope(tenant):
        theirs = Membership.objects.of(tenant).get(user=owner)
    analyst = add_member(tenant, Role.ANALYST)
    add_member(tenant, Role.OWNER)
    assert admin_client.post(f"/members/{theirs.public_id}/remove/").status_code == 403
    assert admin_client.post(f"/members/{theirs.public_id}/role/", {"role": "analyst"}).status_code == 403
    assert admin_client.post(f"/members/{analyst.public_id}/role/", {"role": "owner"}).status_code == 403
    refused = admin_client.post("/members/invite/", {"email": "x@acme.example", "role": "owner"})
    assert refused.status_code == 200
    assert (role_of(tenant, theirs), role_of(tenant, analyst)) == ("owner", "analyst")
    assert letters() == []


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.MARKETER, Role.ANALYST])
def test_other_roles_look_and_change_nothing(tenant: Tenant, role: Role) -> None:
    client = browser_of(add_member(tenant, role).user)
    other = add_member(tenant, Role.ANALYST, "target@acme.example")
    page = client.get("/members/")
    assert page.status_code == 200
    assert "target@acme.example" in page.content.decode()
    assert "Send the invitation" not in page.content.decode()
    for path in (
        "/members/invite/",
        "/members/second-factor/",
        f"/members/{other.public_id}/role/",
        f"/members/{other.public_id}/remove/",
    ):
        response = client.post(path, {"email": "x@acme.example", "role": "admin"})
        assert response.status_code == 403
        assert b"role_forbids" in response.content
    assert role_of(tenant, other) == "analyst"


def test_a_role_that_is_none_changes_nothing(owner_client: Client, tenant: Tenant) -> None:
    analyst = add_member(tenant, Role.ANALYST)
    assert owner_client.post(f"/members/{analyst.public_id}/role/", {"role": "emperor"}).status_code == 400
    assert role_of(tenant, analyst) == "analyst"


def test_a_removed_member_loses_access_at_once(owner_client: Client, tenant: Tenant) -> None:
    analyst = add_member(tenant, Role.ANALYST)
    client = Client()
    sign_in(client, analyst.user)
    assert client.get("/overview/").status_code == 200
    owner_client.post(f"/members/{analyst.public_id}/remove/")
    assert client.get("/overview/").status_code == 403
    assert actions(tenant)[-1] == "member.removed"


def test_changes_need_a_fresh_second_factor(owner: User, tenant: Tenant) -> None:
    analyst = add_member(tenant, Role.ANALYST)
    with time_machine.travel(clock.now(), tick=False) as now:
        client = browser_of(owner)
        now.shift(301)
        asked = client.post(
            f"/members/{analyst.public_id}/remove/", headers={"referer": "http://testserver/members/?page=2"}
        )
    assert asked.url == "/sign-in/verify/?next=%2Fmembers%2F%3Fpage%3D2"
    assert role_of(tenant, analyst) == "analyst"


def test_the_tenant_may_ask_everybody_for_a_second_factor(owner_client: Client, tenant: Tenant) -> None:
    analyst = Client()
    sign_in(analyst, add_member(tenant, Role.ANALYST).user)
    assert analyst.get("/overview/").status_code == 200
    owner_client.post("/members/second-factor/", {"required": "on"})
    assert analyst.get("/overview/").url.startswith("/security/enrol/")
    assert actions(tenant)[-1] == "tenant.factor_policy_changed"
    owner_client.post("/members/second-factor/", {})
    assert analyst.get("/overview/").status_code == 200


def test_members_of_another_tenant_are_not_found(
    owner_client: Client, other_tenant: Tenant, other_owner: User, tenant: Tenant
) -> None:
    theirs = add_member(other_tenant, Role.ANALYST, "them@globex.example")
    with tenant_scope(other_tenant):
        actor = Membership.objects.of(other_tenant).get(user=other_owner)
        invitation = invite_member(
            tenant=other_tenant, actor=actor, email="guest@globex.example", role=Role.ANALYST, link=str
        )
    for path in (
        f"/members/{theirs.public_id}/role/",
        f"/members/{theirs.public_id}/remove/",
        f"/invitations/{invitation.public_id}/revoke/",
    ):
        assert owner_client.post(path, {"role": "developer"}).status_code == 404
    page = owner_client.get("/members/").content.decode()
    assert "globex.example" not in page
    assert role_of(other_tenant, theirs) == "analyst"
    with tenant_scope(other_tenant):
        assert Invitation.objects.of(other_tenant).count() == 1


# --- Invitations


def test_somebody_new_joins_by_the_link(owner_client: Client, tenant: Tenant) -> None:
    link = invite(owner_client, "New@Acme.example")
    client = Client()
    assert "new@acme.example" in client.get(link).content.decode()
    assert client.post(link, {"name": "New", "password": NEW_PASSWORD}).url == "/overview/"
    user = User.objects.get(email="new@acme.example")
    (membership,) = memberships_of(user)
    assert (membership.tenant_id, membership.role) == (tenant.pk, "marketer")
    assert client.get("/overview/").status_code == 200
    assert actions(tenant)[-2:] == ["member.invited", "invitation.accepted"]


def test_only_the_hash_of_the_link_is_kept(owner_client: Client, tenant: Tenant) -> None:
    token = invite(owner_client).split("/")[2]
    with tenant_scope(tenant):
        (row,) = Invitation.objects.of(tenant).values()
    assert token not in str(row)


def test_somebody_known_signs_in_first_and_then_accepts(
    owner_client: Client, tenant: Tenant, other_owner: User, other_tenant: Tenant
) -> None:
    link = invite(owner_client, other_owner.email, Role.ANALYST)
    client = Client()
    page = client.get(link).content.decode()
    assert f"/sign-in/?next={link}" in page
    assert client.post(link, {"name": "X", "password": NEW_PASSWORD}).status_code == 200
    assert len(memberships_of(other_owner)) == 1
    sign_in(client, other_owner)
    assert client.post(link).url == "/overview/"
    assert {record.tenant_name for record in memberships_of(other_owner)} == {"Acme", "Globex"}
    assert client.get("/overview/").wsgi_request.session["tenant"] == tenant.pk


def test_an_invitation_is_for_the_address_it_was_sent_to(owner_client: Client, other_owner: User) -> None:
    link = invite(owner_client)
    client = Client()
    sign_in(client, other_owner)
    response = client.post(link)
    assert response.status_code == 403
    assert b"invited_somebody_else" in response.content
    assert memberships_of(other_owner) == []


def test_a_link_works_once(owner_client: Client) -> None:
    link = invite(owner_client)
    Client().post(link, {"name": "New", "password": NEW_PASSWORD})
    again = Client().get(link)
    assert again.status_code == 404
    assert b"invitation_expired" in again.content


def test_a_link_works_for_seven_days(owner: User, tenant: Tenant) -> None:
    with time_machine.travel(clock.now(), tick=False) as now:
        link = invite(browser_of(owner))
        now.shift(timedelta(days=7) - timedelta(seconds=1))
        assert Client().get(link).status_code == 200
        now.shift(timedelta(seconds=1))
        assert Client().get(link).status_code == 404


def test_a_revoked_link_is_dead(owner_client: Client, tenant: Tenant) -> None:
    link = invite(owner_client)
    with tenant_scope(tenant):
        invitation = Invitation.objects.of(tenant).get()
    assert owner_client.post(f"/invitations/{invitation.public_id}/revoke/").status_code == 302
    assert Client().get(link).status_code == 404
    assert actions(tenant)[-1] == "invitation.revoked"


def test_inviting_again_replaces_the_link(owner_client: Client, tenant: Tenant) -> None:
    first = invite(owner_client)
    second = invite(owner_client, role=Role.DEVELOPER)
    assert (Client().get(first).status_code, Client().get(second).status_code) == (404, 200)
    with tenant_scope(tenant):
        assert Invitation.objects.of(tenant).get().role == "developer"


def test_a_member_is_not_invited_again(owner_client: Client, tenant: Tenant) -> None:
    add_member(tenant, Role.ANALYST)
    response = owner_client.post("/members/invite/", {"email": "Analyst@Team.example", "role": "analyst"})
    assert "already a member" in response.content.decode()
    assert letters() == []


@pytest.mark.parametrize(
    "given", [{"email": "no address"}, {"email": "a" * 10_000}, {"role": "emperor"}, {"email": ""}, {"role": ""}]
)
def test_a_bad_invitation_sends_nothing(owner_client: Client, given: dict[str, str]) -> None:
    response = owner_client.post("/members/invite/", {"email": "x@acme.example", "role": "analyst", **given})
    assert response.status_code == 200
    assert letters() == []


def test_a_weak_password_joins_nobody_and_leaves_the_link(owner_client: Client) -> None:
    link = invite(owner_client)
    client = Client()
    assert "too short" in client.post(link, {"name": "New", "password": "short"}).content.decode()
    assert not is_signed_in(client)
    assert client.get(link).status_code == 200


@pytest.mark.parametrize("token", ["x", "%00", "a" * 500])
def test_an_invented_token_is_refused(client: Client, token: str) -> None:
    assert client.get(f"/join/{token}/").status_code == 404


def test_a_tenant_may_not_flood_the_world_with_letters(owner_client: Client, tenant: Tenant) -> None:
    for _n in range(throttling.INVITATIONS.count):
        throttling.spend(throttling.INVITATIONS, tenant.public_id)
    response = owner_client.post("/members/invite/", {"email": "x@acme.example", "role": "analyst"})
    assert "Too many tries" in response.content.decode()
    assert letters() == []


def test_the_list_costs_the_same_for_one_and_for_three(owner_client: Client, tenant: Tenant) -> None:
    costs = []
    for emails in (["a@team.example"], ["b@team.example", "c@team.example"]):
        for email in emails:
            add_member(tenant, Role.ANALYST, email)
            invite(owner_client, f"guest-of-{email}")
        with CaptureQueriesContext(connection) as queries:
            assert emails[0] in owner_client.get("/members/").content.decode()
        costs.append(len(queries))
    assert costs[0] == costs[1]
