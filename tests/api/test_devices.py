"""`/api/v1/devices`."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.core.encoding import from_base64url
from tests.api.helpers import problem

pytestmark = pytest.mark.django_db

_URL = "/api/v1/devices"
_PHONE = {"external_id": "ann", "platform": "ios", "address": "a1b2c3"}
_KEYS = {
    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
}
_BROWSER = {"external_id": "ann", "platform": "web", "address": "https://push.example.com/1", "keys": _KEYS}


def test_a_device_is_registered_read_moved_and_forgotten(api: APIClient) -> None:
    made = api.post(_URL, _PHONE)
    assert made.status_code == 201
    assert {name: made.json()[name] for name in ("external_id", "provider", "environment", "retired_at")} == {
        "external_id": "ann", "provider": "apns", "environment": "production", "retired_at": None,
    }  # fmt: skip
    url = f"{_URL}/{made.json()['id']}"
    assert api.get(url).json() == made.json()

    again = api.post(_URL, _PHONE)
    assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])

    moved = api.patch(url, {"external_id": "bob"})
    assert (moved.status_code, moved.json()["external_id"]) == (200, "bob")
    assert api.delete(url).status_code == 204
    problem(api.get(url), 404, "not_found")


def test_addresses_and_keys_are_not_given_back(api: APIClient) -> None:
    made = api.post(_URL, _BROWSER)
    assert made.status_code == 201
    for secret in (_BROWSER["address"], *_KEYS.values()):
        assert str(secret) not in made.content.decode()


def test_devices_are_listed_by_person_and_by_route(api: APIClient) -> None:
    for body in (_PHONE, _BROWSER, {**_PHONE, "external_id": "bob", "address": "d4"}):
        api.post(_URL, body)

    def listed(query: str) -> list[tuple[str, str]]:
        return [(one["external_id"], one["provider"]) for one in api.get(f"{_URL}{query}").json()["data"]]

    assert sorted(listed("")) == [("ann", "apns"), ("ann", "webpush"), ("bob", "apns")]
    assert sorted(listed("?external_id=ann")) == [("ann", "apns"), ("ann", "webpush")]
    assert listed("?provider=webpush") == [("ann", "webpush")]
    assert listed("?external_id=nobody") == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"platform": "toaster"}, "platform"),
        ({"address": ""}, "address"),
        ({"address": "a b"}, "address"),
        ({"address": None}, "address"),
        ({"external_id": "two words"}, "external_id"),
        ({"platform": "web"}, "public_key"),
        ({**_BROWSER, "address": "https://169.254.169.254/"}, "address"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_registration_is_refused_by_field(api: APIClient, changes: dict[str, Any], field: str) -> None:
    response = api.post(_URL, {**_PHONE, **changes})
    assert response.status_code == 400
    assert field in response.json()["errors"]
    assert api.get(_URL).json()["data"] == []


def test_the_neighbours_device_is_not_there(api: APIClient, other_api: APIClient) -> None:
    made = other_api.post(_URL, _PHONE).json()
    url = f"{_URL}/{made['id']}"
    for response in (api.get(url), api.patch(url, {"external_id": "eve"}), api.delete(url)):
        problem(response, 404, "not_found")
    assert api.get(_URL).json()["data"] == []
    assert other_api.get(url).json()["external_id"] == "ann"


@pytest.mark.parametrize("count", [1, 3])
def test_listing_takes_as_many_queries_for_three_as_for_one(
    api: APIClient, count: int, django_assert_max_num_queries: Any
) -> None:
    for number in range(count):
        api.post(_URL, {**_PHONE, "address": f"token-{number}"})
    with django_assert_max_num_queries(14):
        assert len(api.get(_URL).json()["data"]) == count


def test_the_web_push_key_is_made_once_and_is_each_applications_own(api: APIClient, other_api: APIClient) -> None:
    first, again = (api.get("/api/v1/web-push-key") for _ in range(2))
    assert first.status_code == 200
    assert first.json() == again.json()
    assert len(from_base64url(first.json()["public_key"])) == 65
    assert other_api.get("/api/v1/web-push-key").json() != first.json()
    assert set(first.json()) == {"id", "public_key"}
