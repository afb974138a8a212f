"""`/api/v1/segments`."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db

_URL = "/api/v1/segments"
_RULES = {"any": [{"field": "tag", "relation": "=", "value": "vip"}, {"not": {"field": "tag", "relation": "exists"}}]}


def test_a_segment_is_made_read_changed_and_removed(api: APIClient) -> None:
    made = api.post(_URL, {"name": " VIPs ", "rules": _RULES})
    assert (made.status_code, made.json()["name"], made.json()["rules"]) == (201, "VIPs", _RULES)
    url = f"{_URL}/{made.json()['id']}"
    assert api.get(url).json() == made.json()
    assert api.get(_URL).json()["data"] == [made.json()]

    changed = api.patch(url, {"name": "Very important"})

    assert (changed.status_code, changed.json()["name"], changed.json()["rules"]) == (200, "Very important", _RULES)
    assert api.delete(url).status_code == 204
    assert api.get(url).status_code == 404


def test_the_estimate_counts_saved_and_unsaved_rules(api: APIClient) -> None:
    for name, tags in (("a", ["vip"]), ("b", []), ("c", ["other"])):
        api.post("/api/v1/subscribers", {"external_id": name, "tags": tags})
    segment = api.post(_URL, {"name": "VIPs", "rules": _RULES}).json()

    assert api.get(f"{_URL}/{segment['id']}/estimate").json() == {"count": 2, "is_exact": True, "margin": 0}
    assert api.post(f"{_URL}/estimate", {"rules": _RULES["any"][0]}).json()["count"] == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "x"}, None),
        ({"name": "n" * 10_000, "rules": _RULES}, None),
        ({"name": "x\u2028y", "rules": _RULES}, "segment_invalid"),
        ({"name": "x", "rules": {}}, "segment_rules_invalid"),
        ({"name": "x", "rules": {"all": [_RULES] * 101}}, "segment_rules_invalid"),
    ],
)
def test_a_bad_segment_is_refused(api: APIClient, body: dict[str, Any], code: str | None) -> None:
    response = api.post(_URL, body)

    assert response.status_code == 400
    assert code in (None, response.json()["code"])
    assert api.get(_URL).json()["data"] == []


def test_a_bad_rule_is_named_by_its_path(api: APIClient) -> None:
    rules = {"all": [{"any": [{"field": "tag", "relation": ">", "value": "x"}]}]}

    for url, body in ((_URL, {"name": "x", "rules": rules}), (f"{_URL}/estimate", {"rules": rules})):
        assert api.post(url, body).json()["path"] == "all[0].any[0].relation"


def test_a_name_is_taken_once(api: APIClient, other_api: APIClient) -> None:
    first = api.post(_URL, {"name": "VIPs", "rules": _RULES})
    second = api.post(_URL, {"name": "VIPs", "rules": _RULES})

    assert (first.status_code, second.status_code) == (201, 409)
    assert second.json()["code"] == "segment_name_taken"
    assert other_api.post(_URL, {"name": "VIPs", "rules": _RULES}).status_code == 201


def test_another_tenants_segment_is_not_found(api: APIClient, other_api: APIClient) -> None:
    theirs = other_api.post(_URL, {"name": "Theirs", "rules": _RULES}).json()
    url = f"{_URL}/{theirs['id']}"

    answers = [api.get(url), api.patch(url, {"name": "mine"}), api.delete(url), api.get(f"{url}/estimate")]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert other_api.get(url).json() == theirs
