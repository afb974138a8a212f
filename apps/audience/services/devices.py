"""Registering devices, and moving them between people."""

from __future__ import annotations

from django.db import connection

from apps.audience.addresses import DeviceIn, hash_of, read_device
from apps.audience.models import REACHABLE, Device, Subscriber
from apps.audience.services.subscribers import upsert_subscriber
from apps.core import clock
from apps.core.egress import AddressRefused, read_url
from apps.tenants.models import Application, Tenant

#: Reachable devices of one person. A browser that is reinstalled leaves its old subscription behind, so the oldest go.
MAX_DEVICES = 50


def register_device(
    *, tenant: Tenant, application: Application, external_id: str, device: DeviceIn
) -> tuple[Device, bool]:
    """The device with this address (or of this installation), now this person's and alive. And whether it is new.

    Call it whenever the app starts: it is how a token proves that it lives. The person is created when unknown.
    Raises DeviceInvalid, AddressRefused, SubscriberInvalid.
    """
    assert application.tenant_id == tenant.pk
    values = read_device(device)
    subscriber, _ = upsert_subscriber(tenant=tenant, application=application, person={"external_id": external_id})
    _wait_for_others(application, values)
    known = _known(application, values)
    now = clock.now()
    fresh = {
        **values, "subscriber": subscriber, "registered_at": now, "strikes": 0, "last_strike_at": None,
        "quarantined_at": None, "retired_at": None, "retired_reason": "",
    }  # fmt: skip
    if known is None:
        registered = Device.objects.create(tenant=tenant, application=application, **fresh)
    else:
        registered = known.changed(**fresh)
    _retire_oldest(subscriber)
    return registered, known is None


def move_device(*, tenant: Tenant, device: Device, external_id: str) -> Device:
    """Gives the device to another person of the same application: somebody else signed in on it."""
    assert device.tenant_id == tenant.pk
    subscriber, _ = upsert_subscriber(
        tenant=tenant, application=device.application, person={"external_id": external_id}
    )
    moved = device.changed(subscriber=subscriber)
    _retire_oldest(subscriber)
    return moved


def change_address(*, tenant: Tenant, device_id: int, address: str) -> bool:
    """The network named a new endpoint for this device. False when it may not be called or another device has it."""
    try:
        url = read_url(address).url
    except AddressRefused:
        return False
    found = Device.objects.of(tenant).filter(pk=device_id).select_for_update().first()
    if found is None:
        return False
    taken = Device.objects.of(tenant).filter(
        application_id=found.application_id, provider=found.provider, address_hash=hash_of(url)
    )
    if taken.exclude(pk=found.pk).exists():
        return False
    found.changed(address=url, address_hash=hash_of(url))
    return True


def delete_device(*, tenant: Tenant, device: Device) -> None:
    Device.objects.of(tenant).filter(pk=device.pk).delete()


def _wait_for_others(application: Application, values: dict[str, str]) -> None:
    """One registration at a time of a token and of an installation: of two at once, both would insert."""
    names = [
        f"{application.pk}:{values['provider']}:{values[column]}" for column in ("address_hash", "installation_id")
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(key) FROM ("
            "SELECT hashtextextended(name, 0) AS key FROM unnest(%s::text[]) AS name ORDER BY 1) AS ordered",
            [names if values["installation_id"] else names[:1]],
        )


def _known(application: Application, values: dict[str, str]) -> Device | None:
    """The row this registration is about. An app that reports a token of another row takes that row's place."""
    same_network = Device.objects.of(application.tenant_id).filter(application=application, provider=values["provider"])
    by_address = same_network.filter(address_hash=values["address_hash"]).select_for_update().first()
    if not values["installation_id"]:
        return by_address
    installed = same_network.filter(installation_id=values["installation_id"]).select_for_update().first()
    if installed is None or by_address is None or installed.pk == by_address.pk:
        return installed or by_address
    by_address.delete()
    return installed


def _retire_oldest(subscriber: Subscriber) -> None:
    reachable = Device.objects.of(subscriber.tenant_id).filter(REACHABLE, subscriber=subscriber)
    surplus = list(reachable.order_by("-registered_at", "-id").values_list("pk", flat=True)[MAX_DEVICES:])
    if surplus:
        now = clock.now()
        reachable.filter(pk__in=surplus).update(retired_at=now, retired_reason="too_many", updated_at=now)
