"""Devices: one row per address and installation, retired on proof only, quarantined on repeated suspicion."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection

from apps.audience.addresses import DeviceIn
from apps.audience.errors import DeviceInvalid
from apps.audience.models import Device
from apps.audience.queries import find_devices
from apps.audience.services.device_health import (
    STRIKE_EVERY,
    clear_strikes,
    restore_devices,
    retire_devices,
    strike_devices,
)
from apps.audience.services.devices import MAX_DEVICES, change_address, move_device, register_device
from apps.core.egress import AddressRefused
from apps.core.errors import HouseError
from apps.providers.registry import needs_of, provider_names
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PHONE = DeviceIn("ios", "a1b2c3")
BROWSER = DeviceIn(
    "web", "https://updates.push.services.mozilla.com/wpush/v2/abc",
    public_key="BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    auth_secret="BTBZMqHH6r4Tts7J_aSIgg",
)  # fmt: skip


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def _register(tenant: Tenant, application: Application, device: DeviceIn = PHONE, who: str = "ann") -> Device:
    return register_device(tenant=tenant, application=application, external_id=who, device=device)[0]


def test_a_registration_makes_the_person_and_the_device(scope: Tenant, application: Application) -> None:
    device, is_new = register_device(tenant=scope, application=application, external_id="ann", device=PHONE)
    assert is_new
    assert (device.subscriber.external_id, device.provider, device.address_kind) == ("ann", "apns", "token")
    assert (device.environment, device.registered_at) == ("production", NOW)


@pytest.mark.parametrize("maker", ["huawei", "harmony", "honor", "xiaomi", "oppo", "vivo", "meizu"])
def test_a_phone_is_reached_by_its_makers_route(scope: Tenant, application: Application, maker: str) -> None:
    device = _register(scope, application, DeviceIn(maker, "a1b2c3"))
    assert (device.platform, device.provider, device.address_kind) == (maker, maker, "token")
    assert maker in provider_names()
    assert needs_of(maker).platforms == (maker,)


def test_a_repeated_registration_is_the_same_device_and_proves_that_it_lives(
    scope: Tenant, application: Application, clock: time_machine.Traveller
) -> None:
    first = _register(scope, application)
    retire_devices(tenant=scope, gone={first.pk: (NOW + timedelta(seconds=1), "Unregistered")})
    clock.shift(timedelta(hours=1))
    again = _register(scope, application)
    assert again.pk == first.pk
    assert (again.retired_at, again.retired_reason, again.registered_at) == (None, "", NOW + timedelta(hours=1))
    assert Device.objects.of(scope).count() == 1


def test_a_token_that_another_person_registers_moves_to_them(scope: Tenant, application: Application) -> None:
    first = _register(scope, application)
    second = _register(scope, application, who="bob")
    assert (second.pk, second.subscriber.external_id) == (first.pk, "bob")


def test_an_installation_keeps_its_row_when_its_address_changes_kind(scope: Tenant, application: Application) -> None:
    app = DeviceIn("android", "old-token", installation_id="inst-1")
    first = _register(scope, application, app)
    second = _register(scope, application, replace(app, address="new-fid", address_kind="fid"))
    assert (second.pk, second.address, second.address_kind) == (first.pk, "new-fid", "fid")


def test_an_installation_that_reports_the_token_of_another_row_takes_its_place(
    scope: Tenant, application: Application
) -> None:
    app = DeviceIn("android", "token-1", installation_id="inst-1")
    kept = _register(scope, application, app)
    _register(scope, application, DeviceIn("android", "token-2"))
    assert _register(scope, application, replace(app, address="token-2")).pk == kept.pk
    assert list(Device.objects.of(scope).values_list("address", flat=True)) == ["token-2"]


def test_the_same_address_is_another_device_in_another_network_and_for_the_neighbour(
    tenant: Tenant, application: Application, other_application: Application, other_tenant: Tenant
) -> None:
    with tenant_scope(tenant):
        _register(tenant, application)
        _register(tenant, application, replace(PHONE, provider="fcm"))
    with tenant_scope(other_tenant):
        _register(other_tenant, other_application)
        assert Device.objects.of(other_tenant).count() == 1
    with tenant_scope(tenant):
        assert Device.objects.of(tenant).count() == 2


def test_of_too_many_devices_the_oldest_retire(
    scope: Tenant, application: Application, clock: time_machine.Traveller
) -> None:
    for number in range(MAX_DEVICES + 2):
        clock.shift(timedelta(seconds=1))
        _register(scope, application, DeviceIn("ios", f"token-{number}"))
    retired = Device.objects.of(scope).exclude(retired_at=None).order_by("id")
    assert list(retired.values_list("address", "retired_reason")) == [("token-0", "too_many"), ("token-1", "too_many")]


@pytest.mark.parametrize(
    ("device", "field"),
    [
        (DeviceIn("toaster", "x"), "platform"),
        (DeviceIn("ios", ""), "address"),
        (DeviceIn("ios", "with space"), "address"),
        (DeviceIn("ios", "a\nb"), "address"),
        (DeviceIn("ios", "x" * 4_097), "address"),
        (DeviceIn("ios", "\u00e9"), "address"),
        (DeviceIn("huawei", "token", address_kind="fid"), "address_kind"),
        (replace(PHONE, address_kind="url"), "address_kind"),
        (replace(PHONE, environment="staging"), "environment"),
        (replace(PHONE, provider="../apns"), "provider"),
        (replace(PHONE, installation_id="x" * 129), "installation_id"),
        (replace(BROWSER, public_key="AAAA"), "public_key"),
        (replace(BROWSER, auth_secret=""), "public_key"),
        (replace(BROWSER, address="https://127.0.0.1/"), "address"),
        (replace(BROWSER, address="http://push.example.com/"), "address"),
        (replace(BROWSER, address_kind="token"), "address_kind"),
        (replace(BROWSER, sender_key="a b"), "sender_key"),
    ],
)
def test_what_no_network_could_use_is_refused_and_nothing_is_made(
    scope: Tenant, application: Application, device: DeviceIn, field: str
) -> None:
    with pytest.raises((DeviceInvalid, AddressRefused)) as refused:
        _register(scope, application, device)
    assert isinstance(refused.value, HouseError)
    assert list(refused.value.fields) == [field]
    assert not find_devices(application=application).exists()


def test_a_browser_is_registered_with_its_keys(scope: Tenant, application: Application) -> None:
    device = _register(scope, application, replace(BROWSER, public_key=BROWSER.public_key + "="))
    assert (device.provider, device.address_kind) == ("webpush", "url")
    assert (device.public_key, device.auth_secret) == (BROWSER.public_key, BROWSER.auth_secret)


def test_moving_gives_the_device_to_somebody_else(scope: Tenant, application: Application) -> None:
    device = _register(scope, application)
    assert move_device(tenant=scope, device=device, external_id="bob").subscriber.external_id == "bob"


@pytest.mark.parametrize(("seconds", "retired"), [(-1, False), (0, False), (1, True)])
def test_only_a_death_after_the_registration_retires(
    scope: Tenant, application: Application, seconds: int, retired: bool
) -> None:
    device = _register(scope, application)
    gone_at = NOW + timedelta(seconds=seconds)
    assert retire_devices(tenant=scope, gone={device.pk: (gone_at, "Unregistered")}) == retired
    assert (device.refreshed().retired_at is not None) == retired
    assert device.retired_reason == ("Unregistered" if retired else "")


def test_another_tenants_device_is_not_touched(tenant: Tenant, application: Application, other_tenant: Tenant) -> None:
    with tenant_scope(tenant):
        device = _register(tenant, application)
    with tenant_scope(other_tenant):
        assert retire_devices(tenant=other_tenant, gone={device.pk: (NOW + timedelta(days=1), "Unregistered")}) == 0
        assert strike_devices(tenant=other_tenant, device_ids=[device.pk]) == 0
    with tenant_scope(tenant):
        assert (device.refreshed().retired_at, device.strikes) == (None, 0)


def test_two_strikes_a_day_apart_are_a_quarantine_and_many_at_once_are_not(
    scope: Tenant, application: Application, clock: time_machine.Traveller
) -> None:
    device = _register(scope, application)
    counted = []
    for wait in (timedelta(0), timedelta(minutes=1), STRIKE_EVERY - timedelta(minutes=2), timedelta(minutes=1)):
        clock.shift(wait)
        counted.append(strike_devices(tenant=scope, device_ids=[device.pk]))
    assert counted == [1, 0, 0, 1]
    assert device.refreshed().strikes == 2
    assert device.quarantined_at == NOW + STRIKE_EVERY


def test_a_success_between_two_strikes_forgives(
    scope: Tenant, application: Application, clock: time_machine.Traveller
) -> None:
    device = _register(scope, application)
    strike_devices(tenant=scope, device_ids=[device.pk])
    clock.shift(STRIKE_EVERY)
    clear_strikes(tenant=scope, device_ids=[device.pk])
    strike_devices(tenant=scope, device_ids=[device.pk])
    assert (device.refreshed().strikes, device.quarantined_at) == (1, None)
    assert device.last_accepted_at == NOW + STRIKE_EVERY


def test_what_a_provider_did_that_is_not_believed_any_more_is_taken_back(
    scope: Tenant, application: Application, clock: time_machine.Traveller
) -> None:
    before, after, struck = (_register(scope, application, DeviceIn("ios", token)) for token in ("a", "b", "c"))
    clock.shift(timedelta(hours=1))
    retire_devices(tenant=scope, gone={before.pk: (NOW + timedelta(minutes=5), "Unregistered")})
    clock.shift(timedelta(hours=1))
    since = NOW + timedelta(hours=2)
    retire_devices(tenant=scope, gone={after.pk: (since, "Unregistered")})
    strike_devices(tenant=scope, device_ids=[struck.pk])
    assert restore_devices(tenant=scope, application=application, provider="apns", since=since) == 2
    assert restore_devices(tenant=scope, application=application, provider="fcm", since=NOW) == 0
    assert [one.refreshed().retired_at is None for one in (before, after, struck)] == [False, True, True]
    assert struck.strikes == 0


def test_a_new_address_that_the_network_names_is_kept_when_it_may_be_called(
    scope: Tenant, application: Application
) -> None:
    device = _register(scope, application, BROWSER)
    taken = _register(scope, application, replace(BROWSER, address="https://push.example.com/taken"))
    assert change_address(tenant=scope, device_id=device.pk, address="https://push.example.com/new")
    assert device.refreshed().address == "https://push.example.com/new"
    for address in ("https://10.0.0.1/", taken.address):
        assert not change_address(tenant=scope, device_id=device.pk, address=address)
    assert device.refreshed().address == "https://push.example.com/new"
    assert not change_address(tenant=scope, device_id=0, address="https://push.example.com/x")


@pytest.mark.django_db(transaction=True)
def test_two_registrations_of_one_token_at_once_make_one_device(tenant: Tenant, application: Application) -> None:
    def register(number: int) -> None:
        try:
            with tenant_scope(tenant):
                _register(tenant, application, replace(PHONE, installation_id="inst"), who=f"person-{number % 3}")
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(register, range(12)))
    with tenant_scope(tenant):
        assert Device.objects.of(tenant).count() == 1
