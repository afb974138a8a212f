"""The provider `fcm` against Google's two endpoints as they behave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.test import override_settings

from apps.core import valkey
from apps.providers.base import Credential, Endpoint, Notification, Outcome, Result, Scope, Sender
from apps.providers.counterparts.authority import Authority
from apps.providers.counterparts.faults import Cut, GoAway, Refuse, Say
from apps.providers.counterparts.fcm import GoogleService, error_answer
from apps.providers.counterparts.server import Server
from apps.providers.errors import CredentialInvalid, NetworkSilent
from apps.providers.fcm.provider import FcmProvider
from apps.tenants.models import Tenant
from tests.providers.factories import SENT_AT, make_push

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_valkey")]

KEY = rsa.generate_private_key(65537, 2048)
EMAIL = "firebase-adminsdk-1@shop-1234.iam.gserviceaccount.com"
ACCOUNT = {
    "type": "service_account", "project_id": "shop-1234", "private_key_id": "0" * 40, "client_email": EMAIL,
    "private_key": KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    "token_uri": "https://169.254.169.254/steal",
}  # fmt: skip
ACCEPTED = (Result.ACCEPTED, Scope.NONE, "")


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(SENT_AT, tick=True) as traveller:
        yield traveller


@pytest.fixture
def google() -> GoogleService:
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return GoogleService("shop-1234", {EMAIL: public})


@pytest.fixture
def server(google: GoogleService, trusted: Authority) -> Iterator[Server]:
    with Server(google, trusted.server_context(), max_streams=100) as server:
        google.token_url = f"{server.origin}/token"
        with override_settings(FCM_URL=server.origin, GOOGLE_TOKEN_URL=google.token_url):
            yield server


def _provider(tenant: Tenant, **changes: Any) -> FcmProvider:
    credential = Credential("pcr_1", {"service_account": json.dumps({**ACCOUNT, **changes})})
    return FcmProvider(Sender("local", tenant.pk, "app", (credential,)))


@pytest.fixture
def provider(tenant: Tenant, server: Server) -> FcmProvider:
    return _provider(tenant)


def _words(outcomes: list[Outcome]) -> list[tuple[Result, Scope, str]]:
    return [(outcome.result, outcome.scope, outcome.reason) for outcome in outcomes]


def test_a_push_arrives_for_every_kind_of_device(provider: FcmProvider, google: GoogleService) -> None:
    push = make_push(1, Endpoint("token-1"), ttl=600)
    [outcome] = provider.send([push])
    assert _words([outcome]) == [ACCEPTED]
    assert outcome.provider_message_id.startswith("projects/shop-1234/messages/")
    [message] = google.taken
    assert (message["token"], message["notification"]) == ("token-1", {"title": "Hello", "body": "You are number 1"})
    assert message["data"]["msg_id"] == push.id
    assert message["android"] == {
        "priority": "high", "ttl": "600s", "collapse_key": push.id, "notification": {"tag": push.id},
    }  # fmt: skip
    assert message["apns"]["headers"]["apns-collapse-id"] == push.id
    assert message["apns"]["payload"] == {"aps": {"sound": "default"}}
    assert message["webpush"]["headers"] == {"TTL": "600", "Urgency": "high", "Topic": push.id}
    assert message["webpush"]["fcm_options"] == {"link": "https://shop.example/"}


def test_an_installation_id_is_a_target_of_its_own(provider: FcmProvider, google: GoogleService) -> None:
    provider.send([make_push(1, Endpoint("fid-1", "fid"))])
    assert google.taken[0]["fid"] == "fid-1"
    assert "token" not in google.taken[0]


def test_data_travels_as_texts(provider: FcmProvider, google: GoogleService) -> None:
    shown = Notification("x", "y", data={"cart": [1, 2]})
    assert _words(provider.send([make_push(1, Endpoint("t"), notification=shown)])) == [ACCEPTED]
    assert json.loads(google.taken[0]["data"]["data"]) == {"cart": [1, 2]}
    assert google.taken[0]["data"]["sent_at"] == SENT_AT.isoformat()


def test_a_push_that_shows_nothing_has_no_notification(provider: FcmProvider, google: GoogleService) -> None:
    provider.send([make_push(1, Endpoint("t"), notification=Notification("", ""), ttl=0, urgent=False)])
    [message] = google.taken
    assert "notification" not in message
    assert (message["android"]["priority"], message["android"]["ttl"]) == ("normal", "0s")
    assert message["apns"]["payload"] == {"aps": {"content-available": 1}}
    assert (message["apns"]["headers"]["apns-priority"], message["apns"]["headers"]["apns-expiration"]) == ("5", "0")


def test_a_collapse_key_replaces_on_every_kind_of_device(provider: FcmProvider, google: GoogleService) -> None:
    provider.send([make_push(number, Endpoint("t"), collapse_key="score \u00e4") for number in (1, 2)])
    keys = {
        (one["android"]["collapse_key"], one["apns"]["headers"]["apns-collapse-id"], one["webpush"]["headers"]["Topic"])
        for one in google.taken
    }
    assert len(keys) == 1


def test_bad_devices_are_told_apart(provider: FcmProvider, google: GoogleService) -> None:
    google.gone, google.foreign, google.malformed = {"gone"}, {"foreign"}, {"malformed"}
    pushes = [make_push(n, Endpoint(token)) for n, token in enumerate(["gone", "foreign", "malformed", "good"])]
    assert _words(provider.send(pushes)) == [
        (Result.UNREGISTERED, Scope.DEVICE, "UNREGISTERED"),
        (Result.REJECTED, Scope.DEVICE, "SENDER_ID_MISMATCH"),
        (Result.REJECTED, Scope.DEVICE, "INVALID_ARGUMENT"),
        ACCEPTED,
    ]


def test_one_access_token_serves_until_it_is_nearly_an_hour_old(
    tenant: Tenant, google: GoogleService, server: Server, clock: time_machine.Traveller
) -> None:
    for minutes in (0, 30, 20, 10):
        clock.shift(timedelta(minutes=minutes))
        assert _words(_provider(tenant).send([make_push(1, Endpoint("t"))])) == [ACCEPTED]
    assert google.tokens_given == 2


def test_the_url_in_the_file_is_never_called(tenant: Tenant, google: GoogleService, server: Server) -> None:
    assert ACCOUNT["token_uri"] != google.token_url
    assert _words(_provider(tenant).send([make_push(1, Endpoint("t"))])) == [ACCEPTED]


def test_a_token_that_google_forgot_is_fetched_anew_once(
    provider: FcmProvider, google: GoogleService, clock: time_machine.Traveller
) -> None:
    provider.send([make_push(1, Endpoint("t"))])
    google.tokens.clear()
    clock.shift(timedelta(minutes=1))
    assert _words(provider.send([make_push(n, Endpoint("t")) for n in range(5)])) == [ACCEPTED] * 5
    assert (google.tokens_given, len(google.taken)) == (2, 6)


def test_a_token_that_is_refused_twice_is_the_credentials_fault(
    provider: FcmProvider, server: Server, google: GoogleService, clock: time_machine.Traveller
) -> None:
    provider.send([make_push(1, Endpoint("t"))])
    clock.shift(timedelta(minutes=1))
    refused = Say(error_answer(401).status, error_answer(401).body)
    server.faults = {server.requests + 1: refused, server.requests + 3: refused}
    [outcome] = provider.send([make_push(2, Endpoint("t"))])
    assert _words([outcome]) == [(Result.REJECTED, Scope.CREDENTIAL, "UNAUTHENTICATED")]
    assert google.tokens_given == 2


def test_a_key_that_the_project_lacks_for_apple_holds_back_nobody_else(provider: FcmProvider, server: Server) -> None:
    refused = error_answer(401, "THIRD_PARTY_AUTH_ERROR")
    server.faults = {3: Say(refused.status, refused.body)}
    outcomes = provider.send([make_push(n, Endpoint(f"t{n}")) for n in range(3)])
    assert sorted(_words(outcomes)) == [
        ACCEPTED, ACCEPTED, (Result.THROTTLED, Scope.DEVICE, "THIRD_PARTY_AUTH_ERROR"),
    ]  # fmt: skip
    assert [one.retry_after for one in outcomes if one.result is Result.THROTTLED] == [3_600.0]
    assert _words(provider.send([make_push(9, Endpoint("t9"))])) == [ACCEPTED]


def test_an_account_that_google_does_not_know_is_the_credentials_fault(tenant: Tenant, server: Server) -> None:
    stranger = _provider(tenant, client_email="other@shop-1234.iam.gserviceaccount.com")
    assert _words(stranger.send([make_push(1, Endpoint("t"))])) == [
        (Result.REJECTED, Scope.CREDENTIAL, "invalid_grant")
    ]


def test_a_project_of_somebody_else_is_the_credentials_fault(tenant: Tenant, server: Server) -> None:
    assert _words(_provider(tenant, project_id="other-1234").send([make_push(1, Endpoint("t"))])) == [
        (Result.REJECTED, Scope.CREDENTIAL, "PERMISSION_DENIED")
    ]


def test_without_a_token_nothing_is_sent(tenant: Tenant, server: Server, google: GoogleService) -> None:
    server.faults = {1: Say(503)}
    assert _words(_provider(tenant).send([make_push(1, Endpoint("t"))])) == [
        (Result.UNAVAILABLE, Scope.CREDENTIAL, "503")
    ]
    assert google.taken == []


def test_a_payload_that_is_too_long_is_not_sent(provider: FcmProvider, google: GoogleService) -> None:
    push = make_push(1, Endpoint("t"), notification=Notification("x", "y" * 4_096))
    assert _words(provider.send([push])) == [(Result.REJECTED, Scope.MESSAGE, "PAYLOAD_TOO_LARGE")]
    assert google.taken == []


def test_a_spent_quota_makes_the_next_call_wait_its_turn(provider: FcmProvider, server: Server) -> None:
    server.faults = {3: Say(429, b"{}", {"retry-after": "30"})}
    outcomes = provider.send([make_push(n, Endpoint("t")) for n in range(5)])
    assert [outcome.retry_after for outcome in outcomes if outcome.result is Result.THROTTLED] == [30.0]
    [later] = provider.send([make_push(9, Endpoint("t"))])
    assert _words([later]) == [(Result.THROTTLED, Scope.CREDENTIAL, "paced")]
    assert later.retry_after is not None
    assert 20 < later.retry_after <= 31


def test_a_quota_that_is_spent_again_waits_twice_as_long(
    provider: FcmProvider, server: Server, region: str, tenant: Tenant
) -> None:
    waits = []
    for number in (2, 3):
        server.faults = {number: Say(429, error_answer(429, "QUOTA_EXCEEDED").body)}
        [outcome] = provider.send([make_push(number, Endpoint("t"))])
        waits.append(outcome.retry_after)
        valkey.connect(region).hset(f"push:pace:{{{tenant.pk}:shop-1234}}", "due", 0)
    assert waits == [60.0, 120.0]


def test_faults_in_the_middle_lose_and_repeat_nothing(
    provider: FcmProvider, google: GoogleService, server: Server
) -> None:
    server.faults = {50: Refuse(), 100: GoAway(), 200: Say(503), 300: Cut(), 350: GoAway()}
    outcomes = provider.send([make_push(n, Endpoint(f"t{n}")) for n in range(500)])
    arrived = [message["data"]["msg_id"] for message in google.taken]
    accepted = {outcome.push_id for outcome in outcomes if outcome.result is Result.ACCEPTED}
    unknown = {outcome.push_id for outcome in outcomes if outcome.result is Result.UNKNOWN}
    assert len(arrived) == len(set(arrived))
    assert accepted <= set(arrived) <= accepted | unknown
    assert unknown


def test_without_a_credential_nothing_is_sent(tenant: Tenant, server: Server) -> None:
    provider = FcmProvider(Sender("local", tenant.pk, "app"))
    assert _words(provider.send([make_push(1, Endpoint("t"))])) == [
        (Result.REJECTED, Scope.CREDENTIAL, "no_credential")
    ]
    assert server.requests == 0


def test_a_good_credential_is_believed_by_asking_google(provider: FcmProvider, google: GoogleService) -> None:
    provider.check()
    assert google.taken == []


_SHORT = rsa.generate_private_key(65537, 1024)
_CURVE = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    "changes",
    [
        {"project_id": "../other"},
        {"project_id": None},
        {"client_email": "eve@example.com"},
        {"client_email": "x@y.gserviceaccount.com.evil.example"},
        {"private_key_id": ""},
        {"private_key": "-----BEGIN PRIVATE KEY-----"},
        {"private_key": _SHORT.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()},
        {"private_key": _CURVE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()},
    ],
)
def test_a_file_that_is_no_service_account_is_refused(tenant: Tenant, server: Server, changes: dict[str, Any]) -> None:
    with pytest.raises(CredentialInvalid) as refused:
        _provider(tenant, **changes).check()
    assert list(refused.value.fields) == ["service_account"]
    assert server.requests == 0


@pytest.mark.parametrize(
    "changes", [{"client_email": "other@shop-1234.iam.gserviceaccount.com"}, {"project_id": "other-1234"}]
)
def test_an_account_that_google_refuses_is_refused(tenant: Tenant, server: Server, changes: dict[str, str]) -> None:
    with pytest.raises(CredentialInvalid) as refused:
        _provider(tenant, **changes).check()
    assert list(refused.value.fields) == ["__all__"]


@pytest.mark.parametrize("request_number", [1, 2])
def test_an_account_that_nobody_can_be_asked_about_is_not_called_bad(
    tenant: Tenant, server: Server, request_number: int
) -> None:
    server.faults = {request_number: Say(503)}
    with pytest.raises(NetworkSilent):
        _provider(tenant).check()
