"""Importing people: upload a file, say what its columns are, watch, read the report."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.audience.errors import ImportColumnsInvalid, ImportNotPossible
from apps.audience.exporting import rejections_as_csv
from apps.audience.importing.columns import Column
from apps.audience.models import ImportJob, ImportState
from apps.audience.services.imports import cancel_import, open_import, sample_rows, start_import
from apps.core.downloads import CSV, download
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.audience.chosen import chosen_application
from apps.dashboard.audience.forms import UploadForm, columns_in
from apps.dashboard.forms import add_errors
from apps.tenants.models import TenantQuerySet
from apps.tenants.scope import tenant_scope

_TARGETS = (
    ("external_id", gettext_lazy("External id")),
    ("attribute", gettext_lazy("Attribute")),
    ("alias", gettext_lazy("Alias")),
    ("tags", gettext_lazy("Tags")),
    ("language", gettext_lazy("Language")),
    ("timezone", gettext_lazy("Time zone")),
    ("ignore", gettext_lazy("Leave out")),
)
_KINDS = (
    ("text", gettext_lazy("Text")),
    ("number", gettext_lazy("Number")),
    ("boolean", gettext_lazy("True or false")),
)
_FAILURES: dict[str, Any] = {
    "file_missing": gettext_lazy("The uploaded file is gone. Upload it again; what was taken in stays."),
    "gave_up": gettext_lazy("The import broke off several times at the same place. What was taken in stays."),
}


@page("audience.write", in_scope=False)
@require_http_methods(["GET", "POST"])
def upload(request: DashboardRequest) -> HttpResponse:
    application = chosen_application(request)
    form = UploadForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            made = open_import(
                tenant=request.tenant, application=application, upload=file, file_name=file.name, user=request.user
            )
        except HouseError as error:
            add_errors(form, error)
        else:
            return redirect("dashboard:import", made.public_id)
    with tenant_scope(request.tenant):
        recent = list(_jobs_of(request).order_by("-pk")[:10])
    return render(request, "dashboard/audience/import_upload.html", {"form": form, "jobs": recent})


@page("audience.write")
@require_http_methods(["GET", "POST"])
def job(request: DashboardRequest, public_id: str) -> HttpResponse:
    """Asks for the columns until the import is started, and then shows how far it is."""
    found = _jobs_of(request).access(public_id)
    if found.state != ImportState.UPLOADED:
        return render(request, "dashboard/audience/import_progress.html", _progress(found))
    columns = [Column.from_json(column) for column in found.columns]
    problem: HouseError | None = None
    if request.method == "POST":
        columns = columns_in(request.POST, len(found.header))
        try:
            start_import(tenant=request.tenant, job=found, columns=columns)
        except (ImportColumnsInvalid, ImportNotPossible) as error:
            problem = error
        else:
            return redirect("dashboard:import", found.public_id)
    return render(request, "dashboard/audience/import_columns.html", _columns(found, columns, problem))


def _columns(job: ImportJob, columns: list[Column], problem: HouseError | None) -> dict[str, Any]:
    sample = sample_rows(job=job)
    cells = zip(*sample, strict=True) if sample and columns else [()] * len(columns)
    lines = zip(job.header, columns, cells, strict=True)
    return {
        "job": job,
        "sample": sample,
        "columns": [(header, column, cells) for header, column, cells in lines],
        "problem": problem.message if problem else None,
        "bad_column": problem.details.get("column") if problem else None,
        "targets": _TARGETS,
        "kinds": _KINDS,
    }


def _progress(job: ImportJob) -> dict[str, Any]:
    return {"job": job, "failure": _FAILURES.get(job.failure), "states": ImportState}


@page("audience.write")
@require_safe
def progress(request: DashboardRequest, public_id: str) -> HttpResponse:
    """A fragment that asks for itself again until the import has ended."""
    return render(request, "dashboard/audience/_progress.html", _progress(_jobs_of(request).access(public_id)))


@page("audience.write")
@require_POST
def cancel(request: DashboardRequest, public_id: str) -> HttpResponse:
    found = _jobs_of(request).access(public_id)
    cancel_import(tenant=request.tenant, job=found)
    messages.success(request, _("The import is cancelled. What was taken in stays."))
    return redirect("dashboard:import", found.public_id)


@page("audience.write")
@require_safe
def report(request: DashboardRequest, public_id: str) -> HttpResponseBase:
    found = _jobs_of(request).access(public_id)
    return download(request, "rejected-rows.csv", CSV, rejections_as_csv(tenant=request.tenant, job=found))


def _jobs_of(request: DashboardRequest) -> TenantQuerySet[ImportJob]:
    return ImportJob.objects.of(request.tenant).filter(application=chosen_application(request))
