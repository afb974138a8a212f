"""What is counted: the meters, their units and how records of one meter add up. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Aggregation(StrEnum):
    """How quantities of one meter combine over records and hours."""

    SUM = "sum"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class Meter:
    """A thing that is counted in whole units.

    name: the wire name, never changed. unit: one of it, for people. counted: the counting rule, for people.
    """

    name: str
    aggregation: Aggregation
    title: str | Promise
    unit: str | Promise
    counted: str | Promise


MESSAGES_PUBLISHED = "messages.published"
MESSAGES_DELIVERED = "messages.delivered"
CONNECTIONS_PEAK = "connections.peak"
CAMPAIGN_SENDS = "campaign.sends"

METERS: dict[str, Meter] = {
    meter.name: meter
    for meter in (
        Meter(
            MESSAGES_PUBLISHED,
            Aggregation.SUM,
            _("Messages published"),
            _("publication × channel"),
            _(
                "One for each channel an accepted event is published to, with or without subscribers. "
                "A refused event and a repeat with the same idempotency key cost nothing."
            ),
        ),
        Meter(
            MESSAGES_DELIVERED,
            Aggregation.SUM,
            _("Messages delivered"),
            _("publication × connection"),
            _(
                "One for each connection a publication is written to. Presence, subscriptions, pings and frames "
                "dropped for a slow client are never counted."
            ),
        ),
        Meter(
            CONNECTIONS_PEAK,
            Aggregation.MAX,
            _("Peak connections"),
            _("open connections"),
            _("The largest number of connections that were open at the same time."),
        ),
        Meter(
            CAMPAIGN_SENDS,
            Aggregation.SUM,
            _("Campaign sends"),
            _("message × recipient"),
            _(
                "One for each campaign message that a provider accepted. Suppressed, failed and unknown ones are "
                "free; a message by the realtime provider also counts as published and delivered."
            ),
        ),
    )
}
