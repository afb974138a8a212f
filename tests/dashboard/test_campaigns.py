"""Templates and campaigns as a marketer meets them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from apps.campaigns import planning
from apps.campaigns.models import Campaign
from apps.campaigns.services.running import finish_ended_campaigns, start_due_campaigns
from apps.messaging import upkeep
from apps.messaging.models import Template
from apps.messaging.sending.pipeline import send_due_chunks
from apps.tenants.models import Application, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from tests.dashboard.conftest import member_client
from tests.dashboard.test_pages import Page, walk
from tests.sending import Recorder, make_people, network, people

__all__ = ["network", "people"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def marketer(tenant: Tenant, application: Application) -> Client:
    return member_client(tenant, Role.MARKETER)


def words(*variants: dict[str, str]) -> dict[str, str]:
    """What the editor posts."""
    posted = {"words-TOTAL_FORMS": str(len(variants)), "words-INITIAL_FORMS": "0"}
    for number, variant in enumerate(variants):
        posted |= {f"words-{number}-{name}": value for name, value in variant.items()}
    return posted


EN = {"language": "en", "title": "Hi {{ subscriber.name }}", "body": "News"}
ZH = {"language": "zh-Hans", "title": "你好", "body": "新闻"}


def plan(**given: Any) -> dict[str, Any]:
    return {
        "name": "Spring", "people": "all", "source": "own", "routes": ["realtime"],
        "unknown_policy": "at_most_once", **words(EN, ZH), **given,
    }  # fmt: skip


def made(client: Client, **given: Any) -> str:
    """The address of a new draft."""
    response = client.post("/campaigns/new", plan(**given))
    assert response.status_code == 302, response.content.decode()
    return str(response.headers["Location"])


def only(tenant: Tenant, model: type[Any]) -> Any:
    with tenant_scope(tenant):
        return model.objects.of(tenant).get()


def send_everything() -> None:
    start_due_campaigns()
    planning.plan_started_runs(seconds=30)
    send_due_chunks(seconds=30)
    upkeep.end_messages()
    finish_ended_campaigns()


def test_a_template_is_written_in_two_languages(marketer: Client, tenant: Tenant) -> None:
    response = marketer.post("/templates/new", {"name": "Welcome", **words(EN, ZH)})
    assert response.headers["Location"] == "/templates/"
    template = only(tenant, Template)
    assert template.content["zh-Hans"] == {"title": "你好", "body": "新闻"}
    assert b"Welcome" in marketer.get("/templates/").content


def test_a_template_that_does_not_parse_says_where(marketer: Client, tenant: Tenant) -> None:
    response = marketer.post("/templates/new", {"name": "W", **words({**EN, "body": "one\n{{ oops"})})
    assert response.status_code == 200
    assert "Line 2, column" in response.content.decode()
    with tenant_scope(tenant):
        assert not Template.objects.of(tenant).exists()


@pytest.mark.parametrize(
    ("variants", "said"),
    [
        ([EN, EN], "Each language can be there once."),
        ([{**EN, "title": "", "body": ""}], "There is nothing to send"),
        ([{**EN, "language": "not a language"}], "is not a language tag"),
        ([{**EN, "title": "x" * 1_001}], "at most 1000 characters"),
    ],
)
def test_words_that_cannot_work_are_explained(marketer: Client, variants: list[dict[str, str]], said: str) -> None:
    response = marketer.post("/templates/new", {"name": "W", **words(*variants)})
    assert response.status_code == 200
    assert said in response.content.decode()


def test_editing_keeps_the_data_that_only_the_api_edits(marketer: Client, tenant: Tenant) -> None:
    marketer.post("/templates/new", {"name": "W", **words(EN)})
    template = only(tenant, Template)
    with tenant_scope(tenant):
        template.changed(content={"en": {"title": "Old", "data": {"sku": 7}}})
    marketer.post(f"/templates/{template.public_id}/", {"name": "W", **words(EN)})
    assert only(tenant, Template).content["en"] == {"title": EN["title"], "body": "News", "data": {"sku": 7}}


def test_the_preview_shows_the_chosen_person_their_words(marketer: Client, people: list[str]) -> None:
    html = marketer.post("/templates/preview", {"preview_for": "person-0002", **words(EN)}).content.decode()
    assert "Hi Name 2" in html
    missing = marketer.post("/templates/preview", {"preview_for": "nobody", **words(EN)}).content.decode()
    assert "There is no such subscriber" in missing
    broken = marketer.post(
        "/templates/preview", {"preview_for": "person-0002", **words({**EN, "title": "{{ x"})}
    ).content.decode()
    assert "line 1" in broken


def test_words_of_a_person_are_escaped(marketer: Client, application: Application) -> None:
    make_people(application, 1, attributes={"name": "<script>alert(1)</script>"})
    html = marketer.post("/templates/preview", {"preview_for": "person-0000", **words(EN)}).content.decode()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.usefixtures("as_worker")
def test_a_campaign_is_planned_reviewed_sent_and_followed(
    marketer: Client, people: list[str], network: Recorder, tenant: Tenant
) -> None:
    address = made(marketer)
    review = marketer.get(address).content.decode()
    assert '<span class="stat-value" id="sends">3</span>' in review
    assert "Hi Name 0" in review
    assert marketer.post(f"{address}schedule", {"when": "now"}).status_code == 302
    assert "It starts by itself" in marketer.get(address).content.decode()
    send_everything()
    followed = marketer.get(address).content.decode()
    assert 'data-count="accepted">3<' in followed
    assert "hx-trigger" not in followed  # nothing moves any more
    rows = marketer.get(f"{address}deliveries?state=accepted").content.decode()
    assert "person-0001" in rows
    assert "person-0001" not in marketer.get(f"{address}deliveries?state=rejected").content.decode()


@pytest.mark.usefixtures("as_worker")
def test_pause_resume_and_cancel_from_the_page(marketer: Client, people: list[str], network: Recorder) -> None:
    address = made(marketer)
    marketer.post(f"{address}schedule", {"when": "now"})
    start_due_campaigns()
    for verb, status in (("pause", "Paused"), ("resume", "Sending"), ("cancel", "Cancelled")):
        marketer.post(f"{address}{verb}")
        assert status in marketer.get(f"{address}progress").content.decode()
    marketer.post(f"{address}cancel")
    assert "not in a state that allows this" in marketer.get(address).content.decode()


def test_a_time_is_meant_in_the_organisations_zone(marketer: Client, people: list[str], tenant: Tenant) -> None:
    with tenant_scope(tenant):
        tenant.changed(timezone="Asia/Shanghai")
    later = (datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(days=1)).replace(second=0, microsecond=0)
    address = made(marketer)
    marketer.post(f"{address}schedule", {"when": "later", "send_at": later.strftime("%Y-%m-%dT%H:%M")})
    assert only(tenant, Campaign).send_at == later


@pytest.mark.parametrize(
    ("posted", "said"),
    [
        ({"when": "later", "send_at": "2020-01-01T10:00"}, "This time has passed"),
        ({"when": "later", "send_at": ""}, "Choose a time."),
        ({"when": "later", "send_at": "soon"}, "Enter a valid date/time."),
        ({}, "This field is required."),
    ],
)
def test_a_bad_time_is_explained_and_schedules_nothing(
    marketer: Client, people: list[str], tenant: Tenant, posted: dict[str, str], said: str
) -> None:
    response = marketer.post(f"{made(marketer)}schedule", posted)
    assert said in response.content.decode()
    assert only(tenant, Campaign).status == "draft"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "n" * 10_000}, "at most 120 characters"),
        ({"people": "segment"}, "Choose a segment."),
        ({"people": "ids"}, "Name at least one subscriber."),
        ({"people": "segment", "segment": "seg_theirs"}, "Select a valid choice"),
        ({"source": "template"}, "Choose a template."),
        ({"routes": []}, "This field is required."),
        ({"routes": ["pigeon"]}, "Select a valid choice"),
        (words({**EN, "title": "{{ subscriber.name"}), "Line 1"),
    ],
)
def test_a_plan_that_cannot_work_is_explained(
    marketer: Client, tenant: Tenant, given: dict[str, Any], said: str
) -> None:
    response = marketer.post("/campaigns/new", plan(**given))
    assert response.status_code == 200
    assert said in response.content.decode()
    with tenant_scope(tenant):
        assert not Campaign.objects.of(tenant).exists()


def test_an_unknown_variable_is_told_before_sending(marketer: Client, people: list[str]) -> None:
    address = made(marketer, **words({**EN, "title": "{{ subscriber.shoe }}"}))
    assert "unknown variable subscriber.shoe" in marketer.get(address).content.decode()
    refused = marketer.post(f"{address}schedule", {"when": "now"}).content.decode()
    assert "uses a variable that nobody" in refused


def test_the_audience_is_counted_while_it_is_chosen(marketer: Client, people: list[str]) -> None:
    assert "3 people" in marketer.post("/campaigns/audience", {"people": "all"}).content.decode()
    ids = {"people": "ids", "external_ids": "person-0001\nghost"}
    assert "1 person" in marketer.post("/campaigns/audience", ids).content.decode()


def test_a_draft_is_edited_copied_and_deleted(marketer: Client, people: list[str], tenant: Tenant) -> None:
    address = made(marketer)
    assert "Hi {{ subscriber.name }}" in marketer.get(f"{address}edit").content.decode()
    marketer.post(f"{address}edit", plan(name="Summer"))
    assert only(tenant, Campaign).name == "Summer"
    copy = marketer.post(f"{address}duplicate").headers["Location"]
    assert "Copy of Summer" in marketer.get(copy).content.decode()
    marketer.post(f"{address}delete")
    assert only(tenant, Campaign).name == "Copy of Summer"


def test_a_test_send_goes_to_the_named_person(marketer: Client, people: list[str]) -> None:
    address = made(marketer)
    marketer.post(f"{address}test", {"external_id": "person-0001"})
    assert "The test is on its way." in marketer.get(address).content.decode()
    marketer.post(f"{address}test", {"external_id": "ghost"})
    assert "do not exist" in marketer.get(address).content.decode()


def test_who_may_only_read_may_not_write_or_send(marketer: Client, analyst: Client, people: list[str]) -> None:
    address = made(marketer)
    assert analyst.get(address).status_code == 200
    for url in ("/campaigns/new", f"{address}schedule", f"{address}delete", f"{address}cancel", "/templates/new"):
        assert analyst.post(url, plan()).status_code == 403


def test_another_tenants_campaign_is_not_there(
    marketer: Client, other_tenant: Tenant, other_application: Application, people: list[str]
) -> None:
    address = made(marketer)
    neighbour = member_client(other_tenant, Role.MARKETER)
    for part in ("", "edit", "progress", "deliveries"):
        assert neighbour.get(f"{address}{part}").status_code == 404
    for part in ("schedule", "test", "pause", "resume", "cancel", "duplicate", "delete"):
        assert neighbour.post(f"{address}{part}", {"when": "now"}).status_code == 404


@pytest.mark.usefixtures("as_worker")
def test_every_page_with_something_in_it_keeps_the_promises(
    marketer: Client, people: list[str], network: Recorder
) -> None:
    marketer.post("/templates/new", {"name": "Welcome", **words(EN, ZH)})
    made(marketer, name="A draft")
    marketer.post(f"{made(marketer)}schedule", {"when": "now"})
    send_everything()
    pages = walk(marketer, "/campaigns/")
    assert len(pages) > 6
    for url, page in pages.items():
        assert isinstance(page, Page)
        assert (page.inline, page.headings, page.without_label) == ([], 1, []), url
        assert sorted(page.ids) == sorted(set(page.ids)), url


@pytest.mark.parametrize(
    "url",
    [
        "/campaigns/?q=%00", "/templates/?q=%00", "/campaigns/?page=-1&status=lost", "{0}deliveries?external_id=%00",
        "{0}deliveries?reason=%00", "{0}deliveries?state=%00",
    ],
)  # fmt: skip
def test_a_mangled_address_is_no_crash(marketer: Client, people: list[str], url: str) -> None:
    address = made(marketer)
    assert marketer.get(url.format(address)).status_code in {200, 400, 404}
