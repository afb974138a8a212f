"""The connections to a push service, whose address somebody else has given us."""

from __future__ import annotations

from apps.core.egress import AddressRefused, Place, resolve
from apps.providers.exchanges import Lane
from apps.providers.webpush.answers import is_known

#: Requests under way at a service we know, and at one we do not.
_STREAMS_KNOWN, _STREAMS_UNKNOWN = 100, 8
_TIMEOUT = 10.0


def lane_to(place: Place, owner: str, proxy: str = "") -> Lane | str:
    """Where to connect, or why not. Blocks on DNS. owner: lanes of different owners share nothing.
    proxy: the credential's own."""
    try:
        address = resolve(place)
    except AddressRefused as refused:
        return refused.reason
    streams = _STREAMS_KNOWN if is_known(place.host) else _STREAMS_UNKNOWN
    return Lane(
        f"webpush:{owner}", place.origin, address, streams=streams, timeout=_TIMEOUT, unproven=frozenset(), proxy=proxy
    )
