"""The form of a webhook and that of a replay. They check shape; rules live in the services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.webhooks.events import EventName
from apps.webhooks.models import BATCH_BYTES, BATCH_EVENTS, WebhookEndpoint
from apps.webhooks.signing import Signing

EVENT_TEXTS: dict[str, Any] = {
    EventName.CHANNEL_OCCUPIED: _("Channel occupied: its first subscriber came"),
    EventName.CHANNEL_VACATED: _("Channel vacated: its last subscriber left"),
    EventName.MEMBER_ADDED: _("Member added to a presence channel"),
    EventName.MEMBER_REMOVED: _("Member removed from a presence channel"),
    EventName.CLIENT_EVENT: _("Client event sent by a subscriber"),
    EventName.CACHE_MISS: _("Cache miss: somebody subscribed and nothing was kept"),
    EventName.SUBSCRIPTION_COUNT: _("Subscription count changed"),
}
SIGNING_TEXTS: dict[str, Any] = {
    Signing.PUSHER: _("Pusher: for servers that use a Pusher library"),
    Signing.STANDARD: _("Standard Webhooks: retried for three days"),
    Signing.BOTH: _("Both signatures, in Pusher's format"),
}


class WebhookForm(forms.Form):
    url = forms.CharField(
        label="URL",
        max_length=1_000,
        help_text=_("A public https address of your server, on port 443 or 8443."),
        widget=forms.URLInput(attrs={"placeholder": "https://example.com/webhooks"}),
    )
    events = forms.MultipleChoiceField(
        label=_("Events"), widget=forms.CheckboxSelectMultiple, choices=list(EVENT_TEXTS.items())
    )
    signing = forms.ChoiceField(
        label=_("Signature"), widget=forms.RadioSelect, choices=list(SIGNING_TEXTS.items()), initial=Signing.PUSHER
    )
    batching = forms.BooleanField(
        label=_("Several events in one call"),
        required=False,
        help_text=_("Fewer calls when much happens. Events keep their order."),
    )
    batch_events = forms.IntegerField(
        label=_("Most events in one call"), min_value=BATCH_EVENTS[0], max_value=BATCH_EVENTS[1], initial=50
    )
    batch_bytes = forms.IntegerField(
        label=_("Most bytes of events in one call"),
        min_value=BATCH_BYTES[0],
        max_value=BATCH_BYTES[1],
        initial=16_000,
        help_text=_("Both count only when several events share a call. A single larger event goes alone."),
    )


class WebhookChangeForm(WebhookForm):
    is_enabled = forms.BooleanField(
        label=_("Enabled"),
        required=False,
        help_text=_("A disabled webhook gets nothing. What waits to be sent is given up and can be replayed later."),
    )

    @staticmethod
    def initial_of(endpoint: WebhookEndpoint) -> dict[str, Any]:
        return {name: getattr(endpoint, name) for name in WebhookChangeForm.base_fields}


class ReplayForm(forms.Form):
    """From when on, in the tenant's time zone."""

    since = forms.DateTimeField(
        label=_("Made since"), required=False, widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )
    until = forms.DateTimeField(
        label=_("Made before"), required=False, widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )
