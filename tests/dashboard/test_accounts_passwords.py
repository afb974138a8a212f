"""Forgotten and changed passwords: who learns what, what ends, and that no reset goes around the second factor."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import time_machine
from axes.models import AccessAttempt
from django.test import Client

from apps.accounts import throttling
from apps.accounts.models import OutgoingMail, User
from apps.tenants.models import Tenant
from apps.tenants.permissions import Role
from tests.accounts.support import code_now, give_authenticator
from tests.dashboard.accounts_support import NEW_PASSWORD, is_signed_in, letters, link_in, sign_in
from tests.dashboard.conftest import member_client
from tests.fixtures import PASSWORD

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_old_guesses(clean_valkey: None) -> None:
    """Limits are counted in Valkey, which no rollback empties."""


def reset_link(user: User) -> str:
    Client().post("/password-reset/", {"email": user.email})
    return link_in(letters()[-1])


def test_unknown_and_known_addresses_get_the_same_answer(owner: User) -> None:
    answers = [
        (response.status_code, response.url)
        for response in (
            Client().post("/password-reset/", {"email": email}) for email in (owner.email, "nobody@acme.example")
        )
    ]
    assert answers == [(302, "/password-reset/sent/")] * 2
    assert [letter.to for letter in letters()] == [[owner.email]]


def test_a_reset_ends_at_the_second_factor(client: Client, owner: User) -> None:
    give_authenticator(owner)
    response = client.post(reset_link(owner), {"password": NEW_PASSWORD})
    assert response.url == "/sign-in/"
    assert not is_signed_in(client)
    assert client.post("/sign-in/", {"email": owner.email, "password": NEW_PASSWORD}).url == "/sign-in/verify/"
    assert not is_signed_in(client)
    client.post("/sign-in/verify/", {"code": code_now()})
    assert is_signed_in(client)


def test_a_reset_link_works_once(client: Client, owner: User) -> None:
    link = reset_link(owner)
    client.post(link, {"password": NEW_PASSWORD})
    assert client.get(link).status_code == 404
    assert client.post(link, {"password": "yet another password"}).status_code == 404
    owner.refresh_from_db()
    assert owner.check_password(NEW_PASSWORD)


def test_a_reset_link_works_for_an_hour(client: Client, owner: User) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        link = reset_link(owner)
        clock.shift(3600)
        assert client.get(link).status_code == 200
        clock.shift(2)
        assert client.get(link).status_code == 404


def test_a_reset_link_of_one_person_opens_nobody_elses_account(owner: User, other_owner: User, client: Client) -> None:
    link = reset_link(owner).replace(owner.public_id, other_owner.public_id)
    assert client.post(link, {"password": NEW_PASSWORD}).status_code == 404
    other_owner.refresh_from_db()
    assert other_owner.check_password(PASSWORD)


@pytest.mark.parametrize("path", ["/password-reset/usr_x/y/", "/password-reset/7/x-y/", "/password-reset/a%00b/c/"])
def test_an_invented_link_is_refused(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_weak_new_password_leaves_the_link_usable(client: Client, owner: User) -> None:
    link = reset_link(owner)
    assert "too short" in client.post(link, {"password": "short"}).content.decode()
    assert client.post(link, {"password": NEW_PASSWORD}).status_code == 302


def test_a_reset_ends_every_session_and_is_told(client: Client, owner: User) -> None:
    sign_in(client, owner)
    Client().post(reset_link(owner), {"password": NEW_PASSWORD})
    assert not is_signed_in(client)
    assert [letter.subject for letter in letters()] == ["Your password was changed"]


def test_one_address_is_not_flooded_with_letters(owner: User) -> None:
    for _n in range(throttling.RESETS_OF_ADDRESS.count):
        Client().post("/password-reset/", {"email": owner.email})
    refused = Client().post("/password-reset/", {"email": owner.email.upper()})
    assert "Too many tries" in refused.content.decode()
    assert OutgoingMail.objects.count() == throttling.RESETS_OF_ADDRESS.count


def test_changing_the_password_ends_the_other_sessions_only(tenant: Tenant) -> None:
    client = member_client(tenant, Role.DEVELOPER)
    user = User.objects.get(email__startswith="developer@")
    elsewhere = Client()
    sign_in(elsewhere, user)
    response = client.post("/security/password/", {"current_password": PASSWORD, "new_password": NEW_PASSWORD})
    assert response.url == "/security/"
    assert (is_signed_in(client), is_signed_in(elsewhere)) == (True, False)
    user.refresh_from_db()
    assert user.check_password(NEW_PASSWORD)
    assert [letter.subject for letter in letters()] == ["Your password was changed"]


def test_changing_the_password_needs_the_current_one(developer: Client) -> None:
    given = {"current_password": "wrong", "new_password": NEW_PASSWORD}
    assert "not right" in developer.post("/security/password/", given).content.decode()
    assert not User.objects.get(email__startswith="developer@").check_password(NEW_PASSWORD)


def test_a_failed_change_leaves_no_password_in_the_guess_log(developer: Client) -> None:
    developer.post("/security/password/", {"current_password": "my old secret", "new_password": NEW_PASSWORD})
    attempt = AccessAttempt.objects.get()
    assert attempt.username.startswith("developer@")
    kept = " ".join(str(value) for value in vars(attempt).values())
    assert "my old secret" not in kept
    assert NEW_PASSWORD not in kept
