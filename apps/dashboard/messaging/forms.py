"""Forms of templates. They check shape; rules live in the services."""

from django import forms
from django.utils.translation import gettext_lazy as _


class TemplateForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("Only your team sees it."))
