"""What the data plane noted of people becomes their events, once each."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.db import DatabaseError

from apps.audience.models import BehaviourEvent, Subscriber
from apps.audience.services import socket_events
from apps.audience.services.socket_events import take_socket_events
from apps.core import valkey
from apps.realtime import keys
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_valkey")]


def _note(application: Application, user: str, name: str, **properties: str) -> None:
    entry = [application.tenant_id, application.application_id, user, name, properties]
    valkey.connect(application.tenant.home_region).xadd(keys.BEHAVIOUR, {"e": orjson.dumps(entry)})


def _events(tenant: Tenant) -> list[tuple[str, str, Any]]:
    with tenant_scope(tenant):
        events = BehaviourEvent.objects.of(tenant)
        people = {row[0]: row[1] for row in _people(tenant)}
        return [(people[one.subscriber_id], one.name, one.properties) for one in events.order_by("event_id")]


def _people(tenant: Tenant) -> Any:
    return Subscriber.objects.of(tenant).values_list("pk", "external_id")


def test_each_becomes_an_event_of_its_tenants_subscriber(
    tenant: Tenant, application: Application, other_tenant: Tenant, other_application: Application
) -> None:
    _note(application, "ada", "$online")
    _note(other_application, "ada", "$joined", channel="room")
    _note(application, "ada", "$joined", channel="room")

    assert take_socket_events(region=tenant.home_region) == 3

    assert _events(tenant) == [("ada", "$online", {}), ("ada", "$joined", {"channel": "room"})]
    assert _events(other_tenant) == [("ada", "$joined", {"channel": "room"})]
    assert valkey.connect(tenant.home_region).xlen(keys.BEHAVIOUR) == 0


def test_a_crash_before_the_deletion_counts_nothing_twice(
    tenant: Tenant, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    _note(application, "ada", "$online")

    class Crash(Exception):
        pass

    def crash(*_arguments: object) -> None:
        raise Crash

    client = valkey.connect(tenant.home_region)
    with monkeypatch.context() as patched:
        patched.setattr(type(client), "xdel", crash)
        with pytest.raises(Crash):
            take_socket_events(region=tenant.home_region)
    take_socket_events(region=tenant.home_region)

    assert _events(tenant) == [("ada", "$online", {})]


def test_a_database_that_is_away_leaves_them_waiting(
    tenant: Tenant, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    _note(application, "ada", "$online")

    def away(**_arguments: object) -> None:
        raise DatabaseError

    with monkeypatch.context() as patched:
        patched.setattr(socket_events, "record_events", away)
        assert take_socket_events(region=tenant.home_region) == 0
    assert take_socket_events(region=tenant.home_region) == 1
    assert len(_events(tenant)) == 1


def test_what_belongs_to_nobody_any_more_goes(tenant: Tenant, application: Application) -> None:
    gone = Application(tenant=tenant, application_id="404")
    _note(gone, "ada", "$online")
    _note(application, "not an id!", "$online")

    assert take_socket_events(region=tenant.home_region) == 2
    assert _events(tenant) == []
