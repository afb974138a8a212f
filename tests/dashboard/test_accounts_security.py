"""One's own factors and sessions: enrolling, step-up, removal, ending."""

from __future__ import annotations

import re
from base64 import b32decode
from datetime import UTC, datetime

import pytest
import time_machine
from django.test import Client

from apps.accounts.models import Authenticator, OutgoingMail, RecoveryCode, Session, User
from apps.accounts.services import factors
from apps.tenants.models import Tenant
from tests.accounts.support import code_now, give_authenticator
from tests.dashboard.accounts_support import is_signed_in, letters, sign_in

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_old_guesses(clean_valkey: None) -> None:
    """Limits are counted in Valkey, which no rollback empties."""


def key_on(page: bytes) -> bytes:
    found = re.search(rb'id="manual-key">([A-Z2-7]+)<', page)
    assert found
    return b32decode(found[1])


def test_a_new_owner_enrols_and_gets_ten_codes_once(client: Client, owner: User, tenant: Tenant) -> None:
    sign_in(client, owner)
    page = client.get("/security/enrol/?next=/members/").content
    assert b'src="data:image/svg+xml' in page
    response = client.post("/security/enrol/?next=/members/", {"code": code_now(key_on(page)), "name": "Phone"})
    shown = re.findall(r"\b(?:[A-Z2-7]{4} ){5}[A-Z2-7]{4}\b", response.content.decode())
    assert len(set(shown)) == 10
    assert "no-store" in response["Cache-Control"]
    assert b'href="/members/"' in response.content
    assert client.get("/overview/").status_code == 200
    assert [letter.subject for letter in letters()] == [
        "An authenticator was added to your account",
        "Your account has new recovery codes",
    ]


def test_a_shown_recovery_code_really_works(client: Client, owner: User, tenant: Tenant) -> None:
    sign_in(client, owner)
    page = client.get("/security/enrol/").content
    shown = client.post("/security/enrol/", {"code": code_now(key_on(page))}).content.decode()
    code = re.findall(r"(?:[A-Z2-7]{4} ){5}[A-Z2-7]{4}", shown)[0]
    elsewhere = Client()
    sign_in(elsewhere, owner)
    elsewhere.post("/sign-in/verify/?use=recovery", {"code": code})
    assert is_signed_in(elsewhere)


def test_a_wrong_code_does_not_enrol_and_keeps_the_seed(client: Client, owner: User, tenant: Tenant) -> None:
    sign_in(client, owner)
    before = key_on(client.get("/security/enrol/").content)
    again = client.post("/security/enrol/", {"code": "000000"})
    assert key_on(again.content) == before
    assert not Authenticator.objects.filter(confirmed=True).exists()
    assert client.get("/overview/").status_code == 302


def test_the_seed_is_not_shown_to_a_session_that_proved_itself_long_ago(client: Client, owner: User) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        sign_in(client, owner)
        factors.start_enrolment(user=owner)
        clock.shift(301)
        response = client.get("/security/enrol/")
        refused = client.post("/security/enrol/", {"code": "000000"})
    assert response.url == "/sign-in/verify/?next=%2Fsecurity%2Fenrol%2F"
    assert refused.status_code == 302


def test_enrolling_ends_the_sessions_elsewhere(client: Client, owner: User, tenant: Tenant) -> None:
    elsewhere = Client()
    sign_in(elsewhere, owner)
    sign_in(client, owner)
    page = client.get("/security/enrol/").content
    client.post("/security/enrol/", {"code": code_now(key_on(page))})
    assert (is_signed_in(client), is_signed_in(elsewhere)) == (True, False)


def test_dangerous_pages_ask_for_a_fresh_code_and_lead_back(client: Client, owner: User, tenant: Tenant) -> None:
    give_authenticator(owner)
    with time_machine.travel(NOON, tick=False) as clock:
        sign_in(client, owner, code=True)
        assert client.get("/security/recovery-codes/").status_code == 200
        clock.shift(301)
        asked = client.get("/security/recovery-codes/")
        assert asked.url == "/sign-in/verify/?next=%2Fsecurity%2Frecovery-codes%2F"
        assert client.post(asked.url, {"code": code_now()}).url == "/security/recovery-codes/"
        assert client.get("/security/recovery-codes/").status_code == 200


def test_a_recovery_code_does_not_open_dangerous_pages(client: Client, owner: User, tenant: Tenant) -> None:
    give_authenticator(owner)
    first, second = factors.replace_recovery_codes(user=owner)[:2]
    sign_in(client, owner)
    client.post("/sign-in/verify/?use=recovery", {"code": first})
    assert client.get("/overview/").status_code == 200
    assert client.get("/security/recovery-codes/").status_code == 302
    client.post("/sign-in/verify/?use=recovery", {"code": second})
    assert client.get("/security/recovery-codes/").status_code == 302
    assert factors.recovery_codes_left(user=owner) == 9


def test_a_session_without_the_factor_owes_it_before_any_page(client: Client, owner: User, tenant: Tenant) -> None:
    client.force_login(owner)
    give_authenticator(owner)
    assert client.get("/members/").url == "/sign-in/verify/?next=%2Fmembers%2F"


