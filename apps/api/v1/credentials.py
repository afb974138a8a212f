"""`/api/v1/credentials`: the application's accounts with push networks. Secrets go in and never come back."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response

from apps.api.base import PAGE_PARAMETERS, ApiRequest, ApiView, BodySerializer, page_of
from apps.core.errors import NotFound
from apps.messaging.sending.trial import Trial, send_trial
from apps.providers.advice import advice_for
from apps.providers.base import Notification
from apps.providers.credentials import resume_credential, retire_credential, save_credential
from apps.providers.health import provider_health
from apps.providers.models import ProviderCredential
from apps.tenants.models import TenantQuerySet
from apps.tenants.scope import tenant_scope


class CredentialSerializer(serializers.Serializer[ProviderCredential]):
    id = serializers.CharField(source="public_id")
    provider = serializers.CharField()
    name = serializers.CharField()
    values = serializers.DictField(source="shown", help_text="The fields that are no secret.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    paused_at = serializers.DateTimeField(
        allow_null=True, help_text="Nothing is sent with it since then: the network refused it."
    )
    last_error = serializers.CharField(allow_blank=True)


class CredentialBody(BodySerializer):
    provider = serializers.CharField(max_length=16)
    name = serializers.CharField(max_length=120)
    values = serializers.DictField(
        child=serializers.CharField(max_length=20_000, allow_blank=True), write_only=True,
        help_text="Field by field, as docs/providers.md names them for the provider.",
    )  # fmt: skip
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class _HourSerializer(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    accepted = serializers.IntegerField()
    failed = serializers.IntegerField()
    throttled = serializers.IntegerField()
    unavailable = serializers.IntegerField()
    unknown = serializers.IntegerField()


class _ErrorSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    result = serializers.CharField()
    reason = serializers.CharField(help_text="The network's own code.")
    count = serializers.IntegerField()


class CredentialHealthSerializer(serializers.Serializer[Any]):
    credential_id = serializers.CharField()
    provider = serializers.CharField()
    paused = serializers.BooleanField()
    state = serializers.CharField(help_text="Of its circuit: `closed`, `open`, `half_open` or `held`.")
    retry_at = serializers.DateTimeField(allow_null=True)
    quota_left = serializers.IntegerField(allow_null=True)
    hours = _HourSerializer(many=True)
    last_errors = _ErrorSerializer(many=True, source="errors")


class TrialBody(BodySerializer):
    target = serializers.CharField(
        max_length=128, help_text="Id of a device; the external id of a subscriber where the provider reaches people."
    )
    title = serializers.CharField(max_length=40)
    body = serializers.CharField(max_length=80)


class TrialSerializer(serializers.Serializer[Trial]):
    result = serializers.CharField(source="outcome.result")
    reason = serializers.CharField(source="outcome.reason", allow_blank=True)
    provider_message_id = serializers.CharField(source="outcome.provider_message_id", allow_blank=True)
    milliseconds = serializers.IntegerField()
    advice = serializers.SerializerMethodField(help_text="What to do about a refusal.")

    def get_advice(self, trial: Trial) -> str:
        return str(advice_for(trial.outcome.result, trial.outcome.reason))


def _credentials(request: ApiRequest) -> TenantQuerySet[ProviderCredential]:
    known = ProviderCredential.objects.of(request.tenant).filter(application=request.application, retired_at=None)
    return known.select_related("application")


class CredentialList(ApiView):
    permissions = {"GET": "applications.read", "POST": "keys.write"}
    in_scope: ClassVar[bool] = False

    @extend_schema(operation_id="list_credentials", parameters=PAGE_PARAMETERS, responses=page_of(CredentialSerializer))
    def get(self, request: ApiRequest) -> Response:
        """The application's credentials, newest first. The newest of a provider sends."""
        with tenant_scope(request.tenant):
            return self.paginate(_credentials(request), CredentialSerializer)

    @extend_schema(operation_id="create_credential", request=CredentialBody, responses={201: CredentialSerializer})
    def post(self, request: ApiRequest) -> Response:
        """Asks the network about the credential, then keeps it: from now on it sends. Blocks for some seconds."""
        saved = save_credential(
            tenant=request.tenant, application=request.application, actor=request.principal.actor,
            **self.body(CredentialBody),
        )  # fmt: skip
        return Response(CredentialSerializer(saved).data, status=status.HTTP_201_CREATED)


class CredentialDetail(ApiView):
    permissions = {"GET": "applications.read", "DELETE": "keys.write"}

    @extend_schema(operation_id="get_credential", responses=CredentialSerializer)
    def get(self, request: ApiRequest, credential_id: str) -> Response:
        """One credential."""
        return Response(CredentialSerializer(_credentials(request).access(credential_id)).data)

    @extend_schema(operation_id="delete_credential", responses={204: None})
    def delete(self, request: ApiRequest, credential_id: str) -> Response:
        """For good: its secrets are destroyed, and browsers bound to a Web Push key are out of reach."""
        credential = _credentials(request).access(credential_id)
        retire_credential(tenant=request.tenant, credential=credential, actor=request.principal.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


class CredentialResume(ApiView):
    permissions = {"POST": "keys.write"}

    @extend_schema(operation_id="resume_credential", request=None, responses=CredentialSerializer)
    def post(self, request: ApiRequest, credential_id: str) -> Response:
        """Sends with a paused credential again."""
        credential = _credentials(request).access(credential_id)
        resumed = resume_credential(tenant=request.tenant, credential=credential, actor=request.principal.actor)
        return Response(CredentialSerializer(resumed).data)


class CredentialHealth(ApiView):
    permissions = {"GET": "applications.read"}
    in_scope: ClassVar[bool] = False

    @extend_schema(operation_id="get_credential_health", responses=CredentialHealthSerializer)
    def get(self, request: ApiRequest, credential_id: str) -> Response:
        """Its circuit, what the network answered in the last 24 hours, the last errors, and the quota left today."""
        with tenant_scope(request.tenant):
            credential = _credentials(request).access(credential_id)
        found = provider_health(tenant=request.tenant, application=request.application, provider=credential.provider)
        health = next((one for one in found if one.credential_id == credential.public_id), None)
        if health is None:
            raise NotFound
        return Response(CredentialHealthSerializer(health).data)


class CredentialTest(ApiView):
    permissions = {"POST": "publish"}
    in_scope: ClassVar[bool] = False

    @extend_schema(operation_id="test_credential", request=TrialBody, responses=TrialSerializer)
    def post(self, request: ApiRequest, credential_id: str) -> Response:
        """Sends one push now, past all queues, and answers what the network said. Not billed, in no report."""
        with tenant_scope(request.tenant):
            credential = _credentials(request).access(credential_id)
        body = self.body(TrialBody)
        trial = send_trial(
            tenant=request.tenant, credential=credential, target=body["target"],
            notification=Notification(body["title"], body["body"]),
        )  # fmt: skip
        return Response(TrialSerializer(trial).data)
