"""CSV answers of any length: page by page, one short transaction each, nothing held in memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

from apps.audience.importing.columns import MESSAGES, guarded
from apps.audience.models import ImportJob, ImportRejection, Subscriber, SubscriberQuerySet
from apps.audience.queries import attribute_names, find_subscribers
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope

_PAGE = 2_000
_FIELDS = ("external_id", "language", "timezone", "tags")

Rows = list[Sequence[Any]]


def csv_response(request: HttpRequest, file_name: str, pages: Iterator[Rows]) -> StreamingHttpResponse:
    """`pages` may open scopes while it makes a page, but not hold one over a yield."""
    texts = map(_as_csv, pages)
    # Under ASGI Django would collect a plain iterator whole before it sends the first byte.
    content: Any = _in_threads(texts) if isinstance(request, ASGIRequest) else texts
    return StreamingHttpResponse(
        content,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{file_name}"'},
    )


async def _in_threads(texts: Iterator[str]) -> AsyncIterator[str]:
    following: Callable[[], str | None] = partial(next, texts, None)
    while (text := await sync_to_async(following)()) is not None:
        yield text


def _as_csv(rows: Rows) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return guarded(value)
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def subscriber_pages(*, tenant: Tenant, application: Application, filters: dict[str, str]) -> Iterator[Rows]:
    """Header, then everybody the filters of the list hold for, oldest first. Our own import reads it back."""
    with tenant_scope(tenant):
        names = attribute_names(application=application)
    yield [["\ufeff" + _FIELDS[0], *_FIELDS[1:], *names]]
    last = 0
    while True:
        with tenant_scope(tenant):
            found = find_subscribers(tenant=tenant, application=application, **filters)
            people = _page_after(found, last)
        if not people:
            return
        yield [_person(person, names) for person in people]
        last = people[-1].pk


def _page_after(found: SubscriberQuerySet, last: int) -> list[Subscriber]:
    return list(found.filter(pk__gt=last).order_by("pk")[:_PAGE])


def _person(person: Subscriber, names: Sequence[str]) -> list[Any]:
    values = [person.attributes.get(name) for name in names]
    return [person.external_id, person.language, person.timezone, ";".join(person.tags), *values]


def report_pages(*, tenant: Tenant, job: ImportJob) -> Iterator[Rows]:
    """The rows an import did not take, with the reason in the reader's language."""
    yield [["\ufeffline", "column", "reason", "text"]]
    last = 0
    while True:
        with tenant_scope(tenant):
            rejections = ImportRejection.objects.of(tenant).filter(job=job, line__gt=last)
            page = list(rejections.order_by("line")[:_PAGE])
        if not page:
            return
        yield [(one.line, one.column, str(MESSAGES.get(one.reason, one.reason)), one.text) for one in page]
        last = page[-1].line
