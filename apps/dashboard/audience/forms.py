"""Shapes of what is typed about subscribers, segments and files. The rules are the rooms'."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.audience.importing.columns import KINDS, Column
from apps.audience.values import MAX_EXTERNAL_ID


class SubscriberForm(forms.Form):
    external_id = forms.CharField(
        label=gettext_lazy("External id"),
        max_length=MAX_EXTERNAL_ID,
        help_text=gettext_lazy("Your own name for this person; the app signs in with it."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    language = forms.CharField(
        label=gettext_lazy("Language"),
        max_length=35,
        required=False,
        help_text=gettext_lazy("A tag such as en, pt-BR or zh-Hans."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    timezone = forms.CharField(
        label=gettext_lazy("Time zone"),
        max_length=64,
        required=False,
        help_text=gettext_lazy("A name such as Europe/Berlin."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "list": "timezones", "spellcheck": "false"}),
    )
    tags = forms.CharField(
        label=gettext_lazy("Tags"),
        max_length=7_000,
        required=False,
        help_text=gettext_lazy("Separated by commas."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    aliases = forms.CharField(
        label=gettext_lazy("Aliases"),
        max_length=6_000,
        required=False,
        help_text=gettext_lazy("Other names of this person, one a line, as in “crm: 4711”."),
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
    )

    def clean_aliases(self) -> dict[str, str]:
        lines = [line.partition(":") for line in self.cleaned_data["aliases"].splitlines() if line.strip()]
        return {label.strip(): value.strip() for label, _colon, value in lines}

    def person(self) -> dict[str, Any]:
        """Everything but the attributes, as the services take it."""
        tags = [tag for part in self.cleaned_data["tags"].split(",") if (tag := part.strip())]
        return {**self.cleaned_data, "tags": tags}


@dataclass(frozen=True, slots=True)
class AttributeRow:
    """One line of the attribute editor. kind: text, number, boolean or json."""

    name: str = ""
    kind: str = "text"
    value: str = ""


ATTRIBUTE_KINDS = (
    ("text", gettext_lazy("Text")),
    ("number", gettext_lazy("Number")),
    ("boolean", gettext_lazy("True or false")),
    ("json", gettext_lazy("JSON")),
)


def rows_of(attributes: Mapping[str, Any]) -> list[AttributeRow]:
    return [_row(name, value) for name, value in sorted(attributes.items())]


def _row(name: str, value: Any) -> AttributeRow:
    if isinstance(value, str):
        return AttributeRow(name, "text", value)
    kind = "boolean" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "json"
    return AttributeRow(name, kind, json.dumps(value, ensure_ascii=False))


def typed_rows(post: QueryDict) -> list[AttributeRow]:
    """The lines as they were typed; lines without a name and a value are left out."""
    columns = [post.getlist(f"attribute_{part}")[:200] for part in ("name", "kind", "value")]
    rows = [AttributeRow(name.strip(), kind, value) for name, kind, value in zip(*columns, strict=False)]
    return [row for row in rows if row.name or row.value]


def attributes_in(rows: list[AttributeRow]) -> dict[str, Any]:
    """Raises forms.ValidationError."""
    attributes: dict[str, Any] = {}
    for row in rows:
        if row.name in attributes:
            raise forms.ValidationError(_("The attribute “%s” is there twice.") % row.name)
        attributes[row.name] = _value(row)
    return attributes


def _value(row: AttributeRow) -> Any:
    if row.kind == "text":
        return row.value
    try:
        value = json.loads(row.value.strip().lower() if row.kind == "boolean" else row.value)
    except (ValueError, RecursionError):
        value = None
    wanted: Any = {"number": (int, float), "boolean": bool, "json": object}.get(row.kind, ())
    if value is None or not isinstance(value, wanted) or (row.kind == "number" and isinstance(value, bool)):
        raise forms.ValidationError(_("The value of “%s” does not have its type.") % row.name)
    return value


class UploadForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("CSV or NDJSON file"),
        max_length=255,
        allow_empty_file=True,  # the service says in its own words what is wrong with it
        help_text=gettext_lazy(
            "Up to 200 MB. CSV in UTF-8 or GB18030, whose first line names the columns; or NDJSON: one object a line, "
            "as in POST /api/v1/subscribers."
        ),
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.ndjson,.jsonl,text/csv,application/x-ndjson"}),
    )


class CategoryForm(forms.Form):
    key = forms.CharField(
        label=gettext_lazy("Key"),
        max_length=40,
        help_text=gettext_lazy("Your servers name the category by it. It never changes."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    names = forms.CharField(
        label=gettext_lazy("Names"),
        max_length=4_000,
        help_text=gettext_lazy("What people read, one language a line, as in “en: News”."),
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "en: News\nzh-Hans: 新闻"}),
    )

    def clean_names(self) -> dict[str, str]:
        lines = [line.partition(":") for line in self.cleaned_data["names"].splitlines() if line.strip()]
        return {language.strip(): name.strip() for language, _colon, name in lines}


class SegmentForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)
    rules = forms.JSONField(widget=forms.Textarea(attrs={"class": "code", "rows": 12, "spellcheck": "false"}))


def columns_in(post: QueryDict, width: int) -> list[Column]:
    """What was chosen for each column of a file."""
    return [
        Column(
            post.get(f"target-{index}", "ignore"),
            post.get(f"name-{index}", "").strip(),
            post.get(f"kind-{index}", KINDS[0]),
        )
        for index in range(width)
    ]