def test_new_recovery_codes_replace_the_old(client: Client, owner: User, tenant: Tenant) -> None:
    give_authenticator(owner)
    factors.replace_recovery_codes(user=owner)
    before = set(RecoveryCode.objects.values_list("hash", flat=True))
    sign_in(client, owner, code=True)
    assert client.post("/security/recovery-codes/").status_code == 200
    after = set(RecoveryCode.objects.values_list("hash", flat=True))
    assert len(after) == 10
    assert not before & after


def test_an_owner_keeps_at_least_one_authenticator(client: Client, owner: User, tenant: Tenant) -> None:
    only = give_authenticator(owner)
    sign_in(client, owner, code=True)
    response = client.post("/security/remove/", {"authenticator": only.public_id})
    assert response.status_code == 409
    assert b"factor_required" in response.content
    second = give_authenticator(owner, b"x" * 20)
    assert client.post("/security/remove/", {"authenticator": only.public_id}).status_code == 302
    assert list(Authenticator.objects.all()) == [second]


def test_a_member_whose_role_needs_none_may_remove_the_last(client: Client, owner: User) -> None:
    only = give_authenticator(owner)
    sign_in(client, owner, code=True)
    OutgoingMail.objects.all().delete()
    assert client.post("/security/remove/", {"authenticator": only.public_id}).url == "/security/"
    assert is_signed_in(client)
    assert [letter.kind for letter in OutgoingMail.objects.all()] == ["factor_removed"]


def test_removing_needs_a_fresh_code(client: Client, owner: User) -> None:
    only = give_authenticator(owner)
    with time_machine.travel(NOON, tick=False) as clock:
        sign_in(client, owner, code=True)
        clock.shift(301)
        client.post("/security/remove/", {"authenticator": only.public_id})
    assert Authenticator.objects.filter(pk=only.pk).exists()


def test_nobody_removes_the_authenticator_of_another_person(client: Client, owner: User, other_owner: User) -> None:
    theirs = give_authenticator(other_owner)
    sign_in(client, owner)
    assert client.post("/security/remove/", {"authenticator": theirs.public_id}).status_code == 404
    assert Authenticator.objects.filter(pk=theirs.pk).exists()


def test_the_list_shows_own_sessions_only(developer: Client, other_owner: User) -> None:
    sign_in(Client(REMOTE_ADDR="203.0.113.77"), other_owner)
    user = User.objects.get(email__startswith="developer@")
    sign_in(Client(REMOTE_ADDR="203.0.113.5", HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux) Firefox/140.0"), user)
    page = developer.get("/security/").content.decode()
    assert "Firefox, Linux" in page
    assert "203.0.113.5" in page
    assert "203.0.113.77" not in page


def test_a_session_is_ended_from_the_list(developer: Client) -> None:
    user = User.objects.get(email__startswith="developer@")
    elsewhere = Client()
    sign_in(elsewhere, user)
    row = Session.objects.filter(user=user).latest("pk")
    assert developer.post("/security/sessions/end/", {"session": row.public_id}).url == "/security/"
    assert (is_signed_in(developer), is_signed_in(elsewhere)) == (True, False)


def test_all_other_sessions_are_ended_at_once(developer: Client) -> None:
    user = User.objects.get(email__startswith="developer@")
    others = [Client(), Client()]
    for other in others:
        sign_in(other, user)
    developer.post("/security/sessions/end-others/")
    assert is_signed_in(developer)
    assert not any(is_signed_in(other) for other in others)


@pytest.mark.parametrize("session", ["", "ses_x", "1"])
def test_a_session_that_is_none_is_not_found(developer: Client, session: str) -> None:
    assert developer.post("/security/sessions/end/", {"session": session}).status_code == 404


def test_nobody_ends_the_session_of_another_person(developer: Client, other_owner: User) -> None:
    theirs = Client()
    sign_in(theirs, other_owner)
    row = Session.objects.get(user=other_owner)
    assert developer.post("/security/sessions/end/", {"session": row.public_id}).status_code == 404
    assert is_signed_in(theirs)


def test_name_and_language_are_saved_and_spoken(developer: Client) -> None:
    response = developer.post("/profile/", {"name": "李 雷", "language": "zh-hans"})
    assert response.url == "/profile/"
    user = User.objects.get(email__startswith="developer@")
    assert (user.name, user.language) == ("李 雷", "zh-hans")
    assert developer.cookies["django_language"].value == "zh-hans"
    assert '<html lang="zh-hans"' in developer.get("/profile/").content.decode()


@pytest.mark.parametrize("changes", [{"name": "n" * 10_000}, {"name": ""}, {"name": "a\x07b"}, {"language": "tlh"}])
def test_a_bad_profile_changes_nothing(developer: Client, changes: dict[str, str]) -> None:
    assert developer.post("/profile/", {"name": "New", "language": "en", **changes}).status_code == 200
    assert User.objects.get(email__startswith="developer@").name == "The developer"
