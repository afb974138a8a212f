"""Words per language: compiled once, bounded, never half-filled."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core.errors import HouseError
from apps.messaging.content.languages import choose_language
from apps.messaging.content.rendering import RenderFailed, compile_content
from apps.messaging.errors import ContentMissing, ContentTooLarge, TemplateInvalid
from apps.providers.base import Notification


def body(source: str) -> dict[str, dict[str, Any]]:
    return {"en": {"title": "T", "body": source}}


def rendered(source: str, **attributes: object) -> str:
    return compile_content(body(source)).render("en", {"subscriber": attributes}).body


def test_every_text_of_a_language_is_filled() -> None:
    content = compile_content(
        {"en": {"title": "Hi {{ subscriber.name }}", "url": "https://x/{{ subscriber.id }}",
                "data": {"code": "{{ variables.code }}", "n": 7}}}
    )  # fmt: skip
    shown = content.render("en", {"subscriber": {"name": "Ann", "id": 4}, "variables": {"code": "x"}})
    assert shown == Notification("Hi Ann", "", "", "https://x/4", {"code": "x", "n": 7})


@pytest.mark.parametrize(
    ("source", "attributes", "expected"),
    [
        ("{{ subscriber.name | default: 'you' }}", {}, "you"),
        ("{% if subscriber.pro %}Pro{% else %}Free{% endif %}", {}, "Free"),
        ("{% if subscriber.pro %}Pro{% else %}Free{% endif %}", {"pro": True}, "Pro"),
        ("{{ subscriber.city | upcase }}", {"city": "rome"}, "ROME"),
        ("{% for tag in subscriber.tags %}{{ tag }},{% endfor %}", {"tags": ["a", "b"]}, "a,b,"),
    ],
)
def test_liquid_as_marketers_know_it(source: str, attributes: dict[str, Any], expected: str) -> None:
    assert rendered(source, **attributes) == expected


@pytest.mark.parametrize(
    "source", ["{{ subscriber.name }}", "{{ subscriber.a.b }}", "{{ subscriber.n | divided_by: 0 }}"]
)
def test_what_a_person_lacks_is_an_error_and_not_a_gap(source: str) -> None:
    with pytest.raises(RenderFailed) as caught:
        rendered(source, n=1)
    assert (caught.value.fault.language, caught.value.fault.field) == ("en", "body")


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in (1..99999999) %}x{% endfor %}",
        "{% for i in (1..999) %}{% for j in (1..999) %}x{% endfor %}{% endfor %}",
        "{% tablerow i in (1..99999999) %}{% endtablerow %}",
        "{{ (1..99999999) | join: ',' }}",
        "{% assign x = 'aaaaaaaaaa' %}{% for i in (1..60) %}{% assign x = x | append: x %}{% endfor %}",
        "{{ 'a' | replace: 'a', '" + "a" * 300 + "' | replace: 'a', '" + "a" * 300 + "' }}",
        "{{ 9 | times: 9999999999 | times: 9999999999 }}",
        "{{ '2026-01-01' | date: '%99999999d' }}",
    ],
)
def test_what_would_never_end_or_fit_is_refused_before_it_is_saved(source: str) -> None:
    with pytest.raises(TemplateInvalid):
        compile_content(body(source))


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({}, ContentMissing),
        ({"en": {"title": " "}}, ContentMissing),
        ({"en": {"title": "x"}, "de": {}}, ContentMissing),
        ({"en": {"title": "x" * 1_001}}, ContentTooLarge),
        ({"en": {"title": "x", "data": {"a": "x" * 5_000}}}, ContentTooLarge),
        ({f"x{chr(97 + n // 26)}{chr(97 + n % 26)}": {"title": "x"} for n in range(51)}, ContentTooLarge),
        ({"../etc": {"title": "x"}}, TemplateInvalid),
        (body("{% include 'x' %}"), TemplateInvalid),
        (body("{{ subscriber.x | nope }}"), TemplateInvalid),
        (body("{{ request.user }}"), TemplateInvalid),
    ],
)
def test_content_that_cannot_work_is_refused(content: dict[str, Any], error: type[HouseError]) -> None:
    with pytest.raises(error):
        compile_content(content)


def test_all_faults_come_at_once_with_their_places() -> None:
    with pytest.raises(TemplateInvalid) as caught:
        compile_content({"en": {"title": "{{ a", "body": "x\n  {{ foo }}"}, "de": {"title": "{% if %}"}})
    places = [(fault.language, fault.field, fault.line) for fault in caught.value.faults]
    assert places == [("en", "title", 1), ("en", "body", 2), ("de", "title", 1)]


@pytest.mark.parametrize("url", ["javascript:alert(1)", " JavaScript :x", "data:text/html,x", "{{ subscriber.link }}"])
def test_an_address_that_runs_code_is_not_sent(url: str) -> None:
    content = compile_content({"en": {"title": "x", "url": url}})
    with pytest.raises(RenderFailed, match="safe"):
        content.render("en", {"subscriber": {"link": "vbscript:x"}})


def test_needed_attributes_leave_out_those_with_a_default_or_a_condition() -> None:
    source = (
        "{{ subscriber.a }}{{ subscriber.b | default: 1 }}{% if subscriber.c %}{{ subscriber.c }}{% endif %}\n"
        "{% if subscriber.d %}{{ subscriber.e }}{% endif %}"
    )
    assert [(name, fault.line) for fault, name in compile_content(body(source)).needed()] == [("a", 1), ("e", 2)]


@pytest.mark.parametrize(
    ("wanted", "default", "offered", "chosen"),
    [
        ("zh-Hant-HK", "en", ["en", "zh-Hant", "zh"], "zh-Hant"),
        ("zh-Hant-HK", "en", ["en", "zh"], "zh"),
        ("zh_hans", "en", ["en", "zh-Hans"], "zh-Hans"),
        ("fr", "de-AT", ["en", "de"], "de"),
        ("fr", "it", ["de", "en"], "en"),
        ("fr", "it", ["ja", "de"], "ja"),
        ("", "", ["ja"], "ja"),
    ],
)
def test_the_language_falls_back_step_by_step(wanted: str, default: str, offered: list[str], chosen: str) -> None:
    assert choose_language(wanted, default, offered) == chosen


def test_what_apple_alone_is_told_is_checked_with_the_words() -> None:
    with pytest.raises(TemplateInvalid) as refused:
        compile_content({"en": {"title": "Hi", "apns": {"push_type": "background", "priority": 10}}})
    [fault] = refused.value.faults
    assert (fault.language, fault.field) == ("en", "apns.priority")


def test_only_what_apple_shows_to_nobody_may_be_without_words() -> None:
    silent = compile_content({"en": {"apns": {"push_type": "background"}}})
    assert silent.render("en", {}).apns == {"push_type": "background"}
    with pytest.raises(ContentMissing):
        compile_content({"en": {"apns": {"priority": 5}}})
