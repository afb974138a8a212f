"""`/api/v1/oauth-clients`: the OAuth 2.0 clients of the caller's own application."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response

from apps.api.base import PAGE_PARAMETERS, ApiRequest, ApiView, BodySerializer, page_of
from apps.tenants.models import OAuthClient, TenantQuerySet
from apps.tenants.permissions import KEY_SCOPES
from apps.tenants.queries import maker_of
from apps.tenants.services import create_oauth_client, revoke_oauth_client


class OAuthClientSerializer(serializers.Serializer[OAuthClient]):
    id = serializers.CharField(source="public_id", help_text="The `client_id` at `/api/oauth/token`.")
    name = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField(), help_text="What its tokens may carry.")
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="When it was last given a token.")
    revoked_at = serializers.DateTimeField(allow_null=True)


class NewOAuthClientSerializer(OAuthClientSerializer):
    client_secret = serializers.CharField(help_text="Shown this once.")


class OAuthClientBody(BodySerializer):
    name = serializers.CharField(max_length=120)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=sorted(KEY_SCOPES)), min_length=1, max_length=len(KEY_SCOPES)
    )


def _clients_of(request: ApiRequest) -> TenantQuerySet[OAuthClient]:
    return OAuthClient.objects.of(request.tenant).filter(application=request.application)


class OAuthClientList(ApiView):
    permissions = {"GET": "applications.read", "POST": "keys.write"}

    @extend_schema(
        operation_id="list_oauth_clients", parameters=PAGE_PARAMETERS, responses=page_of(OAuthClientSerializer)
    )
    def get(self, request: ApiRequest) -> Response:
        """The application's OAuth clients, revoked ones too."""
        return self.paginate(_clients_of(request), OAuthClientSerializer)

    @extend_schema(
        operation_id="create_oauth_client", request=OAuthClientBody, responses={201: NewOAuthClientSerializer}
    )
    def post(self, request: ApiRequest) -> Response:
        """A new client. It can be given no scope that the caller lacks."""
        body = self.body(OAuthClientBody)
        made = create_oauth_client(
            tenant=request.tenant,
            application=request.application,
            name=body["name"],
            scopes=body["scopes"],
            allowed=request.principal.scopes,
            actor=request.principal.actor,
            created_by=maker_of(tenant=request.tenant, actor=request.principal.actor),
        )
        answer: dict[str, Any] = {**OAuthClientSerializer(made.client).data, "client_secret": made.secret}
        return Response(answer, status=status.HTTP_201_CREATED)


class OAuthClientDetail(ApiView):
    permissions = {"GET": "applications.read", "DELETE": "keys.write"}

    @extend_schema(operation_id="get_oauth_client", responses=OAuthClientSerializer)
    def get(self, request: ApiRequest, oauth_client_id: str) -> Response:
        """One client."""
        return Response(OAuthClientSerializer(_clients_of(request).access(oauth_client_id)).data)

    @extend_schema(operation_id="revoke_oauth_client", responses={204: None})
    def delete(self, request: ApiRequest, oauth_client_id: str) -> Response:
        """Revokes the client for good, and every token it was given. Its row stays, for the record."""
        client = _clients_of(request).access(oauth_client_id)
        revoke_oauth_client(tenant=request.tenant, client=client, actor=request.principal.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)
