"""What is typed about a journey. Its rules are the rooms'."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class JourneyForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120)
    definition = forms.JSONField(
        label=_("Journey"), widget=forms.Textarea(attrs={"class": "code", "rows": 24, "spellcheck": "false"})
    )
