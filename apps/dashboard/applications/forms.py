"""Forms of applications and API keys. They check shape; rules live in the services."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.core import clock
from apps.dashboard.applications.texts import GROUPS, NUMBER_TEXTS, SCOPE_TEXTS, STRING_TEXTS, SWITCH_TEXTS
from apps.tenants.application_settings import BOUNDS, TEXT_LENGTHS, ApplicationSettings
from apps.tenants.permissions import KEY_SCOPES, PERMISSIONS, Role


class ApplicationForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=120, help_text=_("What you call it, for example “Shop” or “Shop (staging)”.")
    )


class SettingsForm(forms.Form):
    """Name, switch and every field of ApplicationSettings."""

    name = forms.CharField(label=_("Name"), max_length=120)
    is_enabled = forms.BooleanField(
        label=_("Enabled"),
        required=False,
        help_text=_("A disabled application refuses every connection and every publication."),
    )

    def __init__(self, data: Any = None, *, current: ApplicationSettings, name: str, is_enabled: bool) -> None:
        super().__init__(data, initial={"name": name, "is_enabled": is_enabled, **asdict(current)})
        for field, text in SWITCH_TEXTS.items():
            self.fields[field] = forms.BooleanField(label=text.label, help_text=text.help, required=False)
        for field, text in NUMBER_TEXTS.items():
            low, high = BOUNDS[field]
            self.fields[field] = forms.IntegerField(
                label=text.label, help_text=text.help, min_value=low, max_value=high
            )

        for field, text in STRING_TEXTS.items():
            is_long = field == "token_public_key"
            self.fields[field] = forms.CharField(
                label=text.label, help_text=text.help, required=False, max_length=TEXT_LENGTHS[field],
                widget=forms.Textarea(attrs={"rows": 4, "class": "code", "spellcheck": "false"}) if is_long else None,
            )  # fmt: skip

    @property
    def general(self) -> list[forms.BoundField]:
        return [self["name"], self["is_enabled"]]

    @property
    def groups(self) -> list[dict[str, Any]]:
        """Of each group its words, its switches and texts (`wide`), and its numbers."""
        return [
            {
                "group": group,
                "wide": [self[name] for name in group.fields if name not in NUMBER_TEXTS],
                "numbers": [self[name] for name in group.fields if name in NUMBER_TEXTS],
            }
            for group in GROUPS
        ]

    def settings(self) -> dict[str, Any]:
        return {field.name: self.cleaned_data[field.name] for field in fields(ApplicationSettings)}


class ScopedForm(forms.Form):
    """A name and the scopes of something that a program will carry. allowed: what the maker may hand on."""

    name = forms.CharField(
        label=_("Name"), max_length=120, help_text=_("Where it is used, for example “Billing server”.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Give only what the program needs. You cannot give more than you may do yourself."),
    )

    def __init__(self, data: Any = None, *, allowed: Collection[str]) -> None:
        super().__init__(data)
        choices = [(scope, text) for scope, text in SCOPE_TEXTS.items() if scope in allowed]
        self.fields["scopes"].choices = choices  # type: ignore[attr-defined]


class OAuthClientForm(ScopedForm):
    """The secret of a client does not expire; its tokens do."""


class ApiKeyForm(ScopedForm):
    days = forms.TypedChoiceField(
        label=_("Expires"),
        coerce=int,
        initial=90,
        choices=[
            (30, _("in 30 days")),
            (90, _("in 90 days")),
            (365, _("in a year")),
            (0, pgettext_lazy("expires", "never")),
        ],
    )

    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["days"]
        return clock.now() + timedelta(days=days) if days else None


def scopes_of_role(role: str) -> frozenset[str]:
    """What somebody of this role may hand on to a key."""
    permissions = PERMISSIONS[Role(role)]
    publishing = {"publish"} if "console.publish" in permissions else set()
    return (KEY_SCOPES & permissions) | publishing
