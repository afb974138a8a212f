"""Which text the readers of each language get."""

from __future__ import annotations

from itertools import product

import pytest

from apps.audience.models import Subscriber
from apps.audience.services.subscribers import upsert_subscriber
from apps.campaigns.readers import readership_of
from apps.messaging.content.languages import choose_language, way_to_language
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope

_TAGS = ["en", "EN-GB", "zh", "zh-Hant", "zh-Hant-HK", "zh_TW", "de", "pt-BR", "ja"]


@pytest.mark.parametrize(
    ("wanted", "offered", "way"),
    [
        ("zh-Hant-HK", ["en", "zh"], ("zh-hant-hk", "zh-hant", "zh")),
        ("zh-Hant-HK", ["en", "zh-Hant"], ("zh-hant-hk", "zh-Hant")),
        ("fr", ["zh", "de"], ("fr", "de")),
        ("", ["de"], ("de",)),
        ("fr", ["zh", "en"], ("fr", "de", "en")),
        ("fr", ["zh", "ja"], ("fr", "de", "en", "zh")),
    ],
)
def test_the_way_to_a_text(wanted: str, offered: list[str], way: tuple[str, ...]) -> None:
    assert way_to_language(wanted, "de", offered) == way


@pytest.mark.parametrize("default", ["en", "zh-Hant-HK", "ja"])
def test_the_way_ends_at_what_the_send_chooses(default: str) -> None:
    for wanted, *offered in product(["", *_TAGS], _TAGS, _TAGS):
        way = way_to_language(wanted, default, offered)
        assert way[-1] == choose_language(wanted, default, offered)
        assert way[-1] in offered
        assert len(set(way)) == len(way)


@pytest.mark.django_db
def test_people_are_counted_by_the_text_that_they_get(application: Application) -> None:
    with tenant_scope(application.tenant):
        for number, language in enumerate(["zh-Hant-HK", "zh-Hans", "zh-hans", "fr", ""]):
            person = {"external_id": str(number), "language": language}
            upsert_subscriber(tenant=application.tenant, application=application, person=person)
        audience = Subscriber.objects.in_application(application)
        found = readership_of(audience, ["en", "zh-Hans", "zh"], "en")
    assert found.by_text == {"en": 2, "zh-Hans": 2, "zh": 1}
    ways = {one.language: one.way for one in found.readers}
    assert ways["zh-hant-hk"] == ("zh-hant-hk", "zh-hant", "zh")
    assert ways["fr"] == ("fr", "en")
    assert found.others == 0
