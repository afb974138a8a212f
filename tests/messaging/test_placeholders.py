"""The shortcut past the template engine says what the engine says, or nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from liquid.exceptions import LiquidError

from apps.messaging.content.liquid import strict_environment
from apps.messaging.content.placeholders import filler_for

_environment = strict_environment()
_names = st.sampled_from(["name", "city", "size", "first", "points", "absent", "deep", "zh-name"])
_values: st.SearchStrategy[Any] = st.one_of(
    st.text(max_size=12), st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False),
    st.lists(st.integers(), max_size=2), st.dictionaries(_names, st.text(max_size=5), max_size=2),
)  # fmt: skip
_words = st.text(st.characters(blacklist_characters="{}%", codec="utf-8"), max_size=10)
_paths = st.lists(_names, min_size=1, max_size=2).map(".".join)
_pieces = st.one_of(_words, _paths.map(lambda path: f"{{{{ subscriber.{path} }}}}"))


@given(st.lists(_pieces, max_size=5).map("".join), st.dictionaries(_names, _values, max_size=5))
def test_what_is_filled_is_what_liquid_writes(source: str, attributes: dict[str, Any]) -> None:
    template = _environment.from_string(source)
    filler = filler_for(template)
    filled = filler({"subscriber": attributes}) if filler else None
    try:
        written = template.render(subscriber=attributes)
    except LiquidError:
        written = None
    assert filled in (None, written)


def test_a_plain_placeholder_is_filled_without_the_engine() -> None:
    filler = filler_for(_environment.from_string("Hi {{ subscriber.name }}, {{ subscriber.points }} points"))
    assert filler is not None
    assert filler({"subscriber": {"name": "Ann", "points": 7}}) == "Hi Ann, 7 points"
    assert filler({"subscriber": {"name": "Ann"}}) is None


@pytest.mark.parametrize(
    "source",
    ["{{ subscriber.name | upcase }}", "{% if subscriber.pro %}x{% endif %}", "{{ subscriber.tags.size }}", "{{ x }}"],
)
def test_more_than_a_placeholder_is_left_to_the_engine(source: str) -> None:
    assert filler_for(_environment.from_string(source)) is None


def test_a_text_that_may_be_too_long_is_left_to_the_engine() -> None:
    filler = filler_for(_environment.from_string("{{ subscriber.name }}"))
    assert filler is not None
    assert filler({"subscriber": {"name": "x" * 16_000}}) is None
