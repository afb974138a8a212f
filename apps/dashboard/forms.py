"""How forms look and how a refusal of the rooms becomes a message on them."""

from __future__ import annotations

from typing import Any

from django.forms import BaseForm
from django.forms.renderers import TemplatesSetting

from apps.core.errors import HouseError


class HouseRenderer(TemplatesSetting):
    """Renders `{{ form }}` and `{{ field.as_field_group }}` with the dashboard's parts."""

    form_template_name = "dashboard/parts/form.html"
    field_template_name = "dashboard/parts/field.html"


def add_errors(form: BaseForm, error: HouseError) -> None:
    """Puts an error onto the fields it names, and onto the form what no field of it can show."""
    shown = False
    for name, sentences in error.fields.items():
        target: Any = name if name in form.fields else None
        for sentence in sentences:
            form.add_error(target, sentence)
            shown = True
    if not shown:
        form.add_error(None, str(error.message))
