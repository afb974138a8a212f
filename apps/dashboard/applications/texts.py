"""What people read about each switch, limit and scope."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _


class Text(NamedTuple):
    label: Any
    help: Any


SWITCH_TEXTS = {
    "client_events": Text(
        _("Client events"),
        _("Clients may send “client-…” events to others on private and presence channels."),
    ),
    "subscription_count": Text(
        _("Subscription counts"),
        _("Subscribers of a channel are told how many connections listen to it."),
    ),
    "watchlist": Text(
        _("Watch lists"),
        _("A signed-in user may name up to 100 others and hears when they come and go."),
    ),
    "behaviour_events": Text(
        _("Events from sockets"),
        _("Signed-in users' coming online, joining channels and client events become events of the subscriber."),
    ),
    "authorized_connections_only": Text(
        _("Authorised connections only"),
        _("A connection that neither signs in nor joins a private or presence channel in time is closed."),
    ),
}
NUMBER_TEXTS = {
    "max_connections": Text(_("Connections at the same time"), _("Further ones are refused.")),
    "max_event_bytes": Text(_("Size of an event"), _("Bytes of its data.")),
    "max_presence_members": Text(_("Members of a presence channel"), _("Distinct users.")),
    "max_client_events_per_second": Text(_("Client events per second"), _("For one connection.")),
    "max_publishes_per_second": Text(_("Publications per second"), _("For the whole application.")),
    "history_size": Text(_("Publications kept per channel"), _("For clients that were away and catch up.")),
    "history_ttl": Text(_("How long they are kept"), _("Seconds.")),
    "activity_timeout": Text(_("Silence before a ping"), _("Seconds without a frame until a client asks.")),
}
SCOPE_TEXTS = {
    "publish": _("Publish events and read channels"),
    "audience.read": _("Read subscribers and segments"),
    "audience.write": _("Change subscribers and segments"),
    "campaigns.read": _("Read campaigns and templates"),
    "campaigns.write": _("Change campaigns and templates"),
    "campaigns.send": _("Schedule, pause and cancel campaigns"),
    "usage.read": _("Read usage"),
    "limits.write": _("Set limits and the spend cap"),
    "usage.write": _("Report usage of meters of your own"),
    "applications.read": _("Read applications"),
    "keys.write": _("Make and revoke API keys and OAuth clients"),
    "webhooks.write": _("Change webhooks"),
}
