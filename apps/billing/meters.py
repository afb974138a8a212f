"""What is counted: the meters, their units and how records of one meter add up. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Aggregation(StrEnum):
    """How the records of one meter combine.

    COUNT: records, whatever their quantity. UNIQUE: different subjects. LATEST: the newest quantity, told by
    `(occurred_at, source_key)`, in whatever order the records come. UNIQUE and LATEST cannot be added up over hours.
    """

    SUM = "sum"
    COUNT = "count"
    MAX = "max"
    UNIQUE = "unique"
    LATEST = "latest"


#: What the sums by the hour know nothing of.
APART = frozenset({Aggregation.UNIQUE, Aggregation.LATEST})
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}(\.[a-z0-9_]{1,30}){0,3}")
MAX_NAME = 64


@dataclass(frozen=True, slots=True)
class Meter:
    """A thing that is counted in whole units.

    name: the wire name, never changed. unit: one of it, for people. counted: the counting rule, for people.
    """

    name: str
    aggregation: Aggregation
    title: str | Promise
    unit: str | Promise
    counted: str | Promise = ""


MESSAGES_PUBLISHED = "messages.published"
MESSAGES_DELIVERED = "messages.delivered"
CONNECTIONS_PEAK = "connections.peak"
CAMPAIGN_SENDS = "campaign.sends"
CONNECTION_MINUTES = "connections.minutes"
MESSAGES_STORED = "messages.stored"
PUSH_ACCEPTED = "push.accepted"
WEBHOOKS_DELIVERED = "webhooks.delivered"
ACTIVE_SUBSCRIBERS = "subscribers.active"
ACTIVE_DEVICES = "devices.active"

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
        Meter(
            PUSH_ACCEPTED,
            Aggregation.SUM,
            _("Pushes accepted"),
            _("push × device"),
            _("One for each device whose push network accepted the push, with the network as a dimension."),
        ),
        Meter(
            CONNECTION_MINUTES,
            Aggregation.SUM,
            _("Connection minutes"),
            _("connection × minute"),
            _(
                "The time all connections of an application were open, added up and counted in whole minutes; "
                "what is left of a minute is carried on."
            ),
        ),
        Meter(
            MESSAGES_STORED,
            Aggregation.SUM,
            _("Messages stored"),
            _("publication × channel"),
            _("One for each publication that was put into its channel's history."),
        ),
        Meter(
            WEBHOOKS_DELIVERED,
            Aggregation.SUM,
            _("Webhooks delivered"),
            _("call"),
            _("One for each call that its receiver answered with success. Retries and a replay of it are free."),
        ),
        Meter(
            ACTIVE_SUBSCRIBERS,
            Aggregation.UNIQUE,
            _("Active subscribers"),
            _("subscribers"),
            _("Subscribers that a message reached, once in a period, on the first day it did."),
        ),
        Meter(
            ACTIVE_DEVICES,
            Aggregation.UNIQUE,
            _("Active devices"),
            _("devices"),
            _("Devices that a push network accepted a push for, once in a period, on the first day it did."),
        ),
    )
}


def is_meter_name(name: str) -> bool:
    """Lower-case words with dots between: `api.calls`."""
    return len(name) <= MAX_NAME and _NAME.fullmatch(name) is not None
