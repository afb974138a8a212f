"""Segments in the dashboard."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.audience.models import Segment
from apps.audience.services.segments import create_segment
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from tests.dashboard.test_audience_subscribers import add, marketer

__all__ = ["marketer"]

pytestmark = pytest.mark.django_db

_RULES = {"all": [{"field": "tag", "relation": "=", "value": "vip"}]}


def _make(tenant: Tenant, application: Application, *names: str) -> list[Segment]:
    with tenant_scope(tenant):
        return [create_segment(tenant=tenant, application=application, name=name, rules=_RULES) for name in names]


def _stored(tenant: Tenant) -> list[tuple[str, Any]]:
    with tenant_scope(tenant):
        return [(segment.name, segment.rules) for segment in Segment.objects.of(tenant).order_by("name")]


def test_an_empty_list_says_what_to_do_next(marketer: Client) -> None:
    page = marketer.get("/segments/").content.decode()

    assert "No segments yet" in page
    assert "/segments/new/" in page


def test_a_segment_is_made_changed_and_deleted(marketer: Client, tenant: Tenant) -> None:
    assert marketer.post("/segments/new/", {"name": "VIPs", "rules": json.dumps(_RULES)}).url == "/segments/"
    assert _stored(tenant) == [("VIPs", _RULES)]
    with tenant_scope(tenant):
        url = f"/segments/{Segment.objects.get().public_id}/"
    page = marketer.get(url).content.decode()
    assert "&quot;vip&quot;" in page

    marketer.post(url, {"name": "Very important", "rules": json.dumps({"not": _RULES})})
    assert _stored(tenant) == [("Very important", {"not": _RULES})]

    assert marketer.post(f"{url}delete/").url == "/segments/"
    assert _stored(tenant) == []


@pytest.mark.parametrize(
    ("name", "rules", "sentence"),
    [
        ("", "{}", "This field is required."),
        ("n" * 10_000, json.dumps(_RULES), "at most 120"),
        ("x", "{", "Enter a valid JSON."),
        ("x", json.dumps({"all": []}), "A group needs at least one rule."),
        ("taken", json.dumps(_RULES), "Another segment of this application has this name."),
    ],
)
def test_a_bad_segment_comes_back_with_its_reason(
    marketer: Client, tenant: Tenant, application: Application, name: str, rules: str, sentence: str
) -> None:
    _make(tenant, application, "taken")

    response = marketer.post("/segments/new/", {"name": name, "rules": rules})

    assert response.status_code == 200
    assert sentence in response.content.decode()
    assert _stored(tenant) == [("taken", _RULES)]


def test_the_estimate_follows_the_rules(marketer: Client, tenant: Tenant, application: Application) -> None:
    add(tenant, application, {"external_id": "a", "tags": ["vip"]}, {"external_id": "b"})
    [segment] = _make(tenant, application, "VIPs")

    def estimated(rules: str) -> str:
        return marketer.post("/segments/estimate/", {"rules": rules}).content.decode()

    assert ">1<" in estimated(json.dumps(_RULES))
    assert ">2<" in estimated(json.dumps({"any": [_RULES, {"not": _RULES}]}))
    assert "not JSON" in estimated("{")
    assert "not JSON" in estimated("[" * 100_000)
    assert "all[0].relation" in estimated(json.dumps({"all": [{"field": "tag", "relation": ">", "value": 1}]}))
    assert ">1<" in marketer.get(f"/segments/{segment.public_id}/size/").content.decode()


def test_the_list_counts_nobody_and_needs_the_same_queries_for_many(
    marketer: Client, tenant: Tenant, application: Application
) -> None:
    _make(tenant, application, "A")
    marketer.get("/segments/")
    with CaptureQueriesContext(connection) as one:
        marketer.get("/segments/")
    _make(tenant, application, *"BCDE")
    with CaptureQueriesContext(connection) as many:
        marketer.get("/segments/")

    assert len(many) == len(one)
    assert not any("audience_subscriber" in query["sql"] for query in many)


@pytest.mark.parametrize("path", ["", "size/", "delete/"])
def test_another_tenants_segment_is_not_found(
    marketer: Client, path: str, other_tenant: Tenant, other_application: Application
) -> None:
    [theirs] = _make(other_tenant, other_application, "Secret plan")
    url = f"/segments/{theirs.public_id}/{path}"

    assert (marketer.post(url) if path == "delete/" else marketer.get(url)).status_code == 404
    assert "Secret plan" not in marketer.get("/segments/").content.decode()
    assert _stored(other_tenant) == [("Secret plan", _RULES)]
