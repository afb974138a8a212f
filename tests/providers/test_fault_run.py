"""Pushes through the whole pipeline while the network does everything wrong: none is lost, none is repeated.

A push is lost when the ledger says that it was accepted and it never arrived, or says nothing at all. It is repeated
when it arrives twice, which at-most-once forbids whatever happened. `make chaos-push` runs 50,000 (PUSHES=, SEED=).
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.db import connection
from django.test import override_settings

from apps.audience.models import Subscriber
from apps.core import clock
from apps.messaging.ledger import steps as ledger
from apps.messaging.ledger.states import UnknownPolicy
from apps.messaging.ledger.tallies import Tally
from apps.messaging.models import Chunk, Delivery, Message
from apps.messaging.queries import differences
from apps.messaging.sending import slices
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.services.messages import open_message
from apps.providers import breaker
from apps.providers.apns.provider import CONNECTIONS
from apps.providers.counterparts.apns import AppleService
from apps.providers.counterparts.authority import Authority
from apps.providers.counterparts.faults import Cut, Fault, GoAway, Refuse, Reset, Say, Slow
from apps.providers.counterparts.server import Server
from apps.providers.credentials import save_credential
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker", "clean_valkey")]

PUSHES = int(os.environ.get("PUSHES", "2000"))
SEED = int(os.environ.get("SEED") or "20261123")
_CHUNK = 1_000
_GONE_EVERY = 100

_KEY = ec.generate_private_key(ec.SECP256R1())
_VALUES = {
    "team_id": "DEF123GHIJ", "key_id": "ABC123DEFG", "bundle_id": "com.example.shop",
    "private_key": _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
}  # fmt: skip
_PUBLIC = _KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

_PEOPLE = """
INSERT INTO audience_subscriber (tenant_id, application_id, external_id, attributes, tags, language, timezone,
    created_at, updated_at)
SELECT %(tenant)s, %(application)s, 'phone-' || n, jsonb_build_object('name', 'Name ' || n), '{}', 'en', 'UTC', now(),
    now() FROM generate_series(1, %(count)s) AS n
"""
_DEVICES = """
INSERT INTO audience_device (tenant_id, application_id, subscriber_id, platform, provider, address, address_hash,
    address_kind, installation_id, environment, public_key, auth_secret, sender_key, registered_at, strikes,
    retired_reason, created_at, updated_at)
SELECT tenant_id, application_id, id, 'ios', 'apns', external_id, external_id, 'token', '', 'production', '', '', '',
    now() - interval '1 day', 0, '', now(), now() FROM audience_subscriber WHERE tenant_id = %(tenant)s
