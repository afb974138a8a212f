"""`/api/v1/credentials`: secrets go in and never come back."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from apps.providers.webpush.vapid import new_private_key
from apps.tenants.models import Application, AuditEntry, Tenant
from apps.tenants.scope import tenant_scope

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_valkey")]

_URL = "/api/v1/credentials"


def _body(**values: str) -> dict[str, object]:
    given = {"private_key": new_private_key(), "subject": "mailto:ops@example.com", **values}
    return {"provider": "webpush", "name": "Browsers", "values": given}


def test_a_credential_is_made_listed_and_removed(api: APIClient, tenant: Tenant) -> None:
    body = _body()
    made = api.post(_URL, body, format="json")
    assert made.status_code == 201, made.content
    assert made.json()["values"] == {"subject": "mailto:ops@example.com"}
    one = f"{_URL}/{made.json()['id']}"
    assert [row["id"] for row in api.get(_URL).json()["data"]] == [made.json()["id"]]
    for answer in (made, api.get(_URL), api.get(one)):
        assert body["values"]["private_key"] not in answer.content.decode()  # type: ignore[index]
    assert api.delete(one).status_code == 204
    assert api.get(one).status_code == 404
    with tenant_scope(tenant):
        entry = AuditEntry.objects.of(tenant).latest("id")
    assert (entry.action, entry.actor.startswith("system")) == ("provider_credential.retired", False)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (_body(private_key="nonsense"), "provider_credential_invalid"),
        (_body(colour="red"), "provider_credential_fields"),
        ({"provider": "pigeons", "name": "Loft", "values": {}}, "unknown_provider"),
        ({"provider": "console", "name": "Log", "values": {}}, "provider_credential_fields"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_code(
    api: APIClient, application: Application, body: dict[str, object], code: str
) -> None:
    answer = api.post(_URL, body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert api.get(_URL).json()["data"] == []


def test_health_and_a_test_push_to_nobody(api: APIClient, application: Application) -> None:
    id = api.post(_URL, _body(), format="json").json()["id"]
    health = api.get(f"{_URL}/{id}/health").json()
    assert (health["state"], health["paused"], len(health["hours"]), health["last_errors"]) == ("closed", False, 24, [])
    trial = api.post(f"{_URL}/{id}/test", {"target": "dev_nobody", "title": "Hi", "body": "you"}, format="json")
    assert trial.status_code == 404


def test_another_tenants_credential_is_nobodys(
    api: APIClient, other_api: APIClient, application: Application, other_application: Application
) -> None:
    id = other_api.post(_URL, _body(), format="json").json()["id"]
    for method, path in (("get", ""), ("delete", ""), ("post", "/resume"), ("get", "/health")):
        assert getattr(api, method)(f"{_URL}/{id}{path}").status_code == 404
    assert other_api.get(f"{_URL}/{id}").status_code == 200
