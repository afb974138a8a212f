"""The part of the editor about the device and what follows: fallback, priority, inbox, clicks, conversion."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.campaigns.models import Campaign
from apps.core.errors import HouseError
from apps.messaging.receipts.following import INBOX_DEFAULT, INBOX_MOST, WINDOW_MOST
from apps.messaging.services.messages import COLLAPSE_KEY_MOST, FALLBACK_LEAST, FALLBACK_MOST

_DAY, _HOUR = 86_400, 3_600
_PRIORITIES = [
    ("high", _("High: wakes the device, and goes before your other campaigns")),
    ("normal", _("Normal: shown when the device is awake")),
]


class AfterForm(forms.Form):
    """Shape is checked; rules live in the services."""

    priority = forms.ChoiceField(label=_("Priority"), choices=_PRIORITIES, initial="high", required=False)
    collapse_key = forms.CharField(
        label=_("Replaces"), required=False, max_length=COLLAPSE_KEY_MOST,
        help_text=_("A later message with the same word replaces this one on the device, such as score-42."),
    )  # fmt: skip
    fallback_after = forms.IntegerField(
        label=_("Next route after so many seconds without an answer"), required=False, min_value=FALLBACK_LEAST,
        max_value=FALLBACK_MOST,
        help_text=_(
            "Who was handed it but reported no receipt by then gets it by the next route too, as one more send. "
            "Empty: only those whom a route does not reach."
        ),
    )  # fmt: skip
    inbox = forms.ChoiceField(
        label=_("Inbox"), choices=[("off", _("No copy")), ("on", _("A copy in each person’s inbox"))], initial="off",
        required=False, widget=forms.RadioSelect,
    )  # fmt: skip
    inbox_days = forms.IntegerField(
        label=_("Days it stays there"), required=False, min_value=1, max_value=INBOX_MOST // _DAY,
        initial=INBOX_DEFAULT // _DAY,
    )  # fmt: skip
    track_clicks = forms.BooleanField(
        label=_("Count clicks on the link"), required=False, help_text=_("Web links lead by way of this server.")
    )
    conversion_event = forms.CharField(
        label=_("What you want people to do"), required=False, max_length=100,
        help_text=_("The name of an event, such as purchase. It counts as a conversion."),
    )  # fmt: skip
    conversion_hours = forms.IntegerField(
        label=_("Within so many hours"), required=False, min_value=1, max_value=WINDOW_MOST // _HOUR, initial=24
    )
    conversion_amount = forms.CharField(
        label=_("Property with the revenue"), required=False, max_length=100,
        help_text=_("The property of the event that says what it is worth, such as total."),
    )  # fmt: skip
    conversion_currency = forms.CharField(
        label=_("Currency"), required=False, max_length=3, help_text=_("Such as EUR.")
    )

    @property
    def plan(self) -> dict[str, Any]:
        """What a Plan takes of it."""
        said = self.cleaned_data
        return {
            "fallback_after": said["fallback_after"],
            "is_urgent": said["priority"] != "normal",
            "collapse_key": said["collapse_key"],
            "follow_up": self._follow_up(),
        }

    def _follow_up(self) -> dict[str, Any]:
        said = self.cleaned_data
        parts: dict[str, Any] = {"track_clicks": True} if said["track_clicks"] else {}
        if said["inbox"] == "on":
            parts["inbox"] = {"expires_after": (said["inbox_days"] or INBOX_DEFAULT // _DAY) * _DAY}
        if said["conversion_event"]:
            worth = {"amount": said["conversion_amount"], "currency": said["conversion_currency"].upper()}
            parts["conversion"] = {
                "event": said["conversion_event"], "window": (said["conversion_hours"] or 24) * _HOUR,
                **{name: value for name, value in worth.items() if value},
            }  # fmt: skip
        return parts


def after_initial(campaign: Campaign) -> dict[str, Any]:
    follow_up = campaign.follow_up
    inbox, wanted = follow_up.get("inbox"), follow_up.get("conversion") or {}
    return {
        "priority": "high" if campaign.is_urgent else "normal",
        "collapse_key": campaign.collapse_key,
        "fallback_after": campaign.fallback_after,
        "inbox": "on" if inbox else "off",
        "inbox_days": max(1, inbox["expires_after"] // _DAY) if inbox else INBOX_DEFAULT // _DAY,
        "track_clicks": bool(follow_up.get("track_clicks")),
        "conversion_event": wanted.get("event", ""),
        "conversion_hours": max(1, wanted["window"] // _HOUR) if wanted else 24,
        "conversion_amount": wanted.get("amount", ""),
        "conversion_currency": wanted.get("currency", ""),
    }


_NAMES = {
    "conversion.event": "conversion_event", "conversion.window": "conversion_hours",
    "conversion.amount": "conversion_amount", "conversion.currency": "conversion_currency",
    "inbox.expires_after": "inbox_days",
}  # fmt: skip


def as_fields(error: HouseError) -> HouseError:
    """The same refusal, by the names that the fields have here."""
    fields = {name.removeprefix("follow_up."): sentences for name, sentences in error.fields.items()}
    return type(error)(error.message, fields={_NAMES.get(name, name): said for name, said in fields.items()})
