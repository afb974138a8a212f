"""The reports' pages: search, pages, charts, and the same rows as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.contrib.admin import AdminSite
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from apps.core.csv import csv_response
from apps.operations.admin.base import reading
from apps.operations.admin.report_rows import REPORTS, Figures, Report, Row

_PAGE = 50


@dataclass(frozen=True, slots=True)
class ReportLink:
    title: Any
    text: Any
    url: str


def links(site: AdminSite) -> list[ReportLink]:
    return [
        ReportLink(report.title, report.text, reverse("admin:report", args=[report.name], current_app=site.name))
        for report in REPORTS.values()
    ]


def report_urls(site: AdminSite) -> list[URLPattern]:
    def show(request: HttpRequest, name: str) -> HttpResponseBase:
        return _show(site, request, name)

    return [path("reports/<slug:name>/", site.admin_view(show), name="report")]


def _show(site: AdminSite, request: HttpRequest, name: str) -> HttpResponseBase:
    report = REPORTS.get(name)
    if report is None:
        raise Http404
    wanted = request.GET.get("q", "").strip()
    with reading():
        figures = _found(report.read(), wanted)
    if request.GET.get("format") == "csv":
        return csv_response(_lines(report, figures), filename=f"{report.name}.csv")
    page = Paginator(figures.rows, _PAGE).get_page(request.GET.get("page"))
    context = {
        **site.each_context(request),
        "title": report.title,
        "report": report,
        "figures": figures,
        "page_obj": page,
        "rows": [_cells(report, row.finished()) for row in page],
        "q": wanted,
    }
    return TemplateResponse(request, "admin/operator/report.html", context)


@dataclass(frozen=True, slots=True)
class _Cells:
    """cells: text and whether it is a number."""

    tenant: Any
    cells: list[tuple[str, bool]]


def _cells(report: Report, row: Row) -> _Cells:
    return _Cells(
        row.tenant, [(cell, column.is_number) for cell, column in zip(row.cells, report.columns, strict=True)]
    )


def _found(figures: Figures, wanted: str) -> Figures:
    """The rows in which the words stand, in any column."""
    if not wanted:
        return figures
    words = wanted.casefold()
    return replace(figures, rows=[row for row in figures.rows if words in " ".join(row.cells).casefold()])


def _lines(report: Report, figures: Figures) -> Iterator[tuple[str, ...]]:
    yield ("id", *(str(column.title) for column in report.columns))
    yield from (_line(row.finished()) for row in figures.rows)


def _line(row: Row) -> tuple[str, ...]:
    return (row.tenant.public_id if row.tenant else "", *row.cells)
