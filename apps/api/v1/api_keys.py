"""`/api/v1/api-keys`: the keys of the caller's own application."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response

from apps.api.base import PAGE_PARAMETERS, ApiRequest, ApiView, BodySerializer, page_of
from apps.tenants.models import ApiKey, TenantQuerySet
from apps.tenants.permissions import KEY_SCOPES
from apps.tenants.queries import maker_of
from apps.tenants.services import create_api_key, revoke_api_key


class ApiKeySerializer(serializers.Serializer[ApiKey]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="The eight characters after `psk_live_`, to tell keys apart.")
    scopes = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="Within a minute.")
    revoked_at = serializers.DateTimeField(allow_null=True)


class NewApiKeySerializer(ApiKeySerializer):
    token = serializers.CharField(help_text="Shown this once.")


class ApiKeyBody(BodySerializer):
    name = serializers.CharField(max_length=120)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=sorted(KEY_SCOPES)), min_length=1, max_length=len(KEY_SCOPES)
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


def _keys_of(request: ApiRequest) -> TenantQuerySet[ApiKey]:
    return ApiKey.objects.of(request.tenant).filter(application=request.application)


class ApiKeyList(ApiView):
    permissions = {"GET": "applications.read", "POST": "keys.write"}

    @extend_schema(operation_id="list_api_keys", parameters=PAGE_PARAMETERS, responses=page_of(ApiKeySerializer))
    def get(self, request: ApiRequest) -> Response:
        """The application's keys, revoked ones too."""
        return self.paginate(_keys_of(request), ApiKeySerializer)

    @extend_schema(operation_id="create_api_key", request=ApiKeyBody, responses={201: NewApiKeySerializer})
    def post(self, request: ApiRequest) -> Response:
        """A new key. It can be given no scope that the calling key lacks."""
        body = self.body(ApiKeyBody)
        made = create_api_key(
            tenant=request.tenant,
            application=request.application,
            name=body["name"],
            scopes=body["scopes"],
            expires_at=body["expires_at"],
            allowed=request.principal.scopes,
            actor=request.principal.actor,
            created_by=maker_of(tenant=request.tenant, actor=request.principal.actor),
        )
        answer: dict[str, Any] = {**ApiKeySerializer(made.api_key).data, "token": made.token}
        return Response(answer, status=status.HTTP_201_CREATED)


class ApiKeyDetail(ApiView):
    permissions = {"GET": "applications.read", "DELETE": "keys.write"}

    @extend_schema(operation_id="get_api_key", responses=ApiKeySerializer)
    def get(self, request: ApiRequest, api_key_id: str) -> Response:
        """One key."""
        return Response(ApiKeySerializer(_keys_of(request).access(api_key_id)).data)

    @extend_schema(operation_id="revoke_api_key", responses={204: None})
    def delete(self, request: ApiRequest, api_key_id: str) -> Response:
        """Revokes the key for good. Its row stays, for the record."""
        api_key = _keys_of(request).access(api_key_id)
        revoke_api_key(tenant=request.tenant, api_key=api_key, actor=request.principal.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)
