"""The editor of words: one small form per language, and the preview of what somebody would see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.forms import BaseFormSet, formset_factory
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.audience.models import Subscriber
from apps.campaigns.models import Campaign
from apps.campaigns.simulation import Preview, preview
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest
from apps.messaging.content.buttons import LIMITS, MOST_BUTTONS
from apps.messaging.content.rendering import Content, compile_content
from apps.messaging.errors import TemplateInvalid
from apps.messaging.sending.recipients import recipient_of

if TYPE_CHECKING:
    _FormSet = BaseFormSet["VariantForm"]
else:  # at run time the class takes no parameter
    _FormSet = BaseFormSet

PREFIX = "words"
_MOST = 50
_PURPOSES = [
    ("", _("As usual: a campaign is marketing")),
    ("marketing", _("Marketing: news, offers, recommendations")),
    ("service", _("Service: orders, accounts, what the person asked for")),
]


_BUTTON = ("title", "url", "action")


def _button_fields() -> dict[str, forms.CharField]:
    return {
        "title": forms.CharField(label=_("Button"), max_length=LIMITS["title"], required=False, strip=False),
        "url": forms.CharField(
            label=_("Its link"), max_length=LIMITS["url"], required=False, help_text=_("Empty: your app decides.")
        ),
        "action": forms.CharField(
            label=_("Its name"), max_length=16, required=False,
            help_text=_("For your app and the clicks: small letters, digits and _."),
        ),
    }  # fmt: skip


class VariantForm(forms.Form):
    """The words in one language."""

    language = forms.CharField(
        label=_("Language"), max_length=35, help_text=_("A tag such as en, de, pt-BR or zh-Hans.")
    )
    title = forms.CharField(label=_("Title"), max_length=1_000, required=False, strip=False)
    body = forms.CharField(
        label=pgettext_lazy("message", "Text"),
        max_length=8_000,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    url = forms.CharField(label=_("Link"), max_length=2_000, required=False, help_text=_("Where a tap leads."))
    image_url = forms.CharField(label=_("Image address"), max_length=2_000, required=False)
    purpose = forms.ChoiceField(
        label=_("Purpose"), choices=_PURPOSES, required=False,
        help_text=_("Phone makers in China deliver marketing more slowly, and count it."),
    )  # fmt: skip

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for number in range(MOST_BUTTONS):
            self.fields |= {f"button_{number}_{name}": field for name, field in _button_fields().items()}

    @property
    def button_rows(self) -> list[list[forms.BoundField]]:
        return [[self[f"button_{number}_{name}"] for name in _BUTTON] for number in range(MOST_BUTTONS)]

    @property
    def has_buttons(self) -> bool:
        return any(field.value() or field.errors for row in self.button_rows for field in row)

    @property
    def name(self) -> str:
        """What its tab is called."""
        value = self["language"].value()
        return str(value or "")


class BaseVariants(_FormSet):
    """Each language once. `content` is what the rooms take."""

    def clean(self) -> None:
        languages = [form.cleaned_data.get("language") for form in self.kept if form.is_valid()]
        if len(set(languages)) != len(languages):
            raise forms.ValidationError(_("Each language can be there once."))

    @property
    def kept(self) -> list[VariantForm]:
        return [form for form in self.forms if form not in self.deleted_forms]

    @property
    def content(self) -> dict[str, dict[str, Any]]:
        return {form.cleaned_data["language"]: _filled(form.cleaned_data) for form in self.kept}

    def add_faults(self, error: HouseError) -> None:
        """Puts a refusal onto the fields it names, and onto the whole what belongs to none."""
        if not isinstance(error, TemplateInvalid):
            self.non_form_errors().append(str(error.message))
            return
        by_language = {form.cleaned_data.get("language"): form for form in self.kept}
        for fault in error.faults:
            form = by_language.get(fault.language)
            name = fault.field.replace("buttons.", "button_").replace(".", "_")
            if form is not None and name in form.fields:
                facts = {"line": fault.line, "column": fault.column + 1, "message": fault.message}
                form.add_error(name, _("Line %(line)s, column %(column)s: %(message)s") % facts)
            else:
                self.non_form_errors().append(f"{fault.language}: {fault.message}")


def _filled(cleaned: dict[str, Any]) -> dict[str, Any]:
    filled = {name: cleaned[name] for name in ("title", "body", "url", "image_url", "purpose") if cleaned.get(name)}
    rows = ({name: cleaned.get(f"button_{number}_{name}") for name in _BUTTON} for number in range(MOST_BUTTONS))
    buttons = [{name: text for name, text in row.items() if text} for row in rows if any(row.values())]
    return {**filled, "buttons": buttons} if buttons else filled


def _unfilled(fields: Mapping[str, Any]) -> dict[str, Any]:
    """As the form has them."""
    rows = enumerate(fields.get("buttons") or [])
    buttons = {f"button_{number}_{name}": text for number, row in rows for name, text in row.items()}
    return {**fields, **buttons}


_Variants: Any = formset_factory(
    VariantForm, formset=BaseVariants, extra=0, can_delete=True, min_num=1, max_num=_MOST, absolute_max=_MOST
)


def variants(data: Any, content: Content | None, *, language: str, prefix: str = PREFIX) -> BaseVariants:
    """The editor, filled from the request, else from a content, else empty in one language.

    Data kept by the API (`data` of a language) is not edited here; see `merged`.
    """
    initial = [{"language": tag, **_unfilled(fields)} for tag, fields in (content or {language: {}}).items()]
    formset: BaseVariants = _Variants(data, initial=None if data else initial, prefix=prefix)
    if data is None:
        formset.min_num = 0
    return formset


def merged(content: dict[str, dict[str, Any]], before: Content | None) -> dict[str, dict[str, Any]]:
    """Keeps each language's `data` and `apns`, which only the API edits."""
    kept = {
        tag: {name: fields[name] for name in ("data", "apns") if fields.get(name)}
        for tag, fields in (before or {}).items()
    }
    return {tag: {**kept.get(tag, {}), **fields} for tag, fields in content.items()}


def preview_words(
    request: DashboardRequest, content: Content, external_id: str, name: str, *, variant: str = ""
) -> Preview:
    """What this subscriber would see. variant: whose words these are. Raises NotFound, TemplateInvalid,
    ContentMissing."""
    compiled = compile_content(content)
    assert request.application is not None
    person = Subscriber.objects.in_application(request.application).named(external_id)
    campaign = Campaign(tenant=request.tenant, application=request.application, name=name)
    return preview(campaign, compiled, recipient_of(person), variant=variant)


def someone(request: DashboardRequest) -> str:
    """The external id of the newest subscriber, to preview for; empty when there is none."""
    assert request.application is not None
    people = Subscriber.objects.in_application(request.application).order_by("-pk")
    return people.values_list("external_id", flat=True).first() or ""


def known_attributes(request: DashboardRequest) -> list[str]:
    """Names of attributes that recent subscribers have, for the help beside the editor."""
    assert request.application is not None
    recent = Subscriber.objects.in_application(request.application).order_by("-pk")
    names = {name for attributes in recent.values_list("attributes", flat=True)[:50] for name in attributes}
    return sorted(names)[:30]
