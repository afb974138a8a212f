"""`/api/v1/imports`: files of people, taken in by the workers. The body of the POST is the file itself."""

from __future__ import annotations

import tempfile
from typing import Any

from django.core.files.base import File
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response

from apps.api.base import PAGE_PARAMETERS, ApiRequest, ApiView, BodySerializer, page_of
from apps.audience.errors import ImportFileTooLarge
from apps.audience.importing.columns import KINDS, MESSAGES, TARGETS, Column
from apps.audience.importing.files import MAX_BYTES
from apps.audience.models import ImportJob, ImportRejection
from apps.audience.services.imports import cancel_import, open_import, start_import
from apps.tenants.models import TenantQuerySet
from apps.tenants.scope import tenant_scope

_PIECE = 256 * 1024


class ColumnSerializer(BodySerializer):
    target = serializers.ChoiceField(choices=TARGETS)
    name = serializers.CharField(default="", allow_blank=True, help_text="Of the attribute or alias.")
    kind = serializers.ChoiceField(choices=KINDS, default="text", help_text="Of the attribute.")


class ImportSerializer(serializers.Serializer[ImportJob]):
    id = serializers.CharField(source="public_id")
    file_name = serializers.CharField()
    format = serializers.ChoiceField(choices=["csv", "ndjson"])
    size_bytes = serializers.IntegerField()
    header = serializers.ListField(child=serializers.CharField(), help_text="Of a CSV file.")
    columns = ColumnSerializer(many=True, help_text="One per header: guessed, then as it was started.")
    state = serializers.CharField(help_text="uploaded, queued, running, done, failed or cancelled")
    failure = serializers.CharField(help_text="Why it failed: file_missing or gave_up.")
    percent = serializers.IntegerField()
    rows_count = serializers.IntegerField()
    created_count = serializers.IntegerField()
    updated_count = serializers.IntegerField()
    rejected_count = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class RejectionSerializer(serializers.Serializer[ImportRejection]):
    line = serializers.IntegerField()
    column = serializers.CharField(help_text="Its header; of NDJSON the field.")
    code = serializers.CharField(source="reason")
    message = serializers.SerializerMethodField()
    text = serializers.CharField(help_text="The beginning of the row.")

    def get_message(self, rejection: ImportRejection) -> str:
        return str(MESSAGES.get(rejection.reason, rejection.reason))


class StartBody(BodySerializer):
    columns = ColumnSerializer(many=True, required=False, help_text="Without them the guessed ones.")


class ImportList(ApiView):
    permissions = {"GET": "audience.read", "POST": "audience.write"}
    in_scope = False

    @extend_schema(operation_id="list_imports", parameters=PAGE_PARAMETERS, responses=page_of(ImportSerializer))
    def get(self, request: ApiRequest) -> Response:
        """The application's imports, newest first."""
        with tenant_scope(request.tenant):
            return self.paginate(_jobs_of(request), ImportSerializer)

    @extend_schema(
        operation_id="open_import",
        parameters=[OpenApiParameter("file_name", str, description="What the dashboard calls it.")],
        request={"text/csv": OpenApiTypes.BINARY, "application/x-ndjson": OpenApiTypes.BINARY},
        responses={201: ImportSerializer},
    )
    def post(self, request: ApiRequest) -> Response:
        """Takes a CSV or NDJSON file of up to 200 MB as the body; what it is, its beginning tells. Then start it."""
        with tempfile.TemporaryFile() as file:
            _copy_body(request, file)
            job = open_import(
                tenant=request.tenant,
                application=request.application,
                upload=File(file, name="upload"),
                file_name=request.query_params.get("file_name", "upload"),
            )
        return Response(ImportSerializer(job).data, status=status.HTTP_201_CREATED)


def _copy_body(request: ApiRequest, file: Any) -> None:
    size = 0
    while piece := request._request.read(_PIECE):
        size += len(piece)
        if size > MAX_BYTES:
            raise ImportFileTooLarge(_("The file is larger than 200 MB."), details={"limit": MAX_BYTES})
        file.write(piece)
    file.seek(0)


class ImportDetail(ApiView):
    permissions = {"GET": "audience.read"}

    @extend_schema(operation_id="get_import", responses=ImportSerializer)
    def get(self, request: ApiRequest, import_id: str) -> Response:
        """How far an import is."""
        return Response(ImportSerializer(_jobs_of(request).access(import_id)).data)


class ImportStart(ApiView):
    permissions = {"POST": "audience.write"}

    @extend_schema(operation_id="start_import", request=StartBody, responses=ImportSerializer)
    def post(self, request: ApiRequest, import_id: str) -> Response:
        """Starts it, with the guessed columns or with these. One import of an application runs at a time."""
        job = _jobs_of(request).access(import_id)
        given = self.body(StartBody).get("columns")
        columns = [Column(**one) for one in (job.columns if given is None else given)]
        started = start_import(tenant=request.tenant, job=job, columns=columns)
        return Response(ImportSerializer(started).data)


class ImportCancel(ApiView):
    permissions = {"POST": "audience.write"}

    @extend_schema(operation_id="cancel_import", request=None, responses=ImportSerializer)
    def post(self, request: ApiRequest, import_id: str) -> Response:
        """Stops it. What was taken in stays."""
        cancelled = cancel_import(tenant=request.tenant, job=_jobs_of(request).access(import_id))
        return Response(ImportSerializer(cancelled).data)


class ImportRejections(ApiView):
    permissions = {"GET": "audience.read"}

    @extend_schema(
        operation_id="list_import_rejections", parameters=PAGE_PARAMETERS, responses=page_of(RejectionSerializer)
    )
    def get(self, request: ApiRequest, import_id: str) -> Response:
        """The rows that were not taken in, the last first; at most 10,000 of an import are kept, for 30 days."""
        job = _jobs_of(request).access(import_id)
        rejections = ImportRejection.objects.of(request.tenant).filter(job=job)
        return self.paginate(rejections, RejectionSerializer)


def _jobs_of(request: ApiRequest) -> TenantQuerySet[ImportJob]:
    return ImportJob.objects.of(request.tenant).filter(application=request.application)
