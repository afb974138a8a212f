"""The audit log's page and its CSV."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.core.csv import csv_response
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.audit.reading import csv_rows, entries_of, named
from apps.dashboard.messaging.typed import typed

_PER_PAGE = 50
#: Newest entries in a CSV; a search finds older ones.
_EXPORTED = 10_000


@page("audit.read")
@require_safe
def audit(request: DashboardRequest) -> HttpResponse:
    query = typed(request.GET, "q")
    entries = entries_of(tenant=request.tenant, query=query)
    page_obj = Paginator(entries, _PER_PAGE).get_page(request.GET.get("page"))
    rows = named(page_obj.object_list, tenant=request.tenant)
    context = {"page_obj": page_obj, "rows": rows, "query": query, "parameters": request.GET.urlencode()}
    return render(request, "dashboard/audit/audit.html", context)


@page("audit.read")
@require_safe
def audit_csv(request: DashboardRequest) -> StreamingHttpResponse:
    entries = entries_of(tenant=request.tenant, query=typed(request.GET, "q"))[:_EXPORTED]
    rows = list(csv_rows(named(entries, tenant=request.tenant)))  # read inside the scope
    return csv_response(rows, filename="audit.csv")
