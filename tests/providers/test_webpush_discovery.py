"""An endpoint of UnifiedPush is asked what it is before a device is registered with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings
from rest_framework.test import APIClient

from apps.audience.models import Device
from apps.core.egress import AddressRefused
from apps.providers.counterparts.authority import Authority
from apps.providers.counterparts.faults import Cut, Say
from apps.providers.counterparts.server import Server
from apps.providers.counterparts.webpush import PushService
from apps.providers.webpush.discovery import EndpointSilent, NotUnifiedPush, require_unifiedpush
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from tests.api.helpers import problem

KEYS = {
    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
}


@pytest.fixture
def service() -> PushService:
    return PushService()


@pytest.fixture
def server(service: PushService, trusted: Authority) -> Iterator[Server]:
    with Server(service, trusted.server_context()) as server:
        service.origin = server.origin
        with override_settings(EGRESS_ALLOW=frozenset({server.origin})):
            yield server


def test_a_server_that_says_what_it_is_is_believed(server: Server, service: PushService) -> None:
    require_unifiedpush(service.subscribe("key"))
    assert service.stored == []


@pytest.mark.parametrize(
    "answer",
    [
        Say(200, b"<html>"), Say(200, b'{"unifiedpush":{"version":2}}'), Say(200, b'{"unifiedpush":1}'), Say(404),
        Say(302, b"", {"location": "https://169.254.169.254/latest"}),
        Say(404, b'{"unifiedpush":{"version":1}}'),
    ],
)  # fmt: skip
def test_whatever_is_something_else_is_refused(server: Server, service: PushService, answer: Say) -> None:
    server.faults = {1: answer}
    with pytest.raises(NotUnifiedPush):
        require_unifiedpush(service.subscribe("key"))
    assert server.requests == 1


@pytest.mark.parametrize("fault", [Say(503), Cut()])
def test_a_server_that_is_away_may_be_asked_again(server: Server, service: PushService, fault: Say | Cut) -> None:
    server.faults = {1: fault}
    with pytest.raises(EndpointSilent):
        require_unifiedpush(service.subscribe("key"))


@pytest.mark.parametrize("url", ["https://127.0.0.1/up", "https://169.254.169.254/", "http://push.example.com/"])
def test_no_inner_address_is_asked(url: str) -> None:
    with pytest.raises(AddressRefused):
        require_unifiedpush(url)


@pytest.mark.django_db
def test_a_device_is_registered_only_with_such_a_server(
    api: APIClient, server: Server, service: PushService, tenant: Tenant
) -> None:
    body = {"external_id": "ann", "platform": "unifiedpush", "address": service.subscribe("key"), "keys": KEYS}
    assert api.post("/api/v1/devices", body).status_code == 201
    server.faults = {2: Say(200, b"a page of somebody")}
    problem(api.post("/api/v1/devices", {**body, "external_id": "bob"}), 400, "not_unifiedpush")
    browser = {**body, "platform": "web", "address": service.subscribe("key")}
    assert api.post("/api/v1/devices", browser).status_code == 201
    assert server.requests == 2
    with tenant_scope(tenant):
        assert sorted(device.subscriber.external_id for device in Device.objects.of(tenant)) == ["ann", "ann"]
