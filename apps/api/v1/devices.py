"""`/api/v1/devices`: the installations and browsers that push networks reach, and whose they are."""

from __future__ import annotations

from email.utils import parseaddr
from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response

from apps.api.base import PAGE_PARAMETERS, ApiRequest, ApiView, BodySerializer, page_of
from apps.audience.addresses import MAX_ADDRESS, DeviceIn
from apps.audience.models import AddressKind, Device, Environment, Platform
from apps.audience.queries import find_devices
from apps.audience.services.devices import delete_device, move_device, register_device
from apps.providers.base import Credential
from apps.providers.credentials import WEBPUSH, ensure_vapid_credential, open_credentials
from apps.providers.webpush.discovery import require_unifiedpush
from apps.providers.webpush.vapid import public_key_of

_FILTERS = [
    OpenApiParameter("external_id", str, description="Only this person's."),
    OpenApiParameter("provider", str, description="Only those reached by this route."),
]


class DeviceSerializer(serializers.Serializer[Device]):
    """The address itself is not given back: who has it can send."""

    id = serializers.CharField(source="public_id")
    external_id = serializers.CharField(source="subscriber.external_id")
    platform = serializers.CharField()
    provider = serializers.CharField()
    address_kind = serializers.CharField()
    installation_id = serializers.CharField(allow_blank=True)
    environment = serializers.CharField()
    sender_key = serializers.CharField(allow_blank=True)
    registered_at = serializers.DateTimeField()
    last_accepted_at = serializers.DateTimeField(allow_null=True)
    quarantined_at = serializers.DateTimeField(
        allow_null=True, help_text="Not sent to since then: the network refused its address repeatedly."
    )
    retired_at = serializers.DateTimeField(allow_null=True, help_text="Not sent to since then: the address is gone.")
    retired_reason = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()


class Subscription(BodySerializer):
    """A browser's keys, as `PushSubscription.toJSON().keys` gives them."""

    p256dh = serializers.CharField(max_length=100)
    auth = serializers.CharField(max_length=32)


class DeviceBody(BodySerializer):
    external_id = serializers.CharField(help_text="Whose it is. Created when unknown.")
    platform = serializers.ChoiceField(choices=Platform.values)
    address = serializers.CharField(max_length=MAX_ADDRESS, help_text="Token, installation id, or endpoint URL.")
    provider = serializers.CharField(
        required=False, default="", max_length=16, help_text="The route that reaches it; by default the platform's own."
    )
    address_kind = serializers.ChoiceField(required=False, default="", choices=["", *AddressKind.values])
    installation_id = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=128,
        help_text="Keeps the device when its token changes.",
    )
    environment = serializers.ChoiceField(required=False, default=Environment.PRODUCTION, choices=Environment.values)
    keys = Subscription(required=False, allow_null=True, default=None)
    sender_key = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=40,
        help_text="Id of the VAPID key that the browser subscribed with; by default the current one.",
    )  # fmt: skip


class DeviceChanges(BodySerializer):
    external_id = serializers.CharField(help_text="Whose it is now.")


class WebPushKeySerializer(serializers.Serializer[Credential]):
    id = serializers.CharField(help_text="Send it back as `sender_key` of the devices that subscribe with this key.")
    public_key = serializers.SerializerMethodField(help_text="What a page passes as `applicationServerKey`.")

    def get_public_key(self, credential: Credential) -> str:
        return public_key_of(credential.values["private_key"])


class WebPushKey(ApiView):
    permissions = {"GET": "audience.read"}

    @extend_schema(operation_id="get_web_push_key", responses=WebPushKeySerializer)
    def get(self, request: ApiRequest) -> Response:
        """The key with which browsers subscribe to this application now. Made the first time it is asked for."""
        ensure_vapid_credential(tenant=request.tenant, application=request.application, subject=_contact())
        current, *_older = open_credentials(tenant=request.tenant, application=request.application, provider=WEBPUSH)
        return Response(WebPushKeySerializer(current).data)


def _contact() -> str:
    """Whom push services may write to about this installation."""
    if settings.PUBLIC_URL.startswith("https://"):
        return str(settings.PUBLIC_URL)
    return f"mailto:{parseaddr(settings.DEFAULT_FROM_EMAIL)[1]}"


class DeviceList(ApiView):
    permissions = {"GET": "audience.read", "POST": "audience.write"}

    @extend_schema(
        operation_id="list_devices", parameters=[*PAGE_PARAMETERS, *_FILTERS], responses=page_of(DeviceSerializer)
    )
    def get(self, request: ApiRequest) -> Response:
        """The application's devices, retired ones too."""
        wanted = {name: request.query_params.get(name, "") for name in ("external_id", "provider")}
        devices = find_devices(application=request.application, **wanted)
        return self.paginate(devices, DeviceSerializer)

    def look_ahead(self, request: ApiRequest) -> None:
        if request.method == "POST":
            body = self.body(DeviceBody)
            if body["platform"] == Platform.UNIFIEDPUSH:
                require_unifiedpush(body["address"])

    @extend_schema(
        operation_id="register_device", request=DeviceBody, responses={200: DeviceSerializer, 201: DeviceSerializer}
    )
    def post(self, request: ApiRequest) -> Response:
        """Registers a device, or says again that it lives. Call it at every start of the app.

        The endpoint of a `unifiedpush` device is asked whether it is one (`not_unifiedpush`, `unifiedpush_silent`).
        """
        body = self.body(DeviceBody)
        device, is_new = register_device(
            tenant=request.tenant, application=request.application, external_id=body["external_id"],
            device=_device_in(body),
        )  # fmt: skip
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(DeviceSerializer(device).data, status=code)


class DeviceDetail(ApiView):
    permissions = {"GET": "audience.read", "PATCH": "audience.write", "DELETE": "audience.write"}

    @extend_schema(operation_id="get_device", responses=DeviceSerializer)
    def get(self, request: ApiRequest, device_id: str) -> Response:
        """One device."""
        return Response(DeviceSerializer(find_devices(application=request.application).access(device_id)).data)

    @extend_schema(operation_id="move_device", request=DeviceChanges, responses=DeviceSerializer)
    def patch(self, request: ApiRequest, device_id: str) -> Response:
        """Gives the device to another person: somebody else signed in on it."""
        device = find_devices(application=request.application).access(device_id)
        body = self.body(DeviceChanges)
        moved = move_device(tenant=request.tenant, device=device, external_id=body["external_id"])
        return Response(DeviceSerializer(moved).data)

    @extend_schema(operation_id="delete_device", responses={204: None})
    def delete(self, request: ApiRequest, device_id: str) -> Response:
        """Forgets the device: somebody signed out, or asked for it."""
        delete_device(tenant=request.tenant, device=find_devices(application=request.application).access(device_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


def _device_in(body: dict[str, Any]) -> DeviceIn:
    keys = body["keys"] or {}
    return DeviceIn(
        platform=body["platform"], address=body["address"], provider=body["provider"],
        address_kind=body["address_kind"], installation_id=body["installation_id"], environment=body["environment"],
        public_key=keys.get("p256dh", ""), auth_secret=keys.get("auth", ""), sender_key=body["sender_key"],
    )  # fmt: skip
