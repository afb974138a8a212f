"""Cursor pagination, newest first: a page starts below the last row of the one before, however many come and go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.errors import InvalidPage
from apps.core import ids

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
_PREFIX = "cur"
M = TypeVar("M", bound=Model)

PAGE_PARAMETERS = [
    OpenApiParameter("cursor", str, description="`next` of the page before."),
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        description="How many items, at most.",
    ),
]


def page_of(item: type[serializers.BaseSerializer[Any]]) -> type[serializers.BaseSerializer[Any]]:
    """The schema of a page of such items: `{"data": […], "next": cursor or null}`."""
    fields = {"data": item(many=True), "next": serializers.CharField(allow_null=True)}
    return type(f"{item.__name__.removesuffix('Serializer')}Page", (serializers.Serializer,), fields)


def paginated(request: Request, queryset: QuerySet[Any], serializer: type[serializers.BaseSerializer[Any]]) -> Response:
    """One page of the rows, by descending primary key. Raises InvalidPage."""
    rows, following = page_below(queryset, request.query_params)
    return Response({"data": serializer(rows, many=True).data, "next": following})


def page_below(queryset: QuerySet[M], query: Mapping[str, Any]) -> tuple[list[M], str | None]:
    """The rows of the page that the query asks for, and where the next one starts. Raises InvalidPage."""
    limit, cursor = _limit_in(query), query.get("cursor")
    if cursor:
        queryset = queryset.filter(pk__lt=_position(cursor))
    rows = list(queryset.order_by("-pk")[: limit + 1])
    return rows[:limit], ids.encode(_PREFIX, rows[limit - 1].pk) if len(rows) > limit else None


def asked_limit(request: Request) -> int:
    """Raises InvalidPage."""
    return _limit_in(request.query_params)


def _limit_in(query: Mapping[str, Any]) -> int:
    text = query.get("limit", str(DEFAULT_LIMIT))
    if text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    raise InvalidPage(fields={"limit": [_("Use a whole number from 1 to %(limit)d.") % {"limit": MAX_LIMIT}]})


def _position(cursor: str) -> int:
    position = ids.decode(_PREFIX, cursor)
    if position is None:
        raise not_a_cursor()
    return position


def not_a_cursor() -> InvalidPage:
    return InvalidPage(fields={"cursor": [_("This is not a cursor that was given out.")]})
