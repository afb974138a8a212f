"""The phones page: what the stand-ins of the push networks took for this application, and this browser as one more."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.audience.addresses import DeviceIn, hash_of
from apps.audience.models import REACHABLE, Device, Subscriber
from apps.audience.services.devices import register_device
from apps.core.errors import InvalidInput
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.errors import NoApplication
from apps.dashboard.live.faults import standing
from apps.providers.counterparts.subscribing import shown_after, subscribe_browser
from apps.providers.credentials import ensure_vapid_credential, open_credential
from apps.providers.webpush.vapid import public_key_of
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope

#: Phones shown before anything came.
_PHONES = 50


@page("console.publish", in_scope=False)
@require_safe
def phones(request: DashboardRequest) -> HttpResponse:
    application = _application(request)
    with tenant_scope(request.tenant):
        key_id, key = _sender_key(request, application)
        known = Device.objects.of(request.tenant).filter(REACHABLE, application=application)
        shown = [_as_told(device) for device in known.select_related("subscriber").order_by("pk")[:_PHONES]]
    form, spoiled = standing()
    context = {
        "fault_form": form,
        "spoiled": spoiled,
        "known": json.dumps(shown),
        "key": key,
        "key_id": key_id,
        "push": "local" if settings.STAND_INS_URL else "real",
        "has_stand_ins": bool(settings.STAND_INS_URL),
    }
    return render(request, "dashboard/live/phones.html", context)


@page("console.publish", in_scope=False)
@require_safe
def phones_feed(request: DashboardRequest) -> JsonResponse:
    """`notices` after the number in `after`, each with the phone it is for: only devices of the chosen application."""
    application = _application(request)
    after = request.GET.get("after", "0")
    if not settings.STAND_INS_URL or not after.isdecimal():
        return JsonResponse({"notices": [], "next": 0})
    told = shown_after(int(after[:18]))
    with tenant_scope(request.tenant):
        by_place = _phones_of(application, told["notices"]) | _people_of(application, told["notices"])
    notices = [
        {**notice, **by_place[place]}
        for notice in told["notices"]
        if (place := (notice["network"], notice["device"])) in by_place
    ]
    for notice in notices:
        del notice["device"]  # whoever has the address can send
    return JsonResponse({"notices": notices, "next": told["next"]})


@page("console.publish", in_scope=False)
@require_POST
def phones_browser(request: DashboardRequest) -> JsonResponse:
    """Registers the browser that asks, for form field `external_id`. `subscription`: PushSubscription as JSON; without
    one the stand-in makes it. Raises InvalidInput, DeviceInvalid, AddressRefused, NetworkSilent."""
    application = _application(request)
    with tenant_scope(request.tenant):
        key_id, key = _sender_key(request, application)
    device = _browser(request, key_id, key)
    with tenant_scope(request.tenant):
        made, _new = register_device(
            tenant=request.tenant, application=application, external_id=request.POST.get("external_id", ""),
            device=device,
        )  # fmt: skip
        return JsonResponse(_as_told(made))


def _phones_of(application: Application, notices: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    addresses = {hash_of(notice["device"]) for notice in notices}
    owned = Device.objects.of(application.tenant_id).filter(application=application, address_hash__in=addresses)
    return {(one.provider, one.address): _as_told(one) for one in owned.select_related("subscriber")}


def _people_of(application: Application, notices: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Whom the tenant's own server got something for: it names the application and the person."""
    told = {notice["device"] for notice in notices if notice["network"] == "webhook"}
    mine = {one.partition(" ")[2] for one in told if one.partition(" ")[0] == application.application_id}
    people = Subscriber.objects.in_application(application).filter(external_id__in=mine)
    return {
        ("webhook", f"{application.application_id} {person.external_id}"): {
            "device_id": f"webhook-{person.public_id}", "person": person.external_id, "platform": "server",
            "network": "webhook",
        }
        for person in people
    }  # fmt: skip


def _application(request: DashboardRequest) -> Application:
    if request.application is None:
        raise NoApplication
    return request.application


def _sender_key(request: DashboardRequest, application: Application) -> tuple[str, str]:
    """Public id and public key of the VAPID key that browsers subscribe with now. Inside the scope."""
    subject = settings.PUBLIC_URL if settings.PUBLIC_URL.startswith("https://") else f"mailto:{request.user.email}"
    made = ensure_vapid_credential(tenant=request.tenant, application=application, subject=subject)
    opened = open_credential(tenant=request.tenant, credential=made)
    return opened.id, public_key_of(opened.values["private_key"])


def _browser(request: DashboardRequest, key_id: str, key: str) -> DeviceIn:
    given = request.POST.get("subscription", "")
    if not given and settings.STAND_INS_URL:
        made = subscribe_browser(key)
        return DeviceIn(
            "web", made.endpoint, public_key=made.p256dh, auth_secret=made.auth, sender_key=key_id
        )  # fmt: skip
    try:
        told = json.loads(given)
        endpoint, keys = str(told["endpoint"]), told["keys"]
        return DeviceIn(
            "web", endpoint, public_key=str(keys["p256dh"]), auth_secret=str(keys["auth"]), sender_key=key_id
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        raise InvalidInput(fields={"subscription": [_("This is no subscription of a browser.")]}) from None


def _as_told(device: Device) -> dict[str, Any]:
    return {
        "device_id": device.public_id, "person": device.subscriber.external_id, "platform": device.platform,
        "network": device.provider,
    }  # fmt: skip
