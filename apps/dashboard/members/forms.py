"""Shapes of what is typed about members."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.tenants.permissions import Role

#: What each role is for, in the words of the members page.
ROLE_LABELS = {
    Role.OWNER: _("Owner: everything, billing included"),
    Role.ADMIN: _("Administrator: everything but billing"),
    Role.DEVELOPER: _("Developer: applications, keys, webhooks"),
    Role.MARKETER: _("Marketer: subscribers and campaigns"),
    Role.ANALYST: _("Analyst: looks, changes nothing"),
}


def _choices(roles: Iterable[Role]) -> list[tuple[str, Any]]:
    return [(role.value, ROLE_LABELS[role]) for role in roles]


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"), choices=_choices(Role))


class FactorPolicyForm(forms.Form):
    required = forms.BooleanField(
        label=_("Every member needs a second factor"),
        required=False,
        help_text=_("Owners and administrators always need one."),
    )


class InviteForm(forms.Form):
    email = forms.EmailField(
        label=_("E-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    role = forms.ChoiceField(label=_("Role"))

    def __init__(self, data: Any = None, *, roles: Iterable[Role]) -> None:
        """roles: those the inviting member may give."""
        super().__init__(data, initial={"role": Role.DEVELOPER.value})
        role: Any = self.fields["role"]
        role.choices = _choices(roles)
