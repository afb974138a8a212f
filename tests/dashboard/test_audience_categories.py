"""Categories of messages in the dashboard."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.audience.services.preferences import categories_of
from apps.tenants.models import Application, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from tests.dashboard.conftest import member_client
from tests.dashboard.test_audience_subscribers import add, marketer

__all__ = ["marketer"]

pytestmark = pytest.mark.django_db


def test_a_category_is_added_shown_and_deleted(marketer: Client, tenant: Tenant, application: Application) -> None:
    assert b"No categories yet" in marketer.get("/categories/").content

    refused = marketer.post("/categories/", {"key": "News!", "names": "en: News"})
    added = marketer.post("/categories/", {"key": "news", "names": "en: News: today\nzh-hans: 新闻\n"})

    assert "small letters" in refused.content.decode()
    assert added.url == "/categories/"
    with tenant_scope(tenant):
        [category] = categories_of(application)
    assert category.names == {"en": "News: today", "zh-Hans": "新闻"}
    assert b"News: today" in marketer.get("/categories/").content
    assert marketer.post(f"/categories/{category.public_id}/delete/").url == "/categories/"
    assert b"No categories yet" in marketer.get("/categories/").content


def test_who_may_only_read_adds_none(tenant: Tenant, application: Application) -> None:
    analyst = member_client(tenant, Role.ANALYST)

    assert analyst.post("/categories/", {"key": "news", "names": "en: News"}).status_code == 403
    assert b"Add a category" not in analyst.get("/categories/").content


def test_the_page_of_a_person_links_to_their_preferences(
    marketer: Client, tenant: Tenant, application: Application, client: Client
) -> None:
    [person] = add(tenant, application, {"external_id": "ada"})
    path = marketer.get(f"/subscribers/{person.public_id}/").context["preferences_path"]

    client.post(path, {"action": "unsubscribe"})

    assert b"unsubscribed" in marketer.get(f"/subscribers/{person.public_id}/").content
