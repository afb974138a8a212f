"""Cursor pagination: every row once, whatever comes in between."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from apps.core import ids
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from apps.tenants.services import create_api_key
from tests.api.helpers import KEYS, problem

pytestmark = pytest.mark.django_db


def make_keys(tenant: Tenant, application: Application, names: list[str]) -> None:
    with tenant_scope(tenant):
        for name in names:
            create_api_key(tenant=tenant, application=application, name=name, scopes=["publish"])


def names_on(page: dict[str, list[dict[str, str]]]) -> list[str]:
    return [item["name"] for item in page["data"]]


def test_pages_hold_every_row_once_though_rows_arrive_in_between(
    api: APIClient, tenant: Tenant, application: Application
) -> None:
    make_keys(tenant, application, ["a", "b", "c"])
    first = api.get(KEYS, {"limit": 2}).json()
    make_keys(tenant, application, ["late"])
    second = api.get(KEYS, {"limit": 2, "cursor": first["next"]}).json()
    assert [names_on(first), names_on(second)] == [["c", "b"], ["a", "Test"]]
    assert second["next"] is None


def test_a_page_that_is_just_full_has_no_next(api: APIClient, tenant: Tenant, application: Application) -> None:
    make_keys(tenant, application, ["a"])
    assert api.get(KEYS, {"limit": 2}).json()["next"] is None


@pytest.mark.parametrize("limit", ["0", "201", "-1", "1.5", "", "ten", "٣", "9" * 5_000])
def test_a_limit_out_of_bounds_is_refused(api: APIClient, limit: str) -> None:
    assert list(problem(api.get(KEYS, {"limit": limit}), 400, "invalid_page")["errors"]) == ["limit"]


@pytest.mark.parametrize("cursor", ["x", "cur_", "cur_" + "0" * 22, "é", ids.encode("key", 1)])
def test_a_cursor_nobody_gave_out_is_refused(api: APIClient, cursor: str) -> None:
    assert list(problem(api.get(KEYS, {"cursor": cursor}), 400, "invalid_page")["errors"]) == ["cursor"]
