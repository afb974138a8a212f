"""How a publication travels from the publisher to every gateway: one line of header, one line of finished JSON.

`POSITION ID EXCLUDED KIND [TAGS]\n{"event":…}`. A gateway needs no JSON parser on this path.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

#: Beyond every offset; Lua and JavaScript still count exactly here.
MAX_OFFSET = 10**15


class Topic(StrEnum):
    """What a message on a channel's topic is. Only EVENT and CLIENT_EVENT are billed."""

    EVENT = "p"
    CLIENT_EVENT = "c"
    MEMBER = "m"
    COUNT = "n"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a publication stands in its channel's log. Offsets of different epochs say nothing about each other."""

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.offset}"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a log and the id of what stands there ("" = unknown): what a client needs to resume."""

    position: Position
    id: str = ""


NOWHERE = Mark(Position("", 0))


@dataclass(frozen=True, slots=True)
class Publication:
    """position: None when the channel keeps no log of it. sequence: of a MEMBER message, its place among them.
    excluded: the socket id that must not get it. json: the finished event message. tags: as packed (tags.py)."""

    position: Position | None
    id: str
    excluded: str
    kind: Topic
    json: bytes
    sequence: int = 0
    tags: str = ""

    @property
    def mark(self) -> Mark:
        return Mark(self.position, self.id) if self.position is not None else NOWHERE


def packed(publication_id: str, excluded: str, kind: Topic, json: bytes, tags: str = "") -> bytes:
    """What goes into the log and, behind its position, to the gateways."""
    head = f"{publication_id} {excluded or '-'} {kind.value}"
    return (f"{head} {tags}\n" if tags else f"{head}\n").encode() + json


def parse_position(text: str) -> Position | None:
    epoch, separator, offset = text.rpartition(":")
    if not separator or not epoch or not (offset.isascii() and offset.isdigit() and len(offset) <= 15):
        return None
    return Position(epoch, int(offset))


def unpacked(message: bytes) -> Publication:
    """The reverse of `packed` with a position in front. Raises ValueError on anything else."""
    head, newline, json = message.partition(b"\n")
    where, publication_id, excluded, kind, *tags = head.decode().split(" ")
    if not newline or len(tags) > 1:
        raise ValueError("a publication without a body")
    position = parse_position(where)
    sequence = int(where[1:]) if where.startswith("#") else 0
    left_out = "" if excluded == "-" else excluded
    return Publication(position, publication_id, left_out, Topic(kind), json, sequence, "".join(tags))


def with_position(publication: Publication) -> bytes:
    """The event JSON with message id, offset and epoch spliced in, for clients that asked for them."""
    if publication.position is None:
        return publication.json
    return marked(publication.json, publication.mark)


def marked(json: bytes, mark: Mark, *, recovered: bool | None = None) -> bytes:
    """A finished JSON object with a place spliced in. Ids and epochs are ours: nothing in them needs escaping."""
    tail = f',"message_id":"{mark.id}","epoch":"{mark.position.epoch}","offset":{mark.position.offset}'
    if recovered is not None:
        tail += f',"recovered":{str(recovered).lower()}'
    return json[:-1] + tail.encode() + b"}"
