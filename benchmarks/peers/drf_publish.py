"""The signed publish call as a Django REST framework view would do it: same check, same Valkey script, blocking."""

from __future__ import annotations

import time
from typing import Any

import django

django.setup()

from django.core.handlers.asgi import ASGIHandler  # noqa: E402
from django.http import HttpRequest  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.exceptions import NotAuthenticated  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from apps.realtime.protocol.signing import SignedRequest, why_not_signed  # noqa: E402
from apps.realtime.publish import publish  # noqa: E402
from apps.tenants.queries import ApplicationRecord, find_application  # noqa: E402

_records: dict[str, ApplicationRecord | None] = {}


class EventSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=200)
    channel = serializers.CharField(max_length=200)
    data = serializers.CharField(max_length=10_240)


class Events(APIView):
    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Request, application_id: str) -> Response:
        record = _records.get(application_id) or find_application(application_id=application_id)
        _records[application_id] = record
        assert record is not None
        raw: HttpRequest = request._request
        signed = SignedRequest("POST", raw.path, raw.META["QUERY_STRING"].encode(), raw.body)
        if why := why_not_signed(signed, record.credentials, time.time()):
            raise NotAuthenticated(why)
        event = EventSerializer(data=request.data)
        event.is_valid(raise_exception=True)
        publish(
            region=record.region, application_id=application_id, tenant_id=record.tenant_id,
            channels=[event.validated_data["channel"]], event=event.validated_data["name"],
            data=event.validated_data["data"], settings=record.settings,
        )  # fmt: skip
        return Response({})


class _Application(ASGIHandler):
    """Django with one route, and no middleware but what an API needs."""

    def load_middleware(self, is_async: bool = False) -> None:
        from django.conf import settings
        from django.test.utils import override_settings

        with override_settings(MIDDLEWARE=[]):
            super().load_middleware(is_async)
        settings.ROOT_URLCONF = __name__


urlpatterns = [path("apps/<str:application_id>/events", Events.as_view())]
application = _Application()
