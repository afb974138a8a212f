from __future__ import annotations

import gettext
import io
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation

from apps.operations import translations

#: What a translation must carry over as it is: %(name)s, %d, %%, {name}, {{ name }} and tags of markup.
_PLACEHOLDERS = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\{?[^{}]*\}?\}|</?\w+[^<>]*>")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_LONE_PERCENT = re.compile(r"(?<!%)(?:%%)*%(?![%sd(])")


@pytest.fixture(scope="module", params=translations.catalogues(), ids=lambda path: path.parts[-3])
def committed(request: pytest.FixtureRequest) -> Catalog:
    with request.param.open("rb") as file:
        return read_po(file)


@pytest.fixture(scope="module")
def collected() -> Catalog:
    return translations.collect()


def test_the_catalogue_holds_the_texts_of_the_sources_and_no_others(committed: Catalog, collected: Catalog) -> None:
    in_sources, in_catalogue = _keys(collected), _keys(committed)
    assert len(in_sources) > 500
    assert (in_sources - in_catalogue, in_catalogue - in_sources) == (set(), set()), (
        "run `manage.py collect_translations`"
    )
    assert not committed.obsolete


def test_every_text_has_a_translation(committed: Catalog) -> None:
    assert [message.id for message in translations.untranslated(committed)] == []
    assert [message.id for message in committed if message.id and message.fuzzy] == []


def test_a_translation_keeps_the_placeholders(committed: Catalog) -> None:
    broken = [
        (message.id, text)
        for message in committed
        if message.id
        for text in _texts(message.string or "")
        if _placeholders(text) != _placeholders(_texts(message.id)[-1])
        or (message.python_format and _LONE_PERCENT.search(text))
    ]
    assert broken == []


def test_a_plural_has_as_many_forms_as_its_language(committed: Catalog) -> None:
    wrong = [m.id for m in committed if m.pluralizable and len(m.string or ()) != committed.num_plurals]
    assert wrong == []


def test_the_compiled_catalogue_answers_with_the_translation(committed: Catalog) -> None:
    compiled = io.BytesIO()
    write_mo(compiled, committed)
    compiled.seek(0)
    catalogue = gettext.GNUTranslations(compiled)
    for message in committed:
        if message.id:
            assert _ask(catalogue, message) == _texts(message.string or "")[0]


@pytest.mark.usefixtures("catalogues")
@pytest.mark.parametrize(
    "path", sorted((settings.BASE_DIR / "templates/mail").glob("*.txt")), ids=lambda path: path.stem
)
def test_a_letter_to_a_chinese_reader_holds_no_english(path: Path) -> None:
    with translation.override("zh-hans"):
        letter = render_to_string(f"mail/{path.name}", {"left": 2, "threshold": 80, "tenant": "示例科技"})
    assert _CHINESE.search(letter)
    assert not re.search(r"[A-Za-z]+ [A-Za-z]+", letter)


def _ask(catalogue: gettext.GNUTranslations, message: Message) -> str:
    one, *more = _texts(message.id)
    if more:
        return catalogue.ngettext(one, more[0], 1)
    return catalogue.pgettext(message.context, one) if message.context else catalogue.gettext(one)


def _keys(catalogue: Catalog) -> set[tuple[str | None, tuple[str, ...]]]:
    return {(message.context, tuple(_texts(message.id))) for message in catalogue if message.id}


def _texts(one_or_more: str | Sequence[str]) -> list[str]:
    return [one_or_more] if isinstance(one_or_more, str) else list(one_or_more)


def _placeholders(text: str) -> Counter[str]:
    return Counter(_PLACEHOLDERS.findall(text))
