"""What each column of a file means, guessed from its header and a sample, and how a row becomes a person. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from django.utils.translation import gettext_lazy as _

from apps.audience import values
from apps.audience.values import SubscriberIn, ValueProblem
from apps.core.downloads import FORMULA_STARTS

MAX_COLUMNS = 200
TARGETS = ("external_id", "attribute", "alias", "tags", "language", "timezone", "ignore")
KINDS = ("text", "number", "boolean")

MESSAGES: dict[str, Any] = {
    **values.MESSAGES,
    "bad_encoding": _("This line is not in the file's encoding."),
    "nul_byte": _("This row holds a NUL byte."),
    "carriage_return": _("This row holds a carriage return outside quotation marks."),
    "broken_quotes": _("The quotation marks of this row do not match."),
    "quote_not_closed": _("A quotation mark is opened here and never closed."),
    "row_too_long": _("This row is longer than 64 KB."),
    "not_json": _("This line is not a JSON object."),
    "wrong_number_of_columns": _("This row has another number of columns than the header."),
    "not_a_number": _("This is not a number."),
    "not_true_or_false": _("This is neither true nor false."),
}

_NAMES = {
    "external_id": ("external_id", "externalid", "user_id", "userid", "customer_id", "subscriber_id", "uid", "id"),
    "language": ("language", "lang", "locale"),
    "timezone": ("timezone", "time_zone", "timezone_id", "tz"),
    "tags": ("tags", "tag"),
}
#: Without leading zeros and within 15 digits, so that neither post codes nor long ids lose anything.
_PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,15})?", re.ASCII)
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d{1,3})?", re.ASCII)
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_TAG_SEPARATORS = re.compile(r"[;|,]")


@dataclass(frozen=True, slots=True)
class Column:
    """target: one of TARGETS. name: of the attribute or alias. kind: of the attribute."""

    target: str
    name: str = ""
    kind: str = "text"

    @classmethod
    def from_json(cls, stored: Mapping[str, str]) -> Self:
        return cls(**stored)

    def to_json(self) -> dict[str, str]:
        return asdict(self)


class MappingRefused(Exception):
    """The columns do not make people. message: one sentence. column: index of the column, or None for all."""

    def __init__(self, message: Any, column: int | None = None) -> None:
        self.message, self.column = message, column
        super().__init__(str(message))


def guess_columns(header: Sequence[str], sample: Sequence[Sequence[str]]) -> list[Column]:
    """A proposal for every column of the header."""
    normal = [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in header]
    chosen = {target: _first_of(names, normal) for target, names in _NAMES.items()}
    return [
        _alias(name)
        or next((Column(target) for target, at in chosen.items() if at == index), None)
        or _attribute(name, [row[index] for row in sample if len(row) == len(header)])
        for index, name in enumerate(header)
    ]


def _alias(name: str) -> Column | None:
    """A header as our own export writes it."""
    kind, _colon, label = name.strip().partition(":")
    return Column("alias", label) if kind == "alias" and values.is_alias_label(label) else None


def _first_of(names: Sequence[str], header: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _attribute(name: str, sample: Sequence[str]) -> Column:
    cleaned = "".join(character for character in name.strip() if character.isprintable())
    cleaned = cleaned[: values.MAX_ATTRIBUTE_NAME]
    return Column("attribute", cleaned, guess_kind(sample)) if cleaned else Column("ignore")


def guess_kind(sample: Sequence[str]) -> str:
    filled = [cell.strip() for cell in sample if cell.strip()]
    if filled and all(cell.lower() in {"true", "false"} for cell in filled):
        return "boolean"
    return "number" if filled and all(_PLAIN_NUMBER.fullmatch(cell) for cell in filled) else "text"


def check_columns(columns: Sequence[Column]) -> None:
    """Raises MappingRefused."""
    targets = [column.target for column in columns]
    for target in ("external_id", "language", "timezone", "tags"):
        if targets.count(target) > 1:
            raise MappingRefused(_("Only one column can be this."), len(targets) - 1 - targets[::-1].index(target))
    if "external_id" not in targets:
        raise MappingRefused(_("Choose the column that holds the external id."))
    names: set[tuple[str, str]] = set()
    for index, column in enumerate(columns):
        if column.target not in TARGETS or column.kind not in KINDS:
            raise MappingRefused(_("There is no such choice."), index)
        if column.target in _NAMED:
            _check_name(column, names, index)
    for target, (_read, most, problem) in _NAMED.items():
        if sum(kind == target for kind, _name in names) > most:
            raise MappingRefused(values.MESSAGES[problem])


#: Target -> what reads an object of them, how many there may be, and what to say of more.
_NAMED: dict[str, tuple[Callable[[object], object], int, str]] = {
    "attribute": (values.read_attributes, values.MAX_ATTRIBUTES, "too_many_attributes"),
    "alias": (values.read_aliases, values.MAX_ALIASES, "too_many_aliases"),
}


def _check_name(column: Column, taken: set[tuple[str, str]], index: int) -> None:
    try:
        _NAMED[column.target][0]({column.name: "x"})
    except ValueProblem as problem:
        raise MappingRefused(problem.message, index) from None
    if (column.target, column.name) in taken:
        raise MappingRefused(_("Two columns have this name."), index)
    taken.add((column.target, column.name))


class RowReader:
    """Turns the cells of a row into a person, as the columns say. An empty cell says nothing about its field."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._width = len(columns)
        at = {column.target: index for index, column in enumerate(columns)}
        self._external_id = at["external_id"]
        self._language, self._timezone, self._tags = at.get("language"), at.get("timezone"), at.get("tags")
        self._attributes = [
            (index, column.name, column.kind) for index, column in enumerate(columns) if column.target == "attribute"
        ]
        self._aliases = [(index, column.name) for index, column in enumerate(columns) if column.target == "alias"]

    def read(self, cells: Sequence[str]) -> SubscriberIn:
        """Raises ValueProblem; its field is a subscriber's, `attributes.<name>` or `aliases.<label>`."""
        if len(cells) != self._width:
            raise ValueProblem("wrong_number_of_columns", "")
        attributes = {
            name: _typed(cell, name, kind) for index, name, kind in self._attributes if (cell := cells[index].strip())
        }
        values.check_attributes_size(attributes)
        language, timezone = self._cell(cells, self._language), self._cell(cells, self._timezone)
        tags = self._cell(cells, self._tags)
        return SubscriberIn(
            external_id=values.read_external_id(without_guard(cells[self._external_id].strip())),
            attributes=attributes,
            tags=_split_tags(tags) if tags else None,
            language=values.read_language(language) if language else None,
            timezone=values.read_timezone(timezone) if timezone else None,
            aliases={
                label: values.read_alias(label, alias)
                for index, label in self._aliases
                if (alias := self._cell(cells, index))
            },
        )

    @staticmethod
    def _cell(cells: Sequence[str], index: int | None) -> str:
        return "" if index is None else without_guard(cells[index].strip())


def _typed(cell: str, name: str, kind: str) -> str | int | float | bool:
    if kind == "text":
        return without_guard(cell)
    if kind == "boolean":
        if (answer := _BOOLEANS.get(cell.lower())) is None:
            raise ValueProblem("not_true_or_false", f"attributes.{name}")
        return answer
    if not _NUMBER.fullmatch(cell) or len(cell) > 40:
        raise ValueProblem("not_a_number", f"attributes.{name}")
    number = float(cell) if any(mark in cell for mark in ".eE") else int(cell)
    try:
        values.storable(number)
    except ValueError:
        raise ValueProblem("attribute_value_invalid", f"attributes.{name}") from None
    return number


def _split_tags(cell: str) -> tuple[str, ...]:
    return values.read_tags([tag for part in _TAG_SEPARATORS.split(cell) if (tag := part.strip())])


def without_guard(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(FORMULA_STARTS) else cell