"""


@dataclass(frozen=True, slots=True)
class World:
    apple: AppleService
    server: Server
    message: Message


@pytest.fixture
def world(application: Application, trusted: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """PUSHES people with a phone each, and a planned message to them."""
    monkeypatch.setattr(slices, "uniform", lambda _low, _high: 0.0)  # what has to wait is made due by the test
    monkeypatch.setattr(breaker, "FIRST", 0.05)  # a cut opens the circuit, and that is waited for
    apple = AppleService({("DEF123GHIJ", "ABC123DEFG"): _PUBLIC}, {"com.example.shop"})
    with Server(apple, trusted.server_context()) as server, override_settings(APNS_URLS={"production": server.origin}):
        save_credential(tenant=application.tenant, application=application, provider="apns", name="Key", values=_VALUES)
        yield World(apple, server, _planned(application))


def _planned(application: Application) -> Message:
    tenant = application.tenant
    with tenant_scope(tenant):
        with connection.cursor() as cursor:
            cursor.execute(_PEOPLE, {"tenant": tenant.pk, "application": application.pk, "count": PUSHES})
            cursor.execute(_DEVICES, {"tenant": tenant.pk})
        message = open_message(
            tenant=tenant, application=application, content={"en": {"title": "Hi {{ subscriber.name }}"}},
            routes=["apns"], unknown_policy=UnknownPolicy.AT_MOST_ONCE,
        )  # fmt: skip
        people = list(Subscriber.objects.in_application(application).order_by("pk").values_list("pk", flat=True))
        for number, start in enumerate(range(0, len(people), _CHUNK)):
            ledger.plan_deliveries(
                tenant_id=tenant.pk, message_id=message.pk, number=number, route="apns", due_at=clock.now(),
                due=people[start : start + _CHUNK],
            )  # fmt: skip
        tally = Tally(tenant.pk, message.pk)
        tally.add("planned", [""] * len(people), route="apns", at=clock.now())
        tally.write()
    return message


def _faults(random_: random.Random, first: int) -> dict[int, Fault]:
    """One request in fifty, over the whole run. A cut takes a connection's other requests with it, so it is rare."""
    many: list[Fault] = [
        Say(429, json.dumps({"reason": "TooManyRequests"}).encode(), {"retry-after": "1"}),
        Say(503, json.dumps({"reason": "ServiceUnavailable"}).encode()),
        Say(500, json.dumps({"reason": "InternalServerError"}).encode()),
        Reset(), Refuse(), Slow(0.2),
    ]  # fmt: skip
    few: list[Fault] = [GoAway(), Cut()]
    numbers = random_.sample(range(first, first + PUSHES), PUSHES // 50)
    rare = max(2, PUSHES // 5_000)
    return {number: few[at % len(few)] if at < rare else many[at % len(many)] for at, number in enumerate(numbers)}


def _drain(message: Message) -> None:
    """Until nothing is left, waiting for the circuit and for nothing else."""
    for _round in range(100):
        send_due_chunks(seconds=600)
        with tenant_scope(message.tenant_id):
            waiting = Chunk.objects.of(message.tenant_id).filter(message=message, is_done=False)
            if not waiting.update(due_at=clock.now()):
                return
        time.sleep(0.1)
    raise AssertionError("it does not end")


def _ledger(message: Message) -> dict[str, str]:
    """Device token -> state. A token is its owner's external id."""
    with tenant_scope(message.tenant_id):
        names = dict(Subscriber.objects.of(message.tenant_id).values_list("pk", "external_id"))
        rows = Delivery.objects.of(message.tenant_id).filter(message=message)
        return {names[number]: state for number, state in rows.values_list("subscriber_id", "state")}


def test_nothing_is_lost_and_nothing_is_repeated(world: World) -> None:
    print(f"SEED={SEED} PUSHES={PUSHES}")
    gone = {f"phone-{number}" for number in range(1, PUSHES + 1, _GONE_EVERY)}
    milliseconds = int(clock.now().timestamp() * 1000)
    world.apple.gone.update(dict.fromkeys(gone, milliseconds))
    world.server.faults.update(_faults(random.Random(SEED), world.server.requests + 1))
    _drain(world.message)
    states = _ledger(world.message)
    arrived = Counter(taken.token for taken in world.apple.taken)
    counts = Counter(states.values())
    print(dict(counts), f"requests={world.server.requests} connections={world.server.connections}")
    assert len(states) == PUSHES
    assert set(counts) <= {"accepted", "unregistered", "unknown"}
    assert max(arrived.values()) == 1
    accepted = {token for token, state in states.items() if state == "accepted"}
    unknown = {token for token, state in states.items() if state == "unknown"}
    assert accepted <= set(arrived) <= accepted | unknown
    assert {token for token, state in states.items() if state == "unregistered"} <= gone
    assert not arrived.keys() & gone
    assert 0 < len(unknown) < PUSHES // 2
    with tenant_scope(world.message.tenant_id):
        assert differences(world.message) == {}


def test_connections_are_kept_from_chunk_to_chunk(world: World) -> None:
    with tenant_scope(world.message.tenant_id):
        assert Chunk.objects.of(world.message.tenant_id).filter(message=world.message).count() > 1
    _drain(world.message)
    assert set(_ledger(world.message).values()) == {"accepted"}
    assert world.server.connections == CONNECTIONS
