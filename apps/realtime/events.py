"""What may be published: the limits of an event, checked the same way for every door. Pure."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.realtime.errors import BadChannel, BadEvent, EventTooLarge
from apps.realtime.protocol import channels, messages
from apps.realtime.protocol.messages import MAX_EVENT_NAME
from apps.realtime.protocol.publications import Topic, packed
from apps.realtime.protocol.tags import BadTags, packed_tags

MAX_CHANNELS = 100
MAX_BATCH = 10
MAX_IDEMPOTENCY_KEY = 128
_RESERVED = ("pusher:", "pusher_internal:")
#: How long the last event of a cache channel is replayed, in seconds.
CACHE_TTL = 1_800
#: A channel's offsets must outlive every client's memory of them, in seconds.
META_TTL = 30 * 24 * 3_600
#: How long a repeated publish is recognised, in seconds.
IDEMPOTENCY_TTL = 24 * 3_600


@dataclass(frozen=True, slots=True)
class Event:
    """One event for one or more channels. data: text, usually JSON. socket_id: who must not get it, or empty.
    tags: as packed (protocol/tags.py)."""

    name: str
    data: str
    channels: tuple[str, ...]
    socket_id: str = ""
    tags: str = ""

    def body(self, channel: str, publication_id: str) -> bytes:
        """What goes into the log and to the gateways: the JSON is encoded here and nowhere else."""
        json = messages.event(self.name, self.data, channel)
        return packed(publication_id, self.socket_id, Topic.EVENT, json, self.tags)


def new_publication_id() -> str:
    return secrets.token_urlsafe(12)


def checked_event(
    *,
    name: object,
    data: object,
    channels_: Sequence[object],
    socket_id: object = None,
    max_bytes: int,
    tags: object = None,
) -> Event:
    """Raises BadEvent, BadChannel, EventTooLarge. max_bytes: of `data`, as UTF-8."""
    if not isinstance(name, str) or not 0 < len(name) <= MAX_EVENT_NAME:
        raise BadEvent(_("name must be a string of 1 to %d characters.") % MAX_EVENT_NAME)
    if name.startswith(_RESERVED):
        raise BadEvent(_("Event names that start with pusher: or pusher_internal: are the protocol's own."))
    if not isinstance(data, str):
        raise BadEvent(_("data must be a string; encode JSON before you publish it."))
    if len(data) > max_bytes or (4 * len(data) > max_bytes and len(data.encode("utf-8", "surrogatepass")) > max_bytes):
        raise EventTooLarge(_("data is larger than the %d bytes this application allows.") % max_bytes)
    if not _is_encodable(name) or not _is_encodable(data):
        raise BadEvent(_("name and data must be valid Unicode text."))
    if socket_id not in (None, "") and not messages.is_socket_id(socket_id):
        raise BadEvent(_("socket_id must look like 123.456."))
    try:
        packed_tags_ = packed_tags(tags)
    except BadTags as error:
        raise BadEvent(str(error)) from None
    excluded = socket_id if isinstance(socket_id, str) else ""
    return Event(name, data, _checked_channels(channels_), excluded, packed_tags_)


def _checked_channels(names: Sequence[object]) -> tuple[str, ...]:
    if not 0 < len(names) <= MAX_CHANNELS:
        raise BadEvent(_("An event goes to 1 to %d channels.") % MAX_CHANNELS)
    for name in names:
        if not channels.is_publishable(name):
            raise BadChannel
    unique = tuple(dict.fromkeys(str(name) for name in names))
    if len(unique) > 1 and any(channels.kind_of(name).is_encrypted for name in unique):
        raise BadEvent(_("An event for an encrypted channel goes to that channel alone."))
    return unique


def _is_encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
