"""The form of a credential, made of what its provider needs, and that of a test push."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.audience.models import Device
from apps.providers.base import CredentialField, Needs
from apps.tenants.models import Tenant

#: Bytes of a key file. A service account has 2,400.
_MAX_FILE = 64 * 1024
_MAX_TEXT = 20_000


class CredentialForm(forms.Form):
    """A field per thing the network wants; what has several lines may come as a file instead. Secrets are never given
    back, so a form that comes back with an error asks for them again."""

    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("Only your team sees it."))

    def __init__(self, data: Any, files: Any, *, needs: Needs, shown: dict[str, str], name: str) -> None:
        super().__init__(data, files, initial={"name": name, **shown})
        self.needs = needs
        for field in needs.fields:
            self._add(field, has_file=bool(files and files.get(_file_of(field))))
        self.fields["expires_on"] = forms.DateField(
            label=_("Valid until"), required=False, widget=forms.DateInput(attrs={"type": "date"}),
            help_text=_("If you know when the network ends it: your team gets a mail 30, 7 and 1 days before."),
        )  # fmt: skip

    def _add(self, field: CredentialField, *, has_file: bool) -> None:
        self.fields[field.name] = _form_field(field, is_required=field.is_required and not has_file)
        if field.is_long:
            self.fields[_file_of(field)] = forms.FileField(
                label=_("… or its file"), required=False, help_text=_("Instead of pasting the text.")
            )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = self.cleaned_data
        for field in self.needs.fields:
            upload = cleaned.get(_file_of(field)) if field.is_long else None
            if upload is not None:
                cleaned[field.name] = self._read(field, upload)
        return cleaned

    def _read(self, field: CredentialField, upload: Any) -> str:
        if upload.size > _MAX_FILE:
            self.add_error(_file_of(field), _("This file is too large to be a key."))
            return ""
        try:
            return str(upload.read().decode())
        except UnicodeDecodeError:
            self.add_error(_file_of(field), _("This file is no text. Networks give keys as .p8, .pem or .json files."))
            return ""

    @property
    def values(self) -> dict[str, str]:
        return {field.name: self.cleaned_data.get(field.name) or "" for field in self.needs.fields}

    def expires_at(self, tenant: Tenant) -> datetime | None:
        """The end of that day where the tenant is."""
        day = self.cleaned_data.get("expires_on")
        return datetime.combine(day, time(23, 59, 59), ZoneInfo(tenant.timezone)) if day else None


def _file_of(field: CredentialField) -> str:
    return f"{field.name}_file"


def _form_field(field: CredentialField, *, is_required: bool) -> forms.Field:
    common = {
        "label": field.label, "help_text": field.help, "required": is_required,
        "error_messages": {"required": _("Enter a value.")},
    }  # fmt: skip
    if field.choices:
        empty = [] if field.is_required else [("", "—")]
        return forms.ChoiceField(choices=[*empty, *field.choices], **common)
    if field.is_long:
        widget: forms.Widget = forms.Textarea(attrs={"class": "code", "rows": 5, "autocomplete": "off"})
    elif field.is_secret:
        widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
    else:
        widget = forms.TextInput(attrs={"autocomplete": "off"})
    return forms.CharField(max_length=_MAX_TEXT, widget=widget, strip=True, **common)


class TrialForm(forms.Form):
    """Whom a test push goes to and what it says. devices: none for a route that reaches people."""

    def __init__(self, data: Any, *, devices: Sequence[Device] | None) -> None:
        super().__init__(data)
        if devices is None:
            self.fields["target"] = forms.CharField(
                label=_("Subscriber"), max_length=128, help_text=_("External id. The test is about this person.")
            )
        else:
            named = [(device.public_id, _name_of(device)) for device in devices]
            self.fields["target"] = forms.ChoiceField(label=_("Device"), choices=named)
        self.fields["title"] = forms.CharField(label=_("Title"), max_length=40, initial=_("Test"))
        self.fields["body"] = forms.CharField(label=_("Text"), max_length=80, initial=_("It works."))


def _name_of(device: Device) -> str:
    installation = device.installation_id or device.address[-8:]
    return f"{device.subscriber.external_id} · {device.platform} · {installation}"
