"""Signing in: password, second factor, limits, and that no answer tells whether an address has an account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import redis
import time_machine
from django.conf import settings
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client

from apps.accounts import throttling
from apps.accounts.models import OutgoingMail, Session, User
from apps.accounts.services import factors
from apps.core import valkey
from apps.tenants.models import Tenant
from tests.accounts.support import code_now, give_authenticator
from tests.dashboard.accounts_support import is_signed_in, sign_in
from tests.fixtures import PASSWORD

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_old_guesses(clean_valkey: None) -> None:
    """Limits are counted in Valkey, which no rollback empties."""


def test_password_alone_signs_in_who_has_no_second_factor(client: Client, owner: User) -> None:
    response = client.post("/sign-in/", {"email": "Owner@Acme.example", "password": PASSWORD})
    assert response.url == "/overview/"
    assert is_signed_in(client)


def test_password_alone_signs_nobody_in_who_has_a_second_factor(client: Client, owner: User) -> None:
    give_authenticator(owner)
    response = client.post("/sign-in/?next=/overview/", {"email": owner.email, "password": PASSWORD})
    assert response.url == "/sign-in/verify/?next=%2Foverview%2F"
    assert not is_signed_in(client)


def test_the_code_ends_the_sign_in_and_leads_to_the_wanted_page(client: Client, owner: User, tenant: Tenant) -> None:
    give_authenticator(owner)
    sign_in(client, owner)
    response = client.post("/sign-in/verify/?next=/usage/", {"code": f" {code_now()[:3]} {code_now()[3:]}"})
    assert response.url == "/usage/"
    assert client.get("/overview/").status_code == 200


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_signing_in_leads_into_the_house_only(client: Client, owner: User, target: str) -> None:
    response = client.post("/sign-in/", {"email": owner.email, "password": PASSWORD, "next": target})
    assert response.url == "/overview/"


def test_the_same_code_signs_in_once(owner: User) -> None:
    give_authenticator(owner)
    with time_machine.travel(NOON, tick=False):
        first, second = Client(), Client()
        sign_in(first, owner, code=True)
        sign_in(second, owner)
        assert second.post("/sign-in/verify/", {"code": code_now()}).status_code == 200
    assert not is_signed_in(second)


def test_a_recovery_code_signs_in_once(owner: User) -> None:
    give_authenticator(owner)
    code = factors.replace_recovery_codes(user=owner)[0]
    first, second = Client(), Client()
    for client in (first, second):
        sign_in(client, owner)
        client.post("/sign-in/verify/?use=recovery", {"code": code})
    assert (is_signed_in(first), is_signed_in(second)) == (True, False)


def test_the_half_done_sign_in_ends_after_ten_minutes(client: Client, owner: User) -> None:
    give_authenticator(owner)
    with time_machine.travel(NOON, tick=False) as clock:
        sign_in(client, owner)
        clock.shift(601)
        assert client.post("/sign-in/verify/", {"code": code_now()}).url == "/sign-in/"
    assert not is_signed_in(client)


def test_the_half_done_sign_in_ends_when_the_password_changes(client: Client, owner: User) -> None:
    give_authenticator(owner)
    sign_in(client, owner)
    owner.set_password("another long password here")
    owner.save()
    assert client.post("/sign-in/verify/", {"code": code_now()}).url == "/sign-in/"


def test_who_lost_the_factor_meanwhile_proves_the_password_again(client: Client, owner: User) -> None:
    authenticator = give_authenticator(owner)
    sign_in(client, owner)
    authenticator.delete()
    assert client.post("/sign-in/verify/", {"password": "wrong"}).status_code == 200
    assert not is_signed_in(client)
    assert client.post("/sign-in/verify/", {"password": PASSWORD}).status_code == 302
    assert is_signed_in(client)


def test_unknown_and_known_addresses_get_the_same_answer(owner: User) -> None:
    answers = []
    for email in (owner.email, "nobody@acme.example"):
        response = Client().post("/sign-in/", {"email": email, "password": "wrong"})
        answers.append((response.status_code, response.content.replace(email.encode(), b"").split(b"<form")[2][300:]))
    assert answers[0] == answers[1]


def test_unknown_and_known_addresses_cost_the_same_hashing(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def counted(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    costs = []
    for email in (owner.email, "nobody@acme.example"):
        hashed.clear()
        Client().post("/sign-in/", {"email": email, "password": "wrong"})
        costs.append(len(hashed))
    assert costs[0] == costs[1] > 0


def test_nobody_gets_in_while_guesses_cannot_be_counted(
    client: Client, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(_region: str) -> redis.Redis:
        raise redis.ConnectionError("no Valkey")

    monkeypatch.setattr(valkey, "connect", unreachable)
    response = client.post("/sign-in/", {"email": owner.email, "password": PASSWORD})
    assert "cannot check this right now" in response.content.decode()
    assert not is_signed_in(client)


@pytest.mark.parametrize("email", ["owner@acme.example", "nobody@acme.example"])
def test_ten_wrong_passwords_lock_the_address_for_this_network_only(owner: User, email: str) -> None:
    for _n in range(settings.AXES_FAILURE_LIMIT):
        response = Client().post("/sign-in/", {"email": email, "password": "wrong"})
    assert response.status_code == 429
    assert response["Retry-After"] == "900"
    locked = Client().post("/sign-in/", {"email": email, "password": PASSWORD})
    assert locked.status_code == 429
    elsewhere = Client(REMOTE_ADDR="203.0.113.5").post("/sign-in/", {"email": owner.email, "password": PASSWORD})
    assert elsewhere.status_code == 302


def test_the_lock_opens_after_fifteen_minutes(owner: User) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        for _n in range(settings.AXES_FAILURE_LIMIT):
            Client().post("/sign-in/", {"email": owner.email, "password": "wrong"})
        clock.shift(timedelta(minutes=15, seconds=1))
        assert Client().post("/sign-in/", {"email": owner.email, "password": PASSWORD}).status_code == 302


def test_one_network_may_not_try_many_addresses() -> None:
    for number in range(throttling.SIGN_INS.count):
        Client().post("/sign-in/", {"email": f"a{number}@acme.example", "password": "x"})
    response = Client().post("/sign-in/", {"email": "last@acme.example", "password": "x"})
    assert "Too many tries" in response.content.decode()


def test_wrong_codes_are_limited_per_person(client: Client, owner: User) -> None:
    give_authenticator(owner)
    with time_machine.travel(NOON, tick=False) as clock:
        sign_in(client, owner)
        for _n in range(5):
            client.post("/sign-in/verify/", {"code": "000000"})
            clock.shift(1)
        response = client.post("/sign-in/verify/", {"code": code_now()})
    assert "Too many tries" in response.content.decode()
    assert not is_signed_in(client)


def test_a_disabled_person_does_not_get_in(client: Client, owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert client.post("/sign-in/", {"email": owner.email, "password": PASSWORD}).status_code == 200
    assert not is_signed_in(client)


@pytest.mark.parametrize("field", ["email", "password"])
def test_very_long_input_is_refused_before_anything_hashes_it(client: Client, field: str) -> None:
    given = {"email": "a@acme.example", "password": "x", field: "a" * 10_000}
    response = client.post("/sign-in/", given)
    assert response.status_code == 200
    assert "at most" in response.content.decode()


def test_signing_in_gives_the_browser_a_new_session_key(client: Client, owner: User) -> None:
    give_authenticator(owner)
    sign_in(client, owner)
    before = client.cookies[settings.SESSION_COOKIE_NAME].value
    client.post("/sign-in/verify/", {"code": code_now()})
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != before
    assert Session.objects.filter(user=owner).count() == 1


def test_signing_out_ends_the_session_and_not_only_the_cookie(client: Client, owner: User) -> None:
    sign_in(client, owner)
    stolen = Client()
    stolen.cookies = client.cookies.copy()
    assert is_signed_in(stolen)
    client.post("/sign-out/")
    assert not is_signed_in(stolen)
    assert client.get("/sign-out/").status_code == 405


def test_using_a_recovery_code_is_told_to_its_owner(client: Client, owner: User) -> None:
    give_authenticator(owner)
    code = factors.replace_recovery_codes(user=owner)[0]
    OutgoingMail.objects.all().delete()
    sign_in(client, owner)
    client.post("/sign-in/verify/?use=recovery", {"code": code})
    assert [letter.kind for letter in OutgoingMail.objects.all()] == ["recovery_code_used"]
