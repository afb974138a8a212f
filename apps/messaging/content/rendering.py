"""Content per language, compiled once and rendered per person. Pure: no database, no network, no clock.

A content is `{language: {title, body, image_url, url, buttons, data, purpose, apns}}`. Every text but the purpose, the
names of buttons and what stands under `apns` (apps/providers/apns/kinds.py) is a Liquid template that sees
`subscriber`, `campaign` and `variables`. A variable a person lacks is that person's error unless the author gave a
default; nothing is ever sent half-filled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter, thread_time
from typing import Any

from django.utils.translation import gettext as _
from liquid import BoundTemplate
from liquid.exceptions import LiquidError, ResourceLimitError

from apps.messaging.content.buttons import ButtonInvalid, read_buttons
from apps.messaging.content.explaining import explain, misfit, place_of_error, unknown_filter, unknown_variable
from apps.messaging.content.languages import choose_language
from apps.messaging.content.liquid import Unbounded, lenient_environment, strict_environment
from apps.messaging.content.placeholders import Filler, filler_for
from apps.messaging.content.variables import needed_attributes, place_of
from apps.messaging.errors import ContentMissing, ContentTooLarge, Fault, TemplateInvalid
from apps.providers.apns.kinds import ALERT, OptionInvalid, check_options
from apps.providers.base import Button, Notification

Content = Mapping[str, Mapping[str, Any]]

TEXTS = ("title", "body", "image_url", "url")
#: What a message is for, to networks that ask; empty: what its origin says.
PURPOSES = ("", "marketing", "service")
ROOTS = frozenset({"subscriber", "campaign", "variables"})
_LIMITS = {"title": 1_000, "body": 8_000, "image_url": 2_000, "url": 2_000}
_DATA_LIMIT = 4_000
_LANGUAGES_LIMIT = 50
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,3}")
#: Seconds of this thread's own work that one person's rendering may take: a slice must fit well inside a sending lease.
_TIME_LIMIT = 0.5
_UNSAFE_SCHEME = re.compile(r"\s*(javascript|data|vbscript|file)\s*:", re.IGNORECASE)

_environment = strict_environment()
_probe = lenient_environment()


class RenderFailed(Exception):
    """One person's rendering failed. message: what a marketer can act on."""

    def __init__(self, language: str, field: str, message: str, line: int = 1, column: int = 0) -> None:
        super().__init__(message)
        self.fault = Fault(language, field, line, column, message)


@dataclass(frozen=True, slots=True)
class _Text:
    """One field: a template, or a plain text when there is nothing in it to fill. filler: see placeholders.py."""

    field: str
    source: str
    template: BoundTemplate | None
    filler: Filler | None = None

    def render(self, language: str, variables: Mapping[str, Any]) -> str:
        if self.template is None:
            return self.source
        filled = self.filler(variables) if self.filler is not None else None
        if filled is not None:
            return filled
        try:
            text: str = self.template.render(**variables)
        except LiquidError as error:
            raise RenderFailed(language, self.field, explain(error), *place_of_error(error)) from None
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # A filter of the library that did not expect this person's value.
            raise RenderFailed(language, self.field, misfit(type(error).__name__)) from None
        return text


@dataclass(frozen=True, slots=True)
class _Button:
    action: str
    title: _Text
    url: _Text

    def render(self, language: str, variables: Mapping[str, Any]) -> Button:
        title, url = (text.render(language, variables) for text in (self.title, self.url))
        if not title.strip():
            raise RenderFailed(language, self.title.field, "is empty")
        return Button(self.action, title, url)


@dataclass(frozen=True, slots=True)
class _Variant:
    language: str
    texts: tuple[_Text, ...]
    data: tuple[tuple[str, _Text | Any], ...]
    purpose: str
    apns: Mapping[str, Any]
    buttons: tuple[_Button, ...] = ()

    @property
    def templates(self) -> Iterator[_Text]:
        """Every text that may be a template."""
        yield from self.texts
        yield from (value for _, value in self.data if isinstance(value, _Text))
        yield from (text for button in self.buttons for text in (button.title, button.url))

    @property
    def speaks(self) -> bool:
        """Whether it must have words: what Apple shows to nobody needs none."""
        return bool(self.apns.get("push_type", ALERT) == ALERT)

    def render(self, variables: Mapping[str, Any]) -> Notification:
        started = perf_counter()
        notification = self._filled(variables)
        if perf_counter() - started > _TIME_LIMIT:
            self._refuse_if_slow(variables)
        if self.speaks and not (notification.title or notification.body):
            raise RenderFailed(self.language, "body", "is empty")
        links = (
            (button.url.field, shown.url) for button, shown in zip(self.buttons, notification.buttons, strict=True)
        )
        for field, address in (("url", notification.url), ("image_url", notification.image_url), *links):
            if address and _UNSAFE_SCHEME.match(address):
                raise RenderFailed(self.language, field, "is not a safe address")
        return notification

    def _filled(self, variables: Mapping[str, Any]) -> Notification:
        shown = {text.field: text.render(self.language, variables) for text in self.texts}
        data = {
            name: value.render(self.language, variables) if isinstance(value, _Text) else value
            for name, value in self.data
        }
        buttons = tuple(button.render(self.language, variables) for button in self.buttons)
        return Notification(**shown, data=data, purpose=self.purpose, apns=self.apns, buttons=buttons)

    def _refuse_if_slow(self, variables: Mapping[str, Any]) -> None:
        """Once more, by this thread's own clock: the wall clock of a busy machine would refuse people at random.

        That clock costs a system call, an eighth of a rendering, so only the suspicious pay for it.
        """
        started = thread_time()
        self._filled(variables)
        if thread_time() - started > _TIME_LIMIT:
            raise RenderFailed(self.language, "body", "takes too long")


