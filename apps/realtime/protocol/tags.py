"""Tags that a publication carries, and the filters that subscribers choose by. Pure.

A filter is an object of tag names; a publication passes when each of them has the value asked for: one value, any of a
list, or within bounds: `{"sku": ["4711", "4712"], "price": {"gte": 10, "lt": 20}}`. A missing tag passes nothing.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson

MAX_FIELDS, MAX_VALUES, MAX_TEXT = 8, 20, 64
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,32}\Z")
_BOUNDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le,
}  # fmt: skip
_LARGEST = 2**53


class BadTags(Exception):
    """Tags or a filter that cannot be; the text says what is wrong."""


def packed_tags(value: object) -> str:
    """As they travel in a publication's header: JSON without any space. Raises BadTags."""
    if value in (None, {}):
        return ""
    if not isinstance(value, dict) or len(value) > MAX_FIELDS:
        raise BadTags(f"tags must be an object of at most {MAX_FIELDS} members")
    for name, each in value.items():
        _check_name(name)
        _check_value(each)
    return orjson.dumps(value).decode().replace(" ", "\\u0020")


@lru_cache(maxsize=4_096)
def _read(packed: str) -> dict[str, Any]:
    tags: dict[str, Any] = orjson.loads(packed)
    return tags


class Filter:
    """A subscriber's choice. Raises BadTags."""

    __slots__ = ("_fields",)

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict) or not 0 < len(value) <= MAX_FIELDS:
            raise BadTags(f"filter must be an object of 1 to {MAX_FIELDS} tag names")
        self._fields = [(_check_name(name), _condition(wanted)) for name, wanted in value.items()]

    def passes(self, packed: str) -> bool:
        if not packed:
            return False
        tags = _read(packed)
        return all(name in tags and condition(tags[name]) for name, condition in self._fields)


def _check_name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.match(name):
        raise BadTags("a tag's name has 1 to 32 of the characters a-z A-Z 0-9 _ . -")
    return name


def _check_value(value: object) -> None:
    is_text = isinstance(value, str) and len(value) <= MAX_TEXT
    if not is_text and not isinstance(value, bool) and not _is_number(value):
        raise BadTags(f"a tag is a text of at most {MAX_TEXT} characters, a number, true or false")
    try:
        orjson.dumps(value)
    except TypeError:
        raise BadTags("a tag must be valid Unicode text") from None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST


def _condition(wanted: object) -> Callable[[Any], bool]:
    if isinstance(wanted, dict):
        return _within(wanted)
    values = wanted if isinstance(wanted, list) else [wanted]
    if not 0 < len(values) <= MAX_VALUES:
        raise BadTags(f"a list in a filter has 1 to {MAX_VALUES} values")
    for each in values:
        _check_value(each)
    # True == 1 in Python, and not in JSON.
    allowed = {(isinstance(each, bool), each) for each in values}
    return lambda value: (isinstance(value, bool), value) in allowed


def _within(bounds: dict[str, Any]) -> Callable[[Any], bool]:
    if not bounds or not bounds.keys() <= _BOUNDS.keys() or not all(map(_is_number, bounds.values())):
        raise BadTags("bounds in a filter are numbers named gt, gte, lt or lte")
    tests = [(_BOUNDS[name], bound) for name, bound in bounds.items()]
    return lambda value: _is_number(value) and all(holds(value, bound) for holds, bound in tests)
