"""The provider `apns` against a service that refuses what Apple refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.test import override_settings

from apps.providers.apns.provider import ApnsProvider
from apps.providers.base import APPLE_KINDS, Credential, Endpoint, Notification, Outcome, Result, Scope, Sender
from apps.providers.counterparts.apns import AppleService
from apps.providers.counterparts.authority import Authority
from apps.providers.counterparts.faults import Cut, GoAway, Refuse, Say
from apps.providers.counterparts.server import Server
from apps.providers.errors import CredentialInvalid, NetworkSilent
from apps.providers.models import AccessToken
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from tests.providers.factories import SENT_AT, make_push

pytestmark = pytest.mark.django_db

KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
VALUES = {"team_id": "DEF123GHIJ", "key_id": "ABC123DEFG", "bundle_id": "com.example.shop", "private_key": PEM}
ACCEPTED = (Result.ACCEPTED, Scope.NONE, "")


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(SENT_AT, tick=True) as traveller:
        yield traveller


@pytest.fixture
def apple() -> AppleService:
    return AppleService({("DEF123GHIJ", "ABC123DEFG"): PUBLIC}, {"com.example.shop"})


@pytest.fixture
def server(apple: AppleService, trusted: Authority) -> Iterator[Server]:
    with Server(apple, trusted.server_context()) as server:
        urls = {"production": server.origin, "sandbox": server.origin.replace("127.0.0.1", "localhost")}
        with override_settings(APNS_URLS=urls):
            yield server


def _provider(tenant: Tenant, **changes: str) -> ApnsProvider:
    credential = Credential("pcr_1", {**VALUES, **changes})
    return ApnsProvider(Sender("local", tenant.pk, "app", (credential,)))


@pytest.fixture
def provider(tenant: Tenant, server: Server) -> ApnsProvider:
    return _provider(tenant)


def _words(outcomes: list[Outcome]) -> list[tuple[Result, Scope, str]]:
    return [(outcome.result, outcome.scope, outcome.reason) for outcome in outcomes]


def test_a_push_arrives_with_everything_apple_wants(provider: ApnsProvider, apple: AppleService) -> None:
    push = make_push(1, Endpoint("a1b2"), ttl=600)
    [outcome] = provider.send([push])
    assert _words([outcome]) == [ACCEPTED]
    [taken] = apple.taken
    assert (taken.token, taken.id, outcome.provider_message_id) == ("a1b2", str(UUID(push.id)), taken.id)
    assert taken.payload["aps"]["alert"] == {"title": "Hello", "body": "You are number 1"}
    assert taken.payload["pushsaas"]["id"] == push.id
    headers = taken.headers
    assert (headers["apns-push-type"], headers["apns-priority"], headers["apns-topic"]) == (
        "alert", "10", "com.example.shop",
    )  # fmt: skip
    expires = int(headers["apns-expiration"]) - SENT_AT.timestamp()
    assert 600 <= expires < 660


def test_every_kind_of_token_is_pushed_to_as_apple_wants(provider: ApnsProvider, apple: AppleService) -> None:
    kinds = sorted(APPLE_KINDS)
    shown = Notification("Hello", "", data={"mdm": "MAGIC"})
    pushes = [make_push(at, Endpoint(f"a{at}", kind), notification=shown) for at, kind in enumerate(kinds)]
    assert _words(provider.send(pushes)) == [ACCEPTED] * len(kinds)
    assert sorted(taken.headers["apns-push-type"] for taken in apple.taken) == kinds


def test_a_repeat_replaces_what_the_phone_shows(provider: ApnsProvider, apple: AppleService) -> None:
    for _ in range(2):
        provider.send([make_push(1, Endpoint("a1b2"))])
    assert (len(apple.taken), len(apple.shown)) == (2, 1)


@pytest.mark.parametrize("key", ["score", "s" * 64, "s" * 65, "spielstand \u00e4"])
def test_a_collapse_key_of_any_kind_is_taken_and_replaces(
    provider: ApnsProvider, apple: AppleService, key: str
) -> None:
    outcomes = provider.send([make_push(n, Endpoint("a1b2"), collapse_key=key) for n in (1, 2)])
    assert _words(outcomes) == [ACCEPTED] * 2
    assert len(apple.shown) == 1


def test_now_or_never_and_not_urgent_are_said(provider: ApnsProvider, apple: AppleService) -> None:
    provider.send([make_push(1, Endpoint("a1b2"), ttl=0, urgent=False)])
    headers = apple.taken[0].headers
    assert (headers["apns-expiration"], headers["apns-priority"]) == ("0", "5")


def test_a_push_that_shows_nothing_wakes_the_app_only(provider: ApnsProvider, apple: AppleService) -> None:
    silent = make_push(1, Endpoint("a1b2"), notification=Notification("", "", data={"sync": True}))
    assert _words(provider.send([silent])) == [ACCEPTED]
    [taken] = apple.taken
    assert (taken.headers["apns-push-type"], taken.headers["apns-priority"]) == ("background", "5")
    assert taken.payload["aps"] == {"content-available": 1}
    assert taken.payload["pushsaas"]["data"] == {"sync": True}


def test_an_image_asks_the_app_to_fetch_it(provider: ApnsProvider, apple: AppleService) -> None:
    provider.send([make_push(1, Endpoint("a1b2"), notification=Notification("x", "y", "https://shop.example/i.png"))])
    assert apple.taken[0].payload["aps"]["mutable-content"] == 1


def test_each_environment_is_its_own_server(tenant: Tenant, apple: AppleService, trusted: Authority) -> None:
    other = AppleService(apple.keys, apple.topics)
    context = trusted.server_context()
    with Server(apple, context) as production, Server(other, context) as sandbox:
        urls = {"production": production.origin, "sandbox": sandbox.origin}
        with override_settings(APNS_URLS=urls):
            pushes = [make_push(1, Endpoint("a1")), make_push(2, Endpoint("b2", environment="sandbox"))]
            assert _words(_provider(tenant).send(pushes)) == [ACCEPTED] * 2
    assert [taken.token for taken in apple.taken] == ["a1"]
    assert [taken.token for taken in other.taken] == ["b2"]


def test_a_dead_token_is_told_with_its_moment(provider: ApnsProvider, apple: AppleService) -> None:
    moment = SENT_AT - timedelta(days=1)
    apple.gone["a1b2"] = int(moment.timestamp() * 1000)
    [outcome] = provider.send([make_push(1, Endpoint("a1b2"))])
    assert _words([outcome]) == [(Result.UNREGISTERED, Scope.DEVICE, "Unregistered")]
    assert outcome.gone_at == moment


def test_a_token_cannot_leave_its_place_in_the_path(provider: ApnsProvider, apple: AppleService) -> None:
    apple.unknown.add("../device/a1?x=#")
    assert _words(provider.send([make_push(1, Endpoint("../device/a1?x=#"))])) == [
        (Result.REJECTED, Scope.DEVICE, "BadDeviceToken")
    ]


def test_a_payload_that_is_too_long_is_not_sent(provider: ApnsProvider, server: Server) -> None:
    push = make_push(1, Endpoint("a1b2"), notification=Notification("x", "y" * 4_096))
    assert _words(provider.send([push])) == [(Result.REJECTED, Scope.MESSAGE, "PayloadTooLarge")]
    assert server.requests == 0


def test_one_signature_serves_all_and_lies_sealed(tenant: Tenant, apple: AppleService, server: Server) -> None:
    for _ in range(3):
        assert _words(_provider(tenant).send([make_push(1, Endpoint("a1b2"))])) == [ACCEPTED]
    assert len({taken.headers["authorization"] for taken in apple.taken}) == 1
    with tenant_scope(tenant):
        sealed = AccessToken.objects.of(tenant).get(subject="apns:DEF123GHIJ:ABC123DEFG").token_sealed
    assert apple.taken[0].headers["authorization"].removeprefix("bearer ") not in sealed


def test_it_is_signed_anew_before_it_is_an_hour_old(
    tenant: Tenant, apple: AppleService, server: Server, clock: time_machine.Traveller
) -> None:
    for _ in range(13):  # two hours in steps of ten minutes
        assert _words(_provider(tenant).send([make_push(1, Endpoint("a1b2"))])) == [ACCEPTED]
        clock.shift(timedelta(minutes=10))
    assert len({taken.headers["authorization"] for taken in apple.taken}) == 3


def test_an_old_signature_that_apple_refuses_is_replaced_once(
    tenant: Tenant, apple: AppleService, server: Server, clock: time_machine.Traveller
) -> None:
    provider = _provider(tenant)
    provider.send([make_push(1, Endpoint("a1b2"))])
    clock.shift(timedelta(minutes=30))
    server.faults = {2: Say(403, b'{"reason":"ExpiredProviderToken"}')}
    assert _words(provider.send([make_push(n, Endpoint(f"a{n}")) for n in range(5)])) == [ACCEPTED] * 5
    assert len({taken.headers["authorization"] for taken in apple.taken}) == 2
    assert len(apple.taken) == 6


def test_a_young_signature_is_not_replaced_whatever_apple_says(
    tenant: Tenant, apple: AppleService, server: Server
) -> None:
    server.faults = {1: Say(403, b'{"reason":"ExpiredProviderToken"}')}
    provider = _provider(tenant)
    words = _words(provider.send([make_push(n, Endpoint(f"a{n}")) for n in range(5)]))
    assert (Result.UNAVAILABLE, Scope.CREDENTIAL, "ExpiredProviderToken") in words
    assert {result for result, _, _ in words} <= {Result.UNAVAILABLE, Result.ACCEPTED}
    with tenant_scope(tenant):
        assert AccessToken.objects.of(tenant).count() == 1
    assert len({taken.headers["authorization"] for taken in apple.taken}) <= 1


def test_a_refused_key_stops_the_call_and_not_all_are_tried(tenant: Tenant, server: Server) -> None:
    words = _words(_provider(tenant, key_id="WRONGKEY00").send([make_push(n, Endpoint(f"a{n}")) for n in range(100)]))
    assert words.count((Result.REJECTED, Scope.CREDENTIAL, "InvalidProviderToken")) == server.requests
    assert server.requests <= 2
    assert {result for result, _, _ in words} == {Result.REJECTED, Result.UNAVAILABLE}


def test_faults_in_the_middle_lose_and_repeat_nothing(
    provider: ApnsProvider, apple: AppleService, server: Server
) -> None:
    server.faults = {
        50: Refuse(), 100: GoAway(), 150: Say(429, b'{"reason":"TooManyRequests"}', {"retry-after": "5"}),
        200: Say(503, b'{"reason":"ServiceUnavailable"}'), 300: Cut(), 350: GoAway(),
    }  # fmt: skip
    outcomes = provider.send([make_push(n, Endpoint(f"a{n}")) for n in range(600)])
    arrived = [UUID(taken.id).hex for taken in apple.taken]
    accepted = {outcome.push_id for outcome in outcomes if outcome.result is Result.ACCEPTED}
    unknown = {outcome.push_id for outcome in outcomes if outcome.result is Result.UNKNOWN}
    assert len(arrived) == len(set(arrived))
    assert accepted <= set(arrived) <= accepted | unknown
    assert unknown


def test_one_device_that_gets_too_much_waits_alone(provider: ApnsProvider, server: Server) -> None:
    server.faults = {3: Say(429, b'{"reason":"TooManyRequests"}', {"retry-after": "5"})}
    outcomes = provider.send([make_push(n, Endpoint(f"a{n}")) for n in range(6)])
    assert [outcome.retry_after for outcome in outcomes if outcome.result is Result.THROTTLED] == [5.0]
    assert _words(outcomes).count(ACCEPTED) == 5


def test_without_a_credential_nothing_is_sent(tenant: Tenant, server: Server) -> None:
    provider = ApnsProvider(Sender("local", tenant.pk, "app"))
    assert _words(provider.send([make_push(1, Endpoint("a1"))])) == [
        (Result.REJECTED, Scope.CREDENTIAL, "no_credential")
    ]
    assert server.requests == 0


def test_a_good_credential_is_believed_by_asking_apple(provider: ApnsProvider, apple: AppleService) -> None:
    provider.check()
    assert apple.taken == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("team_id", "short"),
        ("key_id", "abc123defg"),
        ("bundle_id", "two words"),
        ("private_key", "-----BEGIN PRIVATE KEY-----"),
        ("private_key", rsa.generate_private_key(65537, 2048)
            .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()),
    ],
)  # fmt: skip
def test_a_credential_of_the_wrong_shape_is_refused_by_field(
    tenant: Tenant, server: Server, field: str, value: str
) -> None:
    with pytest.raises(CredentialInvalid) as refused:
        _provider(tenant, **{field: value}).check()
    assert list(refused.value.fields) == [field]
    assert server.requests == 0


@pytest.mark.parametrize(("field", "value"), [("key_id", "WRONGKEY00"), ("bundle_id", "com.example.other")])
def test_a_credential_that_apple_refuses_is_refused(tenant: Tenant, server: Server, field: str, value: str) -> None:
    with pytest.raises(CredentialInvalid) as refused:
        _provider(tenant, **{field: value}).check()
    assert list(refused.value.fields) == ["__all__"]


def test_a_credential_that_nobody_can_be_asked_about_is_not_called_bad(tenant: Tenant, server: Server) -> None:
    server.faults = {number: Say(503) for number in range(1, 20)}
    with pytest.raises(NetworkSilent):
        _provider(tenant).check()


@pytest.mark.parametrize(("status", "reason"), [(403, "UnrelatedKeyIdInToken"), (503, "Shutdown")])
def test_a_connection_that_apple_is_done_with_is_not_used_again(
    provider: ApnsProvider, server: Server, status: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.providers.apns.provider.CONNECTIONS", 1)
    provider.send([make_push(1, Endpoint("a1"))])
    before = server.connections
    provider.send([make_push(2, Endpoint("a1"))])
    assert server.connections == before
    server.faults = {server.requests + 1: Say(status, json.dumps({"reason": reason}).encode())}
    [outcome] = provider.send([make_push(3, Endpoint("a1"))])
    assert (outcome.result, outcome.reason) == (Result.UNAVAILABLE, reason)
    assert _words(provider.send([make_push(4, Endpoint("a1"))])) == [ACCEPTED]
    assert server.connections == before + 1
