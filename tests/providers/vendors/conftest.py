"""A stand-in that runs for the length of a test, and a provider that sends to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import time_machine
from django.conf import settings
from django.test import override_settings

from apps.providers.base import Credential, Endpoint, Outcome, Push, Result, Scope, Sender
from apps.providers.counterparts.authority import Authority
from apps.providers.counterparts.server import Server
from apps.providers.counterparts.vendors.common import VendorService
from apps.providers.registry import open_provider
from apps.providers.vendors.provider import VendorProvider
from apps.tenants.models import Tenant
from tests.providers.factories import SENT_AT, make_push
from tests.providers.vendors.phones import PHONES, Phone


@dataclass
class Bench:
    """A vendor, its stand-in, and a tenant who sends."""

    phone: Phone
    service: VendorService
    server: Server
    tenant: Tenant

    def provider(self, **changes: str) -> VendorProvider:
        credential = Credential("pcr_1", {**self.phone.values, **changes})
        provider = open_provider(self.phone.name, Sender("local", self.tenant.pk, "app", (credential,)))
        assert isinstance(provider, VendorProvider)
        return provider

    def push(self, number: int = 0, **changes: object) -> Push:
        return make_push(number, Endpoint(self.phone.device(number)), **changes)

    def same(self, count: int, **changes: object) -> list[Push]:
        """Pushes of one content."""
        shown = make_push(0).notification
        return [self.push(number, notification=shown, **changes) for number in range(count)]


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(SENT_AT, tick=True) as traveller:
        yield traveller


@pytest.fixture(params=list(PHONES))
def bench(request: pytest.FixtureRequest, tenant: Tenant, trusted: Authority) -> Iterator[Bench]:
    """For each vendor, or for the one that a test names."""
    phone = PHONES[request.param]
    service = phone.service()
    with Server(service, trusted.server_context(), max_streams=100) as server:
        urls = dict.fromkeys(settings.VENDOR_URLS, server.origin)
        urls |= {"huawei_token": f"{server.origin}/oauth2/v3/token", "honor_token": f"{server.origin}/auth/token"}
        with override_settings(VENDOR_URLS=urls):
            yield Bench(phone, service, server, tenant)


def words(outcomes: list[Outcome]) -> list[tuple[Result, Scope, str]]:
    return [(outcome.result, outcome.scope, outcome.reason) for outcome in outcomes]


ACCEPTED = (Result.ACCEPTED, Scope.NONE, "")