class CompiledContent:
    """A content ready to render. Make it with `compile_content`."""

    def __init__(self, variants: Mapping[str, _Variant]) -> None:
        self._variants = dict(variants)
        # A million people speak few languages. Bounded, because a language is the tenant's text.
        self.language_for = lru_cache(maxsize=1_024)(self._language_for)

    @property
    def languages(self) -> list[str]:
        return list(self._variants)

    def _language_for(self, wanted: str, default: str) -> str:
        return choose_language(wanted, default, self._variants)

    def render(self, language: str, variables: Mapping[str, Any]) -> Notification:
        """language: one of `languages`. Raises RenderFailed."""
        return self._variants[language].render(variables)

    def needed(self) -> Iterator[tuple[Fault, str]]:
        """What a person must have: each output of `subscriber.<attribute>` that has neither a default nor an `if`."""
        for variant in self._variants.values():
            for text in variant.templates:
                if text.template is not None:
                    for name, line, column in needed_attributes(text.template, text.source):
                        yield (
                            Fault(variant.language, text.field, line, column, unknown_variable(f"subscriber.{name}")),
                            name,
                        )

    def unknown(self, exists: Callable[[str], bool]) -> list[Fault]:
        """The needed attributes of which `exists` says that nobody has them."""
        needed = list(self.needed())
        missing = {name for name in {name for _, name in needed} if not exists(name)}
        return [fault for fault, name in needed if name in missing]


def compile_content(content: Content) -> CompiledContent:
    """Parses everything.

    Raises TemplateInvalid (with every fault and its position), ContentMissing, ContentTooLarge.
    """
    if not content:
        raise ContentMissing
    if len(content) > _LANGUAGES_LIMIT:
        raise ContentTooLarge
    faults: list[Fault] = []
    variants = {language: _compile_variant(language, fields, faults) for language, fields in content.items()}
    if faults:
        raise TemplateInvalid(faults)
    speaking = [variant for variant in variants.values() if variant.speaks]
    if any(not any(text.source.strip() for text in variant.texts[:2]) for variant in speaking):
        raise ContentMissing
    return CompiledContent(variants)


def _compile_variant(language: str, fields: Mapping[str, Any], faults: list[Fault]) -> _Variant:
    if not _LANGUAGE.fullmatch(language):
        faults.append(Fault(language[:16], "language", 1, 0, _("is not a language tag")))
    texts = []
    for name in TEXTS:
        source = str(fields.get(name) or "")
        if len(source) > _LIMITS[name]:
            raise ContentTooLarge(details={"field": f"content.{language}.{name}", "limit": _LIMITS[name]})
        if source or name in {"title", "body"}:
            texts.append(_compile_text(language, name, source, faults))
    data = fields.get("data") or {}
    if len(str(data)) > _DATA_LIMIT:
        raise ContentTooLarge(details={"field": f"content.{language}.data", "limit": _DATA_LIMIT})
    values = tuple(
        (name, _compile_text(language, f"data.{name}", value, faults) if isinstance(value, str) else value)
        for name, value in data.items()
    )
    purpose = str(fields.get("purpose") or "")
    if purpose not in PURPOSES:
        faults.append(Fault(language, "purpose", 1, 0, _("is neither marketing nor service")))
    apns = _apns(language, fields.get("apns"), faults)
    return _Variant(language, tuple(texts), values, purpose, apns, _buttons(language, fields.get("buttons"), faults))


def _buttons(language: str, raw: Any, faults: list[Fault]) -> tuple[_Button, ...]:
    try:
        read = read_buttons(raw)
    except ButtonInvalid as refused:
        faults.append(Fault(language, refused.place, 1, 0, str(refused)))
        return ()
    return tuple(
        _Button(
            action,
            _compile_text(language, f"buttons.{number}.title", title, faults),
            _compile_text(language, f"buttons.{number}.url", url, faults),
        )
        for number, (action, title, url) in enumerate(read)
    )


def _apns(language: str, raw: Any, faults: list[Fault]) -> Mapping[str, Any]:
    if raw is None:
        return {}
    if len(str(raw)) > _DATA_LIMIT:
        raise ContentTooLarge(details={"field": f"content.{language}.apns", "limit": _DATA_LIMIT})
    try:
        check_options(raw)
    except OptionInvalid as refused:
        faults.append(Fault(language, refused.member, 1, 0, str(refused)))
        return {}
    return dict(raw)


def _compile_text(language: str, field: str, source: str, faults: list[Fault]) -> _Text:
    if "{{" not in source and "{%" not in source:
        return _Text(field, source, None)
    try:
        template = _environment.from_string(source)
    except LiquidError as error:
        faults.append(Fault(language, field, *place_of_error(error), explain(error)))
        return _Text(field, source, None)
    for root, uses in template.analyze().globals.items():
        if root not in ROOTS:
            line, column = place_of(uses[0].span.index, source)
            faults.append(Fault(language, field, line, column, unknown_variable(root)))
    unknown = [name for name in template.filter_names() if name not in _environment.filters]
    faults.extend(Fault(language, field, 1, 0, unknown_filter(name)) for name in unknown)
    if not unknown:
        faults.extend(_endless(language, field, source))
    return _Text(field, source, template, filler_for(template))


def _endless(language: str, field: str, source: str) -> Iterator[Fault]:
    """Renders for nobody, to find what would break the bounds for everybody."""
    try:
        _probe.from_string(source).render()
    except (ResourceLimitError, Unbounded) as error:
        yield Fault(language, field, *place_of_error(error), explain(error))
    except (LiquidError, ArithmeticError, LookupError, TypeError, ValueError):
        return  # it wants a person; a person is what it gets
