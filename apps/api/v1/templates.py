"""`/api/v1/templates`: words kept for reuse."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response

from apps.api.base import PAGE_PARAMETERS, ApiRequest, ApiView, BodySerializer, page_of
from apps.api.v1.sending import content_field
from apps.messaging.models import Template
from apps.messaging.services import create_template, delete_template, update_template
from apps.tenants.models import TenantQuerySet


class TemplateSerializer(serializers.Serializer[Template]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    content = serializers.JSONField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class TemplateBody(BodySerializer):
    name = serializers.CharField(max_length=120)
    content = content_field()


def templates_of(request: ApiRequest) -> TenantQuerySet[Template]:
    return Template.objects.of(request.tenant).filter(application=request.application)


class TemplateList(ApiView):
    permissions = {"GET": "campaigns.read", "POST": "campaigns.write"}

    @extend_schema(operation_id="list_templates", parameters=PAGE_PARAMETERS, responses=page_of(TemplateSerializer))
    def get(self, request: ApiRequest) -> Response:
        """The application's templates, newest first."""
        return self.paginate(templates_of(request), TemplateSerializer)

    @extend_schema(operation_id="create_template", request=TemplateBody, responses={201: TemplateSerializer})
    def post(self, request: ApiRequest) -> Response:
        """Saves words under a name. What would not render is refused, with line and column."""
        template = create_template(tenant=request.tenant, application=request.application, **self.body(TemplateBody))
        return Response(TemplateSerializer(template).data, status=status.HTTP_201_CREATED)


class TemplateDetail(ApiView):
    permissions = {"GET": "campaigns.read", "PATCH": "campaigns.write", "DELETE": "campaigns.write"}

    @extend_schema(operation_id="get_template", responses=TemplateSerializer)
    def get(self, request: ApiRequest, template_id: str) -> Response:
        """One template."""
        return Response(TemplateSerializer(templates_of(request).access(template_id)).data)

    @extend_schema(operation_id="change_template", request=TemplateBody(partial=True), responses=TemplateSerializer)
    def patch(self, request: ApiRequest, template_id: str) -> Response:
        """Changes what is given. Messages accepted before keep their words."""
        template = templates_of(request).access(template_id)
        changed = update_template(tenant=request.tenant, template=template, **self.body(TemplateBody, partial=True))
        return Response(TemplateSerializer(changed).data)

    @extend_schema(operation_id="delete_template", responses={204: None})
    def delete(self, request: ApiRequest, template_id: str) -> Response:
        """Refused while a campaign takes its words from it."""
        delete_template(tenant=request.tenant, template=templates_of(request).access(template_id))
        return Response(status=status.HTTP_204_NO_CONTENT)
