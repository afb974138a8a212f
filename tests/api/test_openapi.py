"""The OpenAPI document, the page over it, and a slice of generated requests against what the document says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http import HTTPStatus

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from pytest_django.fixtures import Settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from tests.api.test_permission_table import OPERATIONS
from tests.api.theirs import MAKERS

DOCUMENT = "/api/v1/openapi.json"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
#: A slice small enough for every run; the coverage phase alone makes a hundred requests of some operations.
CONFIG = schemathesis.Config.from_dict({"phases": {"coverage": {"enabled": False}}})
generated = schemathesis.openapi.from_wsgi(DOCUMENT, get_wsgi_application(), config=CONFIG)


def document() -> dict[str, dict]:
    return json.loads(Client().get(DOCUMENT).content)


def test_the_document_names_every_operation_once() -> None:
    described = [(method.upper(), path) for path, operations in document()["paths"].items() for method in operations]
    routed = [(method, "/api/v1/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)) for route, _, method in OPERATIONS]
    assert sorted(described) == sorted(routed)


def test_every_operation_has_a_name_a_summary_and_the_shape_of_its_errors() -> None:
    names = []
    for operations in document()["paths"].values():
        for operation in operations.values():
            names.append(operation["operationId"])
            assert operation["summary"]
            assert [name for scheme in operation["security"] for name in scheme] == ["apiKey", "oauth2"]
            assert list(operation["responses"]["default"]["content"]) == ["application/problem+json"]
    assert len(names) == len(set(names))


def test_the_page_to_try_it_holds_nothing_inline() -> None:
    response = Client().get("/api/docs")
    page = response.content.decode()
    assert response.status_code == HTTPStatus.OK
    assert f'data-schema="{DOCUMENT}"' in page
    assert "<style" not in page
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"\son\w+=|\sstyle=", page) == []
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]


@pytest.fixture
def one_connection() -> Iterator[None]:
    """A real server closes its connections between requests; here they hold the test's own transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def ours(tenant: Tenant, application: Application) -> dict[str, str]:
    """One object of each kind that a route parameter can identify."""
    with tenant_scope(tenant):
        return {name: make(tenant, application) for name, make in MAKERS.items()}


@pytest.mark.django_db
@pytest.mark.usefixtures("one_connection")
@generated.parametrize()
@hypothesis_settings(
    max_examples=8, derandomize=True, database=None, deadline=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_generated_requests_get_what_the_document_says(
    case: schemathesis.Case, api_key: str, ours: dict[str, str], settings: Settings
) -> None:
    settings.API_RATE_LIMITS = {"key": (100_000, 100_000), "tenant": (100_000, 100_000)}
    headers = {"Authorization": f"Bearer {api_key}"}
    case.call_and_validate(headers=headers, checks=CHECKS)
    if case.path_parameters:  # the same again, for something that exists
        case.path_parameters = {name: ours[name] for name in case.path_parameters}
        case.call_and_validate(headers=headers, checks=CHECKS)
