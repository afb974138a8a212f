"""A walk through every page that a link leads to: the promises each of them keeps."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest
from django.test import Client

from apps.campaigns.models import Campaign
from apps.campaigns.services import create_campaign
from apps.campaigns.services.editing import Plan
from apps.operations.demo_content import fill
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from apps.webhooks.services.endpoints import create_endpoint, send_test

pytestmark = pytest.mark.django_db
_LABELLED = {"input", "select", "textarea"}
_UNLABELLED_TYPES = {"hidden", "submit"}
#: Not the dashboard's own pages, or not pages.
_ELSEWHERE = ("/api/", "/static/", "/admin/")


class Page(HTMLParser):
    """What a page promises, collected from its tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.language = ""
        self.headings = 0
        self.inline: list[str] = []
        self.links: set[str] = set()
        self.ids: list[str] = []
        self.labelled: set[str] = set()
        self.inputs: list[dict[str, str]] = []
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, given: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in given}
        self.inline += [f"{tag} {name}" for name in attributes if name.startswith("on") or name in {"style", "hx-on"}]
        self.inline += [tag] if tag == "style" or (tag == "script" and "src" not in attributes) else []
        self.inline += [f"{tag} {value}" for value in attributes.values() if value.strip().startswith("javascript:")]
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.headings += tag == "h1"
        if tag == "html":
            self.language = attributes.get("lang", "")
        elif tag == "a" and "href" in attributes:
            self.links.add(attributes["href"])
        elif tag == "label":
            self.labelled.add(attributes.get("for", ""))
        elif tag in _LABELLED and attributes.get("type") not in _UNLABELLED_TYPES:
            self.inputs.append(attributes | {"in-label": "yes" if "label" in self._open else ""})
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    @property
    def without_label(self) -> list[dict[str, str]]:
        return [
            field
            for field in self.inputs
            if not (field["in-label"] or "aria-label" in field or field.get("id") in self.labelled)
        ]


def walk(client: Client, start: str) -> dict[str, Page]:
    """Every HTML page of ours that links lead to from `start`."""
    seen: dict[str, Page] = {}
    waiting = [start]
    while waiting and len(seen) < 200:
        url = waiting.pop()
        response = client.get(url, follow=True)
        assert response.status_code == 200, url
        if not response.headers["Content-Type"].startswith("text/html"):
            continue
        assert "script-src 'self'" in response.headers["Content-Security-Policy"], url
        assert "unsafe" not in response.headers["Content-Security-Policy"], url
        seen[url] = Page(response.content.decode())
        for link in seen[url].links:
            target = urlsplit(urljoin(url, link))
            if not target.netloc and target.path not in seen and not target.path.startswith(_ELSEWHERE):
                waiting.append(target.path)
    return seen


def assert_promises(url: str, page: Page) -> None:
    assert page.inline == [], url
    assert page.headings == 1, url
    assert page.language, url
    assert page.without_label == [], url
    assert sorted(page.ids) == sorted(set(page.ids)), url


@pytest.fixture
def furnished(tenant: Tenant, application: Application) -> Campaign:
    """One of everything that a page shows: people, a segment, a template, a webhook with a call, a campaign."""
    with tenant_scope(tenant):
        fill(tenant=tenant, application=application)
        url = "https://hooks.example.com/in"
        made = create_endpoint(tenant=tenant, application=application, url=url, events=["cache_miss"])
        send_test(tenant=tenant, endpoint=made.endpoint)
        plan = Plan(
            name="Spring", audience={"all": True}, routes=["console"], content={"en": {"title": "Hi", "body": "There"}}
        )
        return create_campaign(tenant=tenant, application=application, plan=plan)


def test_every_page_keeps_its_promises(owner_client: Client, application: Application, furnished: Campaign) -> None:
    pages = walk(owner_client, "/overview/")
    assert {f"/applications/{application.public_id}/", f"/campaigns/{furnished.public_id}/"} <= set(pages)
    assert len(pages) > 20
    for url, page in pages.items():
        assert_promises(url, page)


def test_an_empty_house_opens_every_page_too(owner_client: Client) -> None:
    for url, page in walk(owner_client, "/overview/").items():
        assert_promises(url, page)


def test_the_pages_for_strangers_keep_the_promises_too(client: Client) -> None:
    pages = walk(client, "/")
    assert len(pages) >= 4
    for url, page in pages.items():
        assert_promises(url, page)
