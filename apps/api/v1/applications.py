"""`/api/v1/applications`: the caller's own application and its settings."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from apps.api.base import ANY_KEY, PAGE_PARAMETERS, ApiRequest, ApiView, BodySerializer, page_of
from apps.core.errors import NotFound
from apps.tenants.application_settings import BOUNDS, TEXT_LENGTHS, ApplicationSettings
from apps.tenants.models import Application
from apps.tenants.services import update_application


def _settings_fields(**options: Any) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
    """A serializer field for each field of ApplicationSettings, with its bounds."""
    switches = {
        name: serializers.BooleanField(**options)
        for name in asdict(ApplicationSettings())
        if name not in BOUNDS and name not in TEXT_LENGTHS
    }
    numbers = {
        name: serializers.IntegerField(min_value=low, max_value=high, **options) for name, (low, high) in BOUNDS.items()
    }
    texts = {
        name: serializers.CharField(max_length=longest, allow_blank=True, **options)
        for name, longest in TEXT_LENGTHS.items()
    }
    return {**switches, **numbers, **texts}


SettingsSerializer = type("SettingsSerializer", (serializers.Serializer,), _settings_fields())
SettingsBody = type("SettingsBody", (BodySerializer,), _settings_fields(required=False))


class ApplicationSerializer(serializers.Serializer[Application]):
    id = serializers.CharField(source="application_id", help_text="A decimal number, the Pusher `app_id`.")
    name = serializers.CharField()
    is_enabled = serializers.BooleanField()
    settings = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    @extend_schema_field(SettingsSerializer)
    def get_settings(self, application: Application) -> dict[str, Any]:
        return asdict(ApplicationSettings.from_json(application.settings))


class ApplicationBody(BodySerializer):
    name = serializers.CharField(max_length=120, required=False)
    settings = SettingsBody(required=False)


class MeSerializer(serializers.Serializer[Any]):
    application_id = serializers.CharField()
    key_id = serializers.CharField()
    tenant_id = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())


class Me(ApiView):
    permissions = {"GET": ANY_KEY}

    @extend_schema(operation_id="get_me", responses=MeSerializer)
    def get(self, request: ApiRequest) -> Response:
        """Who the calling key speaks for, and what it may do."""
        return Response(
            {
                "application_id": request.application.application_id,
                "key_id": request.principal.actor,
                "tenant_id": request.tenant.public_id,
                "scopes": sorted(request.principal.scopes),
            }
        )


class ApplicationList(ApiView):
    permissions = {"GET": "applications.read"}

    @extend_schema(
        operation_id="list_applications", parameters=PAGE_PARAMETERS, responses=page_of(ApplicationSerializer)
    )
    def get(self, request: ApiRequest) -> Response:
        """The applications this key may see: its own."""
        return self.paginate(
            Application.objects.of(request.tenant).filter(pk=request.application.pk), ApplicationSerializer
        )


class ApplicationDetail(ApiView):
    permissions = {"GET": "applications.read", "PATCH": "applications.write"}

    @extend_schema(operation_id="get_application", responses=ApplicationSerializer)
    def get(self, request: ApiRequest, application_id: str) -> Response:
        """The application with all its settings, defaults included."""
        return Response(ApplicationSerializer(_own(request, application_id)).data)

    @extend_schema(operation_id="update_application", request=ApplicationBody, responses=ApplicationSerializer)
    def patch(self, request: ApiRequest, application_id: str) -> Response:
        """Changes what is given; settings that are not named stay."""
        body = self.body(ApplicationBody)
        application = update_application(
            tenant=request.tenant,
            application=_own(request, application_id),
            name=body.get("name"),
            settings=body.get("settings"),
            actor=request.principal.actor,
        )
        return Response(ApplicationSerializer(application).data)


def _own(request: ApiRequest, application_id: str) -> Application:
    if application_id != request.application.application_id:
        raise NotFound
    return request.application
