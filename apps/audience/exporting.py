"""People and reports of imports as files, page by page: one short transaction each, nothing held over a yield."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from apps.audience.importing.columns import MESSAGES
from apps.audience.models import ImportJob, ImportRejection, Subscriber
from apps.audience.queries import attribute_names, find_subscribers
from apps.audience.services.aliases import alias_labels, aliases_of
from apps.core.downloads import BYTE_ORDER_MARK, csv_text
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope

_PAGE = 2_000
_FIELDS = ("external_id", "language", "timezone", "tags")

#: Of a person: label -> value.
_Aliases = Mapping[str, str]
_Page = list[tuple[Subscriber, _Aliases]]


def exported_subscribers(
    *, tenant: Tenant, application: Application, filters: dict[str, str], as_csv: bool
) -> Iterator[str]:
    """Everybody the filters of the list hold for, oldest first, as CSV or NDJSON. Our own import reads both back.

    Who that is, is asked at once and once: a segment costs a pass over its events. Raises AudienceInvalid. Opens the
    tenant's scope itself.
    """
    with tenant_scope(tenant):
        found = find_subscribers(tenant=tenant, application=application, **filters)
        # 8 bytes each
        numbers = array("q", found.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=10_000))
        names, labels = attribute_names(application=application), alias_labels(application=application)
    pages = _pages(tenant, application, numbers)
    return _csv(pages, labels, names) if as_csv else _ndjson(pages)


def _csv(pages: Iterator[_Page], labels: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    yield BYTE_ORDER_MARK + csv_text([[*_FIELDS, *(f"alias:{label}" for label in labels), *names]])
    for people in pages:
        yield csv_text(_row(person, aliases, labels, names) for person, aliases in people)


def _ndjson(pages: Iterator[_Page]) -> Iterator[str]:
    for people in pages:
        yield "".join(f"{orjson.dumps(_object(person, aliases)).decode()}\n" for person, aliases in people)


def rejections_as_csv(*, tenant: Tenant, job: ImportJob) -> Iterator[str]:
    """The rows an import did not take, with the reason in the reader's language."""
    yield BYTE_ORDER_MARK + csv_text([["line", "column", "reason", "text"]])
    last = 0
    while True:
        with tenant_scope(tenant):
            rejections = ImportRejection.objects.of(tenant).filter(job=job, line__gt=last)
            page = list(rejections.order_by("line")[:_PAGE])
        if not page:
            return
        yield csv_text((one.line, one.column, str(MESSAGES.get(one.reason, one.reason)), one.text) for one in page)
        last = page[-1].line


def _pages(tenant: Tenant, application: Application, numbers: array[int]) -> Iterator[_Page]:
    for start in range(0, len(numbers), _PAGE):
        with tenant_scope(tenant):
            everyone = Subscriber.objects.in_application(application)
            people = list(everyone.filter(pk__in=list(numbers[start : start + _PAGE])).order_by("pk"))
            aliases = aliases_of(application=application, subscriber_ids=[person.pk for person in people])
        if people:
            yield [(person, aliases.get(person.pk, {})) for person in people]


def _row(person: Subscriber, aliases: _Aliases, labels: Sequence[str], names: Sequence[str]) -> list[Any]:
    attributes = [person.attributes.get(name) for name in names]
    others = [aliases.get(label) for label in labels]
    return [person.external_id, person.language, person.timezone, ";".join(person.tags), *others, *attributes]


def _object(person: Subscriber, aliases: _Aliases) -> dict[str, Any]:
    named = ("external_id", "attributes", "tags", "language", "timezone")
    facts = {name: value for name in named if (value := getattr(person, name))}
    return {**facts, "aliases": aliases} if aliases else facts
