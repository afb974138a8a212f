"""Opening an account: what is made, and that an address in use is not given away."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from apps.accounts import throttling
from apps.accounts.models import User
from apps.tenants.models import Application, Membership
from apps.tenants.queries import memberships_of
from apps.tenants.scope import tenant_scope
from tests.dashboard.accounts_support import is_signed_in, letters
from tests.fixtures import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_old_guesses(clean_valkey: None) -> None:
    """Limits are counted in Valkey, which no rollback empties."""


def given(**changes: str) -> dict[str, str]:
    return {
        "name": "Ann",
        "organisation": "Acme",
        "email": "Ann@Acme.example",
        "password": PASSWORD,
        "timezone": "Asia/Shanghai",
        **changes,
    }


def test_signing_up_makes_a_person_a_tenant_and_an_application(client: Client) -> None:
    assert client.post("/sign-up/", given()).url == "/sign-in/"
    user = User.objects.get(email="ann@acme.example")
    (membership,) = memberships_of(user)
    assert (membership.tenant_name, membership.role, membership.timezone) == ("Acme", "owner", "Asia/Shanghai")
    with tenant_scope(membership.tenant_id):
        assert Application.objects.of(membership.tenant_id).count() == 1
    assert [letter.subject for letter in letters()] == ["Welcome to pushsaas"]


def test_a_new_owner_signs_in_and_is_led_to_the_second_factor(client: Client) -> None:
    client.post("/sign-up/", given())
    client.post("/sign-in/", {"email": "ann@acme.example", "password": PASSWORD})
    assert client.get("/overview/").url.startswith("/security/enrol/")


def test_an_address_in_use_gets_the_same_answer_and_only_its_owner_learns(owner: User) -> None:
    answers = []
    for email in ("new@acme.example", owner.email):
        client = Client()
        response = client.post("/sign-up/", given(email=email, password="quite another password"))
        page = client.get("/sign-in/").content.decode()
        answers.append((response.status_code, response.url, "Sign in with the password you just chose" in page))
    assert answers[0] == answers[1]
    owner.refresh_from_db()
    assert owner.check_password(PASSWORD)
    assert {letter.to[0]: letter.subject for letter in letters()} == {
        "new@acme.example": "Welcome to pushsaas",
        owner.email: "You have an account already",
    }


def test_an_address_in_use_is_not_signed_in_by_signing_up(client: Client, owner: User) -> None:
    client.post("/sign-up/", given(email=owner.email))
    assert not is_signed_in(client)
    assert memberships_of(owner) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"password": "short"}, "too short"),
        ({"password": "q1w2e3r4t5y6"}, "too common"),
        ({"password": "PushSaaS is great"}, "name of this product"),
        ({"password": "ann@acme.example"}, "too similar"),
        ({"password": "Annabel Carter", "name": "Annabel Carter"}, "too similar"),
        ({"password": "x" * 10_000}, "at most 128"),
        ({"email": "no address"}, "valid email"),
        ({"email": "a" * 10_000 + "@acme.example"}, "at most 254"),
        ({"name": "n" * 10_000}, "at most 150"),
        ({"organisation": "o" * 10_000}, "at most 120"),
        ({"organisation": "   "}, "required"),
        ({"organisation": "Ac\x07me"}, "printable"),
        ({"organisation": "Ac\x00me"}, "Null"),
    ],
)
def test_bad_input_is_named_and_makes_nothing(client: Client, changes: dict[str, str], says: str) -> None:
    response = client.post("/sign-up/", given(**changes))
    assert response.status_code == 200
    assert says in response.content.decode()
    assert not User.objects.exists()


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd"])
def test_a_time_zone_nobody_knows_becomes_utc(client: Client, zone: str) -> None:
    client.post("/sign-up/", given(timezone=zone))
    assert memberships_of(User.objects.get())[0].timezone == "UTC"


def test_one_network_may_not_open_accounts_without_end() -> None:
    for number in range(throttling.SIGN_UPS.count):
        Client().post("/sign-up/", given(email=f"a{number}@acme.example"))
    response = Client().post("/sign-up/", given(email="last@acme.example"))
    assert "Too many tries" in response.content.decode()
    assert not User.objects.filter(email="last@acme.example").exists()


def test_a_failure_half_way_leaves_nobody_behind(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_arguments: Any) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("apps.tenants.services.sign_up.create_application", fail)
    client.raise_request_exception = False
    assert client.post("/sign-up/", given()).status_code == 500
    assert not User.objects.exists()


def test_somebody_with_two_organisations_chooses_after_signing_in(
    client: Client, owner: User, tenant: object, other_tenant: Any
) -> None:
    with tenant_scope(other_tenant):
        Membership.objects.create(tenant=other_tenant, user=owner, role="analyst")
    response = client.post("/sign-in/", {"email": owner.email, "password": PASSWORD})
    assert response.url == "/organisations/"
    assert client.post("/organisations/", {"tenant": other_tenant.public_id}).url == "/overview/"
    assert "Globex" in client.get("/overview/").content.decode()


def test_nobody_chooses_an_organisation_of_others(client: Client, owner: User, other_tenant: Any) -> None:
    client.force_login(owner)
    assert client.post("/organisations/", {"tenant": other_tenant.public_id}).status_code == 404
