"""The form that publishes one event."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

_EXAMPLE = '{"text": "It works"}'


class PublishForm(forms.Form):
    channel = forms.CharField(label=gettext_lazy("Channel"), max_length=164 + 16, initial="news")
    event = forms.CharField(label=gettext_lazy("Event"), max_length=200, initial="hello")
    payload = forms.CharField(
        label=gettext_lazy("Data"),
        widget=forms.Textarea(attrs={"rows": 4, "class": "code", "spellcheck": "false"}),
        initial=_EXAMPLE,
        help_text=gettext_lazy("JSON, as your clients will receive it."),
    )

    def __init__(self, data: Any = None, *, channel: str = "") -> None:
        super().__init__(data, auto_id="publish-%s", initial={"channel": channel} if channel else None)

    def clean_payload(self) -> str:
        """Compact JSON text. Says where it stops being JSON."""
        text: str = self.cleaned_data["payload"]
        try:
            return json.dumps(json.loads(text, parse_constant=_refuse_constant), ensure_ascii=False)
        except json.JSONDecodeError as error:
            place = {"line": error.lineno, "column": error.colno}
            raise forms.ValidationError(
                _("This is not valid JSON: look at line %(line)d, column %(column)d.") % place
            ) from None
        except RecursionError:
            raise forms.ValidationError(_("This JSON is nested too deeply.")) from None


def _refuse_constant(name: str) -> None:
    raise forms.ValidationError(_("JSON knows no %(name)s.") % {"name": name})
