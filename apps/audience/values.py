"""What one subscriber may look like. Pure: the REST door, the dashboard and the CSV import all read people with this.

Limits: external id 128 characters of the channel charset (it becomes the channel `#server-to-user-{external_id}`);
100 attributes and 16 KB of JSON; 100 tags of 64 characters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from zoneinfo import available_timezones

import orjson
from django.utils.translation import gettext_lazy as _

MAX_EXTERNAL_ID = 128
MAX_ATTRIBUTES = 100
MAX_ATTRIBUTE_NAME = 64
MAX_ATTRIBUTES_BYTES = 16_384
MAX_DEPTH = 5
MAX_TAGS = 100
MAX_TAG = 64
MAX_ALIASES = 20
MAX_ALIAS_LABEL = 32
MAX_ALIAS = 256
#: Outside this span PostgreSQL writes a short float as hundreds of digits, and the size limit would mean nothing.
_LARGEST_NUMBER, _SMALLEST_NUMBER = 2**63, 1e-15

EXTERNAL_ID_PATTERN = r"^[-a-zA-Z0-9_=@,.;]+$"
_EXTERNAL_ID = re.compile(r"[-a-zA-Z0-9_=@,.;]{1,128}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,7}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ALIAS_LABEL = re.compile(r"[a-z][a-z0-9_]{0,31}")
_FIELDS = frozenset({"external_id", "attributes", "tags", "language", "timezone", "aliases"})

MESSAGES: dict[str, Any] = {
    "not_an_object": _("A subscriber is an object."),
    "unknown_field": _("There is no such field."),
    "external_id_missing": _("Every subscriber needs an external id."),
    "external_id_invalid": _("An external id has 1 to 128 letters, digits or - _ = @ , . ;"),
    "language_invalid": _("This is not a language tag such as en, pt-BR or zh-Hans."),
    "timezone_unknown": _("This is not a time zone name such as Europe/Berlin."),
    "tags_invalid": _("Tags are a list of texts of 1 to 64 characters without control characters."),
    "too_many_tags": _("A subscriber has at most 100 tags."),
    "attributes_invalid": _("Attributes are an object of names and values."),
    "attribute_name_invalid": _("An attribute's name has 1 to 64 characters without control characters."),
    "attribute_value_invalid": _("A value may not hold NUL, broken text, deep nesting or huge numbers."),
    "too_many_attributes": _("A subscriber has at most 100 attributes."),
    "attributes_too_large": _("The attributes of a subscriber take at most 16 KB."),
    "aliases_invalid": _("Aliases are an object of labels and texts of 1 to 256 characters."),
    "alias_label_invalid": _("An alias's label has 1 to 32 small letters, digits or _ and begins with a letter."),
    "too_many_aliases": _("A subscriber has at most 20 aliases."),
    "alias_taken": _("Another subscriber has this alias."),
}


class ValueProblem(Exception):
    """One reason why a subscriber cannot be stored. code: a key of MESSAGES. field: where, as in `attributes.plan`."""

    def __init__(self, code: str, field: str) -> None:
        self.code, self.field = code, field
        super().__init__(f"{field}: {code}")

    @property
    def message(self) -> Any:
        return MESSAGES[self.code]


@dataclass(frozen=True, slots=True)
class SubscriberIn:
    """What somebody says about a person. None leaves the stored value; an attribute or alias that is None is removed.

    aliases: label -> value."""

    external_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] | None = None
    language: str | None = None
    timezone: str | None = None
    aliases: Mapping[str, str | None] = field(default_factory=dict)

    def followed_by(self, later: SubscriberIn) -> SubscriberIn:
        """Both statements about one person as one. Raises ValueProblem when together they are too large."""
        attributes = {**self.attributes, **later.attributes}
        check_attributes_size(attributes)
        return replace(
            self,
            attributes=attributes,
            tags=self.tags if later.tags is None else later.tags,
            language=self.language if later.language is None else later.language,
            timezone=self.timezone if later.timezone is None else later.timezone,
            aliases={**self.aliases, **later.aliases},
        )


def read_subscriber(raw: object) -> SubscriberIn:
    """A JSON object as received. Raises ValueProblem."""
    if not isinstance(raw, Mapping):
        raise ValueProblem("not_an_object", "")
    for name in raw:
        if name not in _FIELDS:
            raise ValueProblem("unknown_field", str(name)[:64])
    attributes, tags = raw.get("attributes"), raw.get("tags")
    language, timezone, aliases = raw.get("language"), raw.get("timezone"), raw.get("aliases")
    return SubscriberIn(
        external_id=read_external_id(raw.get("external_id")),
        attributes={} if attributes is None else read_attributes(attributes),
        tags=None if tags is None else read_tags(tags),
        language=None if language is None else read_language(language),
        timezone=None if timezone is None else read_timezone(timezone),
        aliases={} if aliases is None else read_aliases(aliases),
    )


def read_external_id(value: object) -> str:
    if value is None or value == "":
        raise ValueProblem("external_id_missing", "external_id")
    if not isinstance(value, str) or not is_external_id(value):
        raise ValueProblem("external_id_invalid", "external_id")
    return value


def is_external_id(value: str) -> bool:
    return _EXTERNAL_ID.fullmatch(value) is not None


def read_language(value: object) -> str:
    """A BCP 47 tag in its usual case (`zh-hans-cn` -> `zh-Hans-CN`, `pt_br` -> `pt-BR`). Empty means none."""
    if value == "":
        return ""
    tag = value.replace("_", "-") if isinstance(value, str) else ""
    if len(tag) > 35 or not _LANGUAGE.fullmatch(tag):
        raise ValueProblem("language_invalid", "language")
    primary, *rest = tag.split("-")
    return "-".join([primary.lower(), *(_usual_case(part) for part in rest)])


def _usual_case(part: str) -> str:
    if len(part) == 4 and part.isalpha():
        return part.title()
    return part.upper() if len(part) == 2 else part.lower()


@cache
def timezones() -> frozenset[str]:
    return frozenset(available_timezones() - {"Factory", "localtime"})


def read_timezone(value: object) -> str:
    """An IANA name. Empty means none."""
    if value == "":
        return ""
    if not isinstance(value, str) or value not in timezones():
        raise ValueProblem("timezone_unknown", "timezone")
    return value


def read_tags(value: object) -> tuple[str, ...]:
    """Each tag once, in the order given."""
    if not isinstance(value, list | tuple):
        raise ValueProblem("tags_invalid", "tags")
    for tag in value:
        if not isinstance(tag, str) or not 0 < len(tag) <= MAX_TAG or _CONTROL.search(tag) or not _is_text(tag):
            raise ValueProblem("tags_invalid", "tags")
    tags = tuple(dict.fromkeys(value))
    if len(tags) > MAX_TAGS:
        raise ValueProblem("too_many_tags", "tags")
    return tags


def read_aliases(value: object) -> dict[str, str | None]:
    """Label -> value; None stands for "remove it"."""
    if not isinstance(value, Mapping):
        raise ValueProblem("aliases_invalid", "aliases")
    if len(value) > MAX_ALIASES:
        raise ValueProblem("too_many_aliases", "aliases")
    return {read_alias_label(label): read_alias(label, name) for label, name in value.items()}


def read_alias_label(value: object) -> str:
    if not is_alias_label(value):
        raise ValueProblem("alias_label_invalid", "aliases")
    return str(value)


def is_alias_label(value: object) -> bool:
    return isinstance(value, str) and _ALIAS_LABEL.fullmatch(value) is not None


def read_alias(label: str, value: object) -> str | None:
    if value is not None and not is_name(value, MAX_ALIAS):
        raise ValueProblem("aliases_invalid", f"aliases.{label}")
    return None if value is None else str(value)


def read_attributes(value: object) -> dict[str, Any]:
    """Names and JSON values. A None at the top stands for "remove it"; None inside an object is dropped."""
    if not isinstance(value, Mapping):
        raise ValueProblem("attributes_invalid", "attributes")
    attributes = {_attribute_name(name): _attribute_value(name, inner) for name, inner in value.items()}
    check_attributes_size(attributes)
    return attributes


def check_attributes_size(attributes: Mapping[str, Any]) -> None:
    if len(attributes) > MAX_ATTRIBUTES:
        raise ValueProblem("too_many_attributes", "attributes")
    # PostgreSQL's spelling, in which the limit is told, is at most half as long again as this one and slow to make.
    if len(orjson.dumps(attributes)) * 3 // 2 <= MAX_ATTRIBUTES_BYTES:
        return
    if len(json.dumps(attributes, ensure_ascii=False).encode()) > MAX_ATTRIBUTES_BYTES:
        raise ValueProblem("attributes_too_large", "attributes")


def is_name(value: object, longest: int) -> bool:
    """1 to `longest` characters that can be stored, none of them a control character."""
    return isinstance(value, str) and 0 < len(value) <= longest and not _CONTROL.search(value) and _is_text(value)


def _attribute_name(name: object) -> str:
    if not is_name(name, MAX_ATTRIBUTE_NAME):
        spelled = str(name)[:MAX_ATTRIBUTE_NAME]
        raise ValueProblem("attribute_name_invalid", f"attributes.{spelled}" if _is_text(spelled) else "attributes")
    return str(name)


def _attribute_value(name: str, value: Any) -> Any:
    try:
        return storable(value)
    except ValueError:
        raise ValueProblem("attribute_value_invalid", f"attributes.{name}") from None


def storable(value: Any, depth: int = 1) -> Any:
    """The value as PostgreSQL's jsonb can hold and compare it. Raises ValueError."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if "\0" in value or not _is_text(value):
            raise ValueError("text")
        return value
    if isinstance(value, int | float):
        # Also false for NaN, which no comparison holds for.
        if value == 0 or _SMALLEST_NUMBER <= abs(value) <= _LARGEST_NUMBER:
            return value
        raise ValueError("number")
    if depth >= MAX_DEPTH:
        raise ValueError("depth")
    if isinstance(value, list | tuple):
        return [storable(inner, depth + 1) for inner in value]
    if isinstance(value, Mapping):
        return {str(storable(name)): storable(inner, depth + 1) for name, inner in value.items() if inner is not None}
    raise ValueError("type")


def _is_text(value: str) -> bool:
    """Not so for a lone surrogate, which JSON can spell and UTF-8 cannot."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
