"""What the tests of the REST door share."""

from __future__ import annotations

import json
from typing import Any

from apps.tenants.models import ApiKey, Tenant
from apps.tenants.scope import tenant_scope

KEYS = "/api/v1/api-keys"
NEW_KEY = {"name": "CI", "scopes": ["publish"]}


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """The body of a well-formed problem of this status and code."""
    assert response.headers["Content-Type"] == "application/problem+json"
    body = json.loads(response.content)
    assert (response.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["type"] == f"urn:pushsaas:problem:{code}"
    assert body["title"]
    assert body["detail"]
    return body


def keys_of(tenant: Tenant) -> int:
    with tenant_scope(tenant):
        return ApiKey.objects.of(tenant).count()
