"""What people read about each switch, limit and scope."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _


class Group(NamedTuple):
    """Settings that a page shows together. id: of the heading."""

    id: str
    title: Any
    help: Any
    fields: tuple[str, ...]


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
    "recovery": Text(
        _("Recovery after a break"),
        _("A client of our SDK says where it stood and gets what it missed. Off, such a wish is refused."),
    ),
    "rewind": Text(_("Rewind"), _("A new subscription may begin with the newest publications of its channel.")),
    "history_api": Text(_("History over HTTP"), _("Servers may read what a channel keeps, page by page.")),
    "http_streams": Text(
        _("Server-sent events and long polls"),
        _("Channels may be listened to by HTTP. Off, both are refused."),
    ),
    "http_fallback": Text(
        _("HTTP fallback"),
        _("Pusher clients behind proxies without WebSockets connect by plain HTTP requests."),
    ),
    "tls_required": Text(
        _("TLS required"),
        _("Unencrypted connections are closed (4000) and unencrypted calls refused. Clients then switch to TLS."),
    ),
    "tokens": Text(
        _("Tokens"),
        _("Clients may sign in and subscribe with JSON Web Tokens that your server or identity provider signs."),
    ),
}
STRING_TEXTS = {
    "token_issuer": Text(_("Issuer"), _("If you fill it in, tokens must name it as “iss”.")),
    "token_audience": Text(
        _("Audience"),
        _("If you fill it in, tokens must name it as “aud”. Else the application's id stands for it."),
    ),
    "token_jwks_url": Text(
        _("Address of the key set"),
        _("An https address with a JSON Web Key Set, for tokens signed with RS256 or ES256. Such tokens need “aud”."),
    ),
    "token_public_key": Text(
        _("Public key"),
        _("In PEM form, for RS256 or ES256. HS256 tokens need a secret of this application."),
    ),
    "latest_only_channels": Text(
        _("Channels of which only the newest event counts"),
        _(
            "For example “ticker-* cursors”. A client that reads too slowly then skips to the newest event of such a "
            "channel instead of being closed. Presence channels are left out."
        ),
    ),
}
NUMBER_TEXTS = {
    "max_connections": Text(_("Connections at the same time"), _("Further ones are refused.")),
    "max_subscriptions": Text(_("Subscriptions of a connection"), _("Channels at the same time.")),
    "max_event_bytes": Text(_("Size of an event"), _("Bytes of its data.")),
    "max_presence_members": Text(_("Members of a presence channel"), _("Distinct users.")),
    "max_user_info_bytes": Text(_("Size of a member's information"), _("Bytes of user_info on presence channels.")),
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

GROUPS = (
    Group(
        "clients",
        _("What clients may do"),
        _("What is switched off is refused with a code that says so."),
        ("client_events", "subscription_count", "watchlist", "behaviour_events"),
    ),
    Group(
        "recovery",
        _("Recovery and history"),
        _("What a channel keeps, and who may ask for it."),
        ("recovery", "rewind", "history_api", "latest_only_channels", "history_size", "history_ttl"),
    ),
    Group(
        "ways",
        _("Ways to connect"),
        _("WebSockets are always open; the others can be closed."),
        ("http_streams", "http_fallback", "tls_required", "authorized_connections_only", "activity_timeout"),
    ),
    Group(
        "tokens",
        _("Tokens"),
        _("Instead of a signature for each connection and channel, a token that is good for a while."),
        ("tokens", "token_issuer", "token_audience", "token_jwks_url", "token_public_key"),
    ),
    Group(
        "limits",
        _("Limits"),
        _("They protect your users from your own mistakes. What is over a limit is refused with a code."),
        (
            "max_connections", "max_subscriptions", "max_event_bytes", "max_presence_members", "max_user_info_bytes",
            "max_client_events_per_second", "max_publishes_per_second",
        ),
    ),
)  # fmt: skip
