"""What people want to hear about, over REST and on their own page."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from apps.audience.models import OptOut, Subscriber
from apps.audience.preferences import name_in, path_of, read_token, token_of
from apps.audience.queries import opted_out
from apps.audience.services.preferences import create_category, preferences_of, set_preferences
from apps.audience.services.subscribers import erase_subscriber, upsert_subscriber
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from tests.api.helpers import problem

pytestmark = pytest.mark.django_db
_NAMES = {"en": "Offers", "zh-Hans": "优惠"}


@pytest.fixture
def ada(tenant: Tenant, application: Application) -> Subscriber:
    """With the categories news and offers."""
    with tenant_scope(tenant):
        create_category(tenant=tenant, application=application, key="news", names={"en": "News"})
        create_category(tenant=tenant, application=application, key="offers", names=_NAMES)
        person = {"external_id": "ada", "language": "zh-Hans-CN"}
        return upsert_subscriber(tenant=tenant, application=application, person=person)[0]


def _state(person: Subscriber) -> tuple[bool, dict[str, bool]]:
    with tenant_scope(person.tenant_id):
        current = preferences_of(person=person)
    return current.unsubscribed, dict(current.wanted)


def test_the_page_speaks_the_persons_language_and_a_look_changes_nothing(ada: Subscriber, client: Client) -> None:
    answer = client.get(path_of(ada))

    page = answer.content.decode()
    assert answer.status_code == 200
    assert 'lang="zh-hans"' in page
    assert "优惠" in page
    assert (answer["Referrer-Policy"], answer["X-Robots-Tag"]) == ("no-referrer", "noindex")
    assert "no-store" in answer["Cache-Control"]
    assert "script-src" in answer["Content-Security-Policy"]
    assert "<script" not in page
    assert _state(ada) == (False, {"news": True, "offers": True})


def test_the_form_chooses_and_one_click_unsubscribes(ada: Subscriber) -> None:
    client = Client(enforce_csrf_checks=True)

    client.post(path_of(ada), {"action": "save", "wanted": ["news", "unheard-of"]})
    assert _state(ada) == (False, {"news": True, "offers": False})
    answer = client.post(path_of(ada), {"List-Unsubscribe": "One-Click"})
    assert _state(ada) == (True, {"news": True, "offers": False})
    assert answer.status_code == 204
    client.post(path_of(ada), {"action": "unsubscribe"})
    client.post(path_of(ada), {"action": "save", "wanted": ["news", "offers"]})
    assert _state(ada) == (False, {"news": True, "offers": True})


def test_no_other_token_opens_a_page(
    ada: Subscriber, client: Client, tenant: Tenant, application: Application, other_tenant: Tenant
) -> None:
    token = token_of(ada)
    swapped = token.replace(tenant.public_id, other_tenant.public_id)
    for bad in (token[:-1], token + "x", swapped, "x", ada.public_id, f"{ada.public_id}:{token.rpartition(':')[2]}"):
        assert client.get(f"/p/{bad}/").status_code == 404
        assert client.post(f"/p/{bad}/", {"action": "unsubscribe"}).status_code == 404
    with tenant_scope(tenant):
        erase_subscriber(tenant=tenant, subscriber=ada, actor="system")
    assert read_token(token) is not None
    assert client.get(f"/p/{token}/").status_code == 404


def test_opted_out_names_who_wants_nothing_or_not_this(
    ada: Subscriber, tenant: Tenant, application: Application
) -> None:
    with tenant_scope(tenant):
        bob, _new = upsert_subscriber(tenant=tenant, application=application, person={"external_id": "bob"})
        set_preferences(tenant=tenant, person=ada, source="api", wanted={"offers": False})
        set_preferences(tenant=tenant, person=bob, source="api", unsubscribed=True)
        set_preferences(tenant=tenant, person=bob, source="api", unsubscribed=True)

        assert OptOut.objects.of(tenant).count() == 2
        assert set(opted_out(application=application)) == {bob.pk}
        assert set(opted_out(application=application, category="news")) == {bob.pk}
        assert set(opted_out(application=application, category="offers")) == {ada.pk, bob.pk}


def test_over_rest(ada: Subscriber, api: APIClient, other_api: APIClient) -> None:
    url = "/api/v1/subscribers/ada/preferences"

    changed = api.patch(url, {"unsubscribed": True, "categories": {"news": False}}).json()

    assert changed["url"].endswith(path_of(ada))
    assert {name: changed[name] for name in ("unsubscribed", "categories")} == {
        "unsubscribed": True,
        "categories": {"news": False, "offers": True},
    }
    assert api.get(url).json() == changed
    problem(api.patch(url, {"categories": {"weather": True}}), 400, "preferences_invalid")
    problem(other_api.patch(url, {"unsubscribed": False}), 404, "not_found")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"key": "News!", "names": {"en": "News"}}, 400, "category_invalid"),
        ({"key": "n" * 41, "names": {"en": "News"}}, 400, "category_invalid"),
        ({"key": "sport", "names": {}}, 400, "category_invalid"),
        ({"key": "sport", "names": {"en": " "}}, 400, "category_invalid"),
        ({"key": "sport", "names": {"english!": "Sport"}}, 400, "category_invalid"),
        ({"key": "sport", "names": "Sport"}, 400, "category_invalid"),
        ({"key": "news", "names": {"en": "News"}}, 409, "category_key_taken"),
    ],
)
def test_a_bad_category_is_refused(
    ada: Subscriber, api: APIClient, body: dict[str, Any], status: int, code: str
) -> None:
    problem(api.post("/api/v1/preference-categories", body), status, code)


def test_a_category_is_renamed_and_goes_with_what_was_said_about_it(ada: Subscriber, api: APIClient) -> None:
    newest = api.get("/api/v1/preference-categories").json()["data"][0]
    one = f"/api/v1/preference-categories/{newest['id']}"
    api.patch("/api/v1/subscribers/ada/preferences", {"categories": {"offers": False}})

    assert api.patch(one, {"names": {"pt_br": "Ofertas"}}).json()["names"] == {"pt-BR": "Ofertas"}
    assert api.delete(one).status_code == 204
    assert _state(ada) == (False, {"news": True})


@pytest.mark.parametrize(
    ("language", "name"),
    [("zh-Hans-CN", "优惠"), ("zh-hans", "优惠"), ("en-GB", "Offers"), ("fr", "Offers"), ("", "Offers")],
)
def test_a_name_is_found_by_the_widest_way(language: str, name: str) -> None:
    assert name_in(_NAMES, language, otherwise="offers") == name
