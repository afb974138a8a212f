"""Shapes of what people type about themselves. The rules are in apps/accounts and apps/tenants."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

#: Longer ones are refused before anything hashes them.
PASSWORD_LIMIT = 128


def _password(label: Any, autocomplete: str, **options: Any) -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(label=label, max_length=PASSWORD_LIMIT, strip=False, widget=widget, **options)


def _new_password(label: Any) -> forms.CharField:
    return _password(label, "new-password", help_text=_("At least 12 characters. A sentence is fine."))


def _email(**attributes: str) -> forms.EmailField:
    widget = forms.EmailInput(attrs={"autocomplete": "username", **attributes})
    return forms.EmailField(label=_("E-mail address"), max_length=254, widget=widget)


class SignInForm(forms.Form):
    email = _email(autofocus="")
    password = _password(_("Password"), "current-password")


class SignUpForm(forms.Form):
    name = forms.CharField(label=_("Your name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    organisation = forms.CharField(
        label=_("Organisation"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "organization"})
    )
    email = _email()
    password = _new_password(_("Password"))
    timezone = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput(attrs={"data-timezone": ""}))

    def clean_timezone(self) -> str:
        """The browser fills it in; without a script, or with a zone we do not know, it is UTC."""
        zone: str = self.cleaned_data["timezone"]
        return zone if zone in available_timezones() else "UTC"

    def language(self) -> str:
        """The language the page was read in."""
        shown = get_language() or ""
        return shown if shown in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


class JoinForm(forms.Form):
    """An invited person without an account."""

    name = forms.CharField(label=_("Your name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    password = _new_password(_("Password"))


class CodeForm(forms.Form):
    code = forms.CharField(
        label=_("Six-digit code"),
        max_length=16,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": "", "class": "code-input"}
        ),
    )

    def clean_code(self) -> str:
        """People type the space that their app shows in the middle."""
        return "".join(str(self.cleaned_data["code"]).split())


class RecoveryForm(forms.Form):
    code = forms.CharField(
        label=_("Recovery code"),
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": "", "spellcheck": "false", "class": "mono"}),
    )


class ConfirmPasswordForm(forms.Form):
    password = _password(_("Password"), "current-password")


class EnrolForm(CodeForm):
    name = forms.CharField(
        label=_("Name of the authenticator"),
        max_length=64,
        required=False,
        help_text=_("So that you recognise it later, for example “My phone”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class ForgottenForm(forms.Form):
    email = _email(autofocus="")


class NewPasswordForm(forms.Form):
    password = _new_password(_("New password"))


class ChangePasswordForm(forms.Form):
    current_password = _password(_("Current password"), "current-password")
    new_password = _new_password(_("New password"))


class ProfileForm(forms.Form):
    name = forms.CharField(label=_("Your name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    language = forms.ChoiceField(
        label=_("Language"), required=False, choices=[("", _("As the browser")), *settings.LANGUAGES]
    )
