"""Clients that write down everything they hear, and the rule by which their notes are judged.

Publications of a channel are numbered 1, 2, 3, … A note is such a number, `GAP` (the server said that something is
lost, or a plain client had to begin anew) or `SENT_AWAY` (a connection of a plain client was closed with a 42xx code).
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidHandshake, WebSocketException

GAP, SENT_AWAY = "gap", "sent away"
Note = int | str


def faults_in(notes: Sequence[Note]) -> list[str]:
    """What breaks the promise: order is kept, and whatever is missing was said, before or (by closing) right after.

    A number may come twice in a row: its publisher did not hear the first answer, and Valkey, emptied, forgot it.
    """
    faults, last, skipped = [], None, ""
    for at, note in enumerate(notes):
        if note == SENT_AWAY:
            skipped = ""
        elif note == GAP:
            faults += [skipped] if skipped else []
            last, skipped = None, ""
        elif isinstance(note, int):
            if last is not None and note < last:
                faults.append(f"{note} came after {last}, at {at}")
            elif last is not None and note > last + 1:
                skipped = skipped or f"between {last} and {note} something is missing, at {at}"
            last = note
    return faults + ([skipped] if skipped else [])


class Notes:
    """What one client has heard, channel by channel. positions: where it stands, as the server says it."""

    def __init__(self) -> None:
        self.notes: dict[str, list[Note]] = defaultdict(list)
        self.positions: dict[str, Any] = {}

    def hear(self, message: dict[str, Any]) -> None:
        event, channel = message["event"], message.get("channel", "")
        if "epoch" in message:
            self.positions[channel] = {name: message[name] for name in ("epoch", "offset", "message_id")}
        begins = event == "pusher_internal:subscription_succeeded"
        if event == "pusher:messages_lost" or (begins and not message.get("recovered")):
            self.notes[channel].append(GAP)
        elif event == "n":
            self.notes[channel].append(int(message["data"]))

    def closed(self, code: int | None) -> None:
        """Of a plain client's connection."""
        if code is not None and 4200 <= code < 4300:
            for notes in self.notes.values():
                notes.append(SENT_AWAY)

    def last(self, channel: str) -> Note | None:
        return next((note for note in reversed(self.notes[channel]) if isinstance(note, int)), None)


class Witness(Notes):
    """Stays on its channels whatever happens, on any of the gateways. has_positions: resumes, not starts over."""

    def __init__(
        self, ports: Sequence[int], key: str, channels: Sequence[str], seed: int, *, has_positions: bool
    ) -> None:
        super().__init__()
        self._ports, self._key, self._channels, self._random = ports, key, channels, random.Random(seed)
        self._has_positions = has_positions
        self.connection: ClientConnection | None = None
        self.connections = 0

    def cut(self) -> None:
        """The network goes away under the connection."""
        if self.connection is not None:
            self.connection.transport.abort()

    async def stay(self) -> None:
        while True:
            port = self._random.choice(self._ports)
            with suppress(OSError, TimeoutError, InvalidHandshake, WebSocketException):
                address = f"ws://127.0.0.1:{port}/app/{self._key}?protocol=7"
                async with connect(address, compression=None, open_timeout=5, close_timeout=1) as self.connection:
                    await self._listen(self.connection)
            await asyncio.sleep(0.05)

    async def _listen(self, connection: ClientConnection) -> None:
        await connection.recv()
        self.connections += 1
        for channel in self._channels:
            fields: dict[str, Any] = {"channel": channel}
            if self._has_positions:
                fields["position"] = self.positions.get(channel, True)
            await connection.send(json.dumps({"event": "pusher:subscribe", "data": fields}))
        with suppress(ConnectionClosedError):  # any code but 1000 and 1001 ends the iteration like this
            async for text in connection:
                self.hear(json.loads(text))
        if not self._has_positions:
            self.closed(connection.close_code)
