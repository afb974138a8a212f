"""One JSON object of a definition and where it stands, so that every fault is told by its path. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.audience.values import storable
from apps.campaigns.errors import JourneyInvalid

_ID = re.compile(r"[A-Za-z0-9_-]{1,24}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Part:
    """given: the object. path: of it; empty for the whole."""

    given: Mapping[str, Any]
    path: str

    @classmethod
    def of(cls, raw: object, path: str) -> Self:
        if not isinstance(raw, Mapping):
            raise JourneyInvalid(path, gettext_lazy("This must be an object."))
        return cls(raw, path)

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def fault(self, name: str, message: Any, **details: Any) -> JourneyInvalid:
        return JourneyInvalid(self.at(name), message, **details)

    def allow(self, *names: str) -> None:
        for name in sorted(map(str, set(self.given) - set(names))):
            raise self.fault(name[:64], _("There is no such member here."))

    def get(self, name: str) -> Any:
        return self.given.get(name)

    def part(self, name: str) -> Part:
        return Part.of(self.get(name), self.at(name))

    def list(self, name: str, *, least: int = 0, most: int) -> list[Any]:
        """A list of least to most; a missing one is empty."""
        value = self.get(name)
        value = [] if value is None else value
        if not isinstance(value, Sequence) or isinstance(value, str) or not least <= len(value) <= most:
            raise self.fault(name, _("Give a list of %(least)d to %(most)d.") % {"least": least, "most": most})
        return list(value)

    def whole(self, name: str, least: int, most: int, *, optional: bool = False) -> int | None:
        value = self.get(name)
        if value is None and optional:
            return None
        if type(value) is not int or not least <= value <= most:
            limits = {"least": least, "most": most}
            raise self.fault(name, _("Give a whole number from %(least)d to %(most)d.") % limits)
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.given.get(name, default)
        if not isinstance(value, bool):
            raise self.fault(name, _("Use true or false."))
        return value

    def text(self, name: str, *, longest: int, optional: bool = False) -> str:
        value = self.get(name)
        if optional and value in (None, ""):
            return ""
        if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
            raise self.fault(name, _("Give a text of 1 to %(longest)d characters.") % {"longest": longest})
        return value

    def one_of(self, name: str, choices: Sequence[str], *, default: str | None = None) -> str:
        value = self.given.get(name, default)
        if not isinstance(value, str) or value not in choices:
            raise self.fault(name, _("Use one of: %(choices)s.") % {"choices": ", ".join(choices)})
        return value

    def identifier(self, name: str) -> str:
        value = self.get(name)
        if not isinstance(value, str) or not _ID.fullmatch(value):
            raise self.fault(name, _("An id has 1 to 24 letters, digits, - or _."))
        return value

    def step(self, name: str, known: set[str]) -> str | None:
        """The id of a step of this journey, or None for the end."""
        value = self.get(name)
        if value is not None and (not isinstance(value, str) or value not in known):
            raise self.fault(name, _("There is no such step. Use null for the end."))
        return value

    def storable(self, name: str) -> Any:
        """Any JSON that PostgreSQL can hold."""
        try:
            return storable(self.get(name))
        except ValueError:
            raise self.fault(name, _("This value cannot be stored.")) from None
