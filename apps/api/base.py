"""The base of every view below /api/v1: what a resource module needs is here.

A resource is one module `apps/api/v1/<resource>.py`: serializers on top, then views, its routes in `v1/urls.py`.
`v1/api_keys.py` is the one to look at. A view names the scope that each of its methods needs:

    class WidgetList(ApiView):
        permissions = {"GET": "widgets.read", "POST": "widgets.write"}

        @extend_schema(parameters=PAGE_PARAMETERS, responses=page_of(WidgetSerializer))
        def get(self, request: ApiRequest) -> Response:
            return self.paginate(Widget.objects.of(request.tenant), WidgetSerializer)

        @extend_schema(request=NewWidgetSerializer, responses={201: WidgetSerializer})
        def post(self, request: ApiRequest) -> Response:
            body = self.body(NewWidgetSerializer)
            widget = create_widget(tenant=request.tenant, name=body["name"])
            return Response(WidgetSerializer(widget).data, status=201)

The handler runs inside the caller's tenancy scope, which is one transaction: it commits before the answer leaves, and
an error of any kind rolls it back. Handlers raise HouseErrors or let the services raise them. Before the handler:
credential (401), rate (429), method (405), scope (403), body (413, 415, 400). POST honours Idempotency-Key.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from django.db import DatabaseError, InterfaceError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from apps.api import ratelimit
from apps.api.authentication import Principal, identify, principal_of
from apps.api.errors import RateLimited
from apps.api.idempotency import RequestIdentity, answer_once
from apps.api.pagination import PAGE_PARAMETERS, page_of, paginated
from apps.api.parsing import JsonBodyParser, read_body
from apps.api.problems import CONTENT_TYPE, problem_of
from apps.api.schema import ApiSchema
from apps.api.serializers import BodySerializer
from apps.realtime.errors import ScopeMissing
from apps.tenants.models import Application, Tenant
from apps.tenants.queries import KeyRecord
from apps.tenants.scope import tenant_scope

__all__ = ["ANY_KEY", "PAGE_PARAMETERS", "ApiRequest", "ApiView", "BodySerializer", "page_of"]

logger = logging.getLogger(__name__)

#: The permission of what every live key may do.
ANY_KEY = ""
_METHODS = ("get", "post", "put", "patch", "delete", "head")


class ApiRequest(Request):
    """A request whose caller is known."""

    principal: Principal

    @property
    def tenant(self) -> Tenant:
        return self.principal.tenant

    @property
    def application(self) -> Application:
        """The application of the caller's key."""
        return self.principal.application


class ApiView(APIView):
    """permissions: method -> scope of the API key. idempotency_retention: how long an answer to a POST is repeated.

    in_scope: whether the handler runs in the caller's scope. One that does not sends or takes a file of any length: it
    opens scopes as it needs them, reads the body itself and has no Idempotency-Key.
    """

    permissions: ClassVar[Mapping[str, str]]
    in_scope: ClassVar[bool] = True
    idempotency_retention: ClassVar[timedelta] = timedelta(hours=48)

    http_method_names = list(_METHODS)
    parser_classes = [JsonBodyParser]
    schema = ApiSchema()
    request: ApiRequest

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        handled = {method.upper() for method in _METHODS if hasattr(cls, method)}
        if handled != set(cls.permissions):
            raise TypeError(
                f"{cls.__name__} handles {sorted(handled)} and has permissions for {sorted(cls.permissions)}"
            )

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.args, self.kwargs = args, kwargs
        self.request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        response: HttpResponseBase
        try:
            response = self._answer(self.request)
        except Exception as error:
            response = self._problem(error)
        return self.finalize_response(self.request, response, *args, **kwargs)  # type: ignore[arg-type]  # takes any

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> ApiRequest:
        return ApiRequest(
            request,
            parsers=self.get_parsers(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
        )

    def _answer(self, request: ApiRequest) -> HttpResponseBase:
        self.initial(request, *self.args, **self.kwargs)  # content negotiation
        key = identify(request.headers.get("Authorization", ""))
        self._count(key)
        method = "GET" if request.method == "HEAD" else str(request.method)
        required = self.permissions.get(method)
        if required is None:
            raise MethodNotAllowed(str(request.method))
        if required and required not in key.scopes:
            raise ScopeMissing(details={"required_scope": required})
        handler = getattr(self, method.lower())
        if self.in_scope:
            read_body(request._request)
            self.look_ahead(request)
            with tenant_scope(key.tenant_id):
                request.principal = principal_of(key)
                return self._call(handler, request)
        with tenant_scope(key.tenant_id):
            request.principal = principal_of(key)
        response: HttpResponseBase = handler(request, *self.args, **self.kwargs)
        return response

    def look_ahead(self, request: ApiRequest) -> None:
        """What must be asked of the network before the handler: its scope is a transaction. The caller may do this."""

    def _count(self, key: KeyRecord) -> None:
        allowance = ratelimit.take(key)
        if allowance is None:
            return
        self.headers.update(allowance.headers)
        if not allowance.allowed:
            raise RateLimited(retry_after=allowance.next_in)

    def _call(self, handler: Callable[..., Response], request: ApiRequest) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None or request.method != "POST":
            return handler(request, *self.args, **self.kwargs)
        match = request._request.resolver_match
        identity = RequestIdentity(key, f"POST {match.route if match else ''}", request.get_full_path(), request.data)
        return answer_once(
            request.principal,
            identity,
            lambda: handler(request, *self.args, **self.kwargs),
            retention=self.idempotency_retention,
        )

    def _problem(self, error: Exception) -> Response:
        problem = problem_of(error)
        if problem is None:
            raise error
        if isinstance(error, DatabaseError | InterfaceError):
            logger.warning("api.unavailable", exc_info=error)
        self.headers.update(problem.headers)
        return Response(problem.body, status=problem.status, content_type=CONTENT_TYPE)

    def body(self, serializer: type[BaseSerializer[Any]], **options: Any) -> Any:
        """The validated body. options: of the serializer, such as partial=True. Raises ValidationError."""
        shape = serializer(data=self.request.data, **options)
        shape.is_valid(raise_exception=True)
        return shape.validated_data

    def paginate(self, queryset: QuerySet[Any], serializer: type[BaseSerializer[Any]]) -> Response:
        """The page of the rows that the request asks for (`cursor`, `limit`)."""
        return paginated(self.request, queryset, serializer)
