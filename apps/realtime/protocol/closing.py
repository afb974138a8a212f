"""Close codes, with what pusher-js does on each: 40xx stay away, 41xx come back after 1 s, 42xx come back now."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Close:
    """Why a connection ends. The code decides whether the client returns; the reason is for the developer."""

    code: int
    reason: str


TLS_REQUIRED = Close(4000, "This application takes TLS connections only")
NO_SUCH_APPLICATION = Close(4001, "Application does not exist or this key is not active")
APPLICATION_DISABLED = Close(4003, "Application is disabled")
CONNECTION_QUOTA = Close(4004, "Application is over its connection quota")
NO_SUCH_PATH = Close(4005, "Path not found")
BAD_VERSION = Close(4006, "Malformed version")
UNSUPPORTED_PROTOCOL = Close(4007, "Unsupported protocol version")
NO_PROTOCOL = Close(4008, "No protocol version supplied")
UNAUTHORISED = Close(4009, "Connection was not authorised in time")
TOKEN_NOT_VALID = Close(4009, "The token is not valid")
TERMINATED = Close(4009, "Connection was terminated by the application")
OVER_CAPACITY = Close(4100, "Over capacity; come back in a moment")
TOO_SLOW = Close(4100, "Connection reads too slowly; messages were dropped")
TOKEN_EXPIRED = Close(4110, "The token has expired; come back with a new one")
RECONNECT = Close(4200, "Reconnect now")
MESSAGES_LOST = Close(4200, "Messages were lost; reconnect and load the current state")
NO_PONG = Close(4201, "Pong was not received in time")
INACTIVE = Close(4202, "Closed after inactivity; this version of the protocol knows no pings")
#: Never sent: what is noted when a client goes without a word (RFC 6455, section 7.1.5).
CUT = Close(1006, "The client went without a close frame")


def by_client(code: int | None) -> Close:
    """What a server reports of a connection that it did not close itself."""
    return CUT if code in (None, CUT.code) else Close(int(code), "Closed by the client")


#: Codes of `pusher:error` events; as events they never close a client. The first three are Pusher's, the others ours.
CLIENT_EVENT_RATE = 4301
WATCHLIST_TOO_LONG = 4302
SIGN_IN_FAILED = 4009
MALFORMED = 4310
UNKNOWN_EVENT = 4311
CLIENT_EVENT_REFUSED = 4312
TOKEN_REFUSED = 4313
