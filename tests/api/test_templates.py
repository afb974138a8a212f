"""`/api/v1/templates`."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tests.api.helpers import problem

pytestmark = pytest.mark.django_db
URL = "/api/v1/templates"
WORDS = {"name": "Welcome", "content": {"en": {"title": "Hi {{ subscriber.name | default: 'you' }}", "body": "…"}}}


def test_a_template_is_made_read_changed_and_deleted(api: APIClient) -> None:
    made = api.post(URL, WORDS)
    assert made.status_code == 201
    one = f"{URL}/{made.json()['id']}"
    assert api.get(one).json()["content"] == WORDS["content"]
    assert api.patch(one, {"name": "Hello"}).json()["name"] == "Hello"
    assert [row["name"] for row in api.get(URL).json()["data"]] == ["Hello"]
    assert api.delete(one).status_code == 204
    problem(api.get(one), 404, "not_found")


def test_a_template_that_does_not_parse_is_refused_with_its_place(api: APIClient) -> None:
    content = {"en": {"title": "ok"}, "de": {"title": "eins", "body": "zwei\n{{ subscriber.name"}}
    body = problem(api.post(URL, {"name": "Broken", "content": content}), 400, "template_invalid")
    [fault] = body["faults"]
    assert (fault["language"], fault["field"], fault["line"]) == ("de", "body", 2)
    assert list(body["errors"]) == ["content.de.body"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"en": {"title": "{% for i in (1..99999999) %}x{% endfor %}"}}, "template_invalid"),
        ({"en": {"title": "{{ (1..99999999) | join: ',' }}"}}, "template_invalid"),
        ({"en": {"title": "{% include 'secrets' %}"}}, "template_invalid"),
        ({"en": {"title": "{{ settings.SECRET_KEY }}"}}, "template_invalid"),
        ({"not a language": {"title": "x"}}, "template_invalid"),
        ({"en": {"title": "", "body": " "}}, "content_missing"),
        ({}, "invalid_input"),
        ({"en": {"titel": "x"}}, "invalid_input"),
        ({"en": {"title": "x" * 1_001}}, "invalid_input"),
        ({"en": "x"}, "invalid_input"),
        ("x", "invalid_input"),
    ],
)
def test_words_that_cannot_work_are_refused(api: APIClient, content: object, code: str) -> None:
    answer = api.post(URL, {"name": "Broken", "content": content})
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert api.get(URL).json()["data"] == []


def test_a_name_is_taken_once(api: APIClient) -> None:
    api.post(URL, WORDS)
    problem(api.post(URL, WORDS), 409, "template_name_taken")


def test_another_tenants_template_is_not_there(api: APIClient, other_api: APIClient) -> None:
    theirs = f"{URL}/{other_api.post(URL, WORDS).json()['id']}"
    for answer in (api.get(theirs), api.patch(theirs, {"name": "Mine"}), api.delete(theirs)):
        problem(answer, 404, "not_found")
    assert other_api.get(theirs).json()["name"] == "Welcome"
