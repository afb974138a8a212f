"""A mail server on this machine: takes what it is given, keeps it, and does wrong what it is told to."""

from __future__ import annotations

import asyncio
import threading
from base64 import b64decode
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

#: Answers to a command that end the connection after they are given.
_CLOSING = "421"


@dataclass(frozen=True, slots=True)
class Arrived:
    """recipient: of the envelope. mail: parsed as a mail program would."""

    sender: str
    recipient: str
    mail: EmailMessage


@dataclass(slots=True)
class Behaviour:
    """refusals: mailbox -> reply to RCPT. replies: command ("MAIL", "RCPT", "DATA", ".") -> replies to give next, used
    up in order. cut: numbers of the mails (from 1) whose connection ends after their content came, without an answer.
    per_connection: mails after which the connection is closed with 421. users: name -> password, if any must sign in.
    """

    refusals: dict[str, str] = field(default_factory=dict)
    replies: dict[str, list[str]] = field(default_factory=dict)
    cut: set[int] = field(default_factory=set)
    per_connection: int | None = None
    users: dict[str, str] = field(default_factory=dict)

    def reply_to(self, command: str) -> str | None:
        waiting = self.replies.get(command)
        return waiting.pop(0) if waiting else None


class MailCounterpart:
    """Serves on 127.0.0.1 from a thread of its own. A context manager; `port` is free until it starts."""

    def __init__(self, *, port: int = 0) -> None:
        self.port, self.behaviour = port, Behaviour()
        self.arrived: list[Arrived] = []
        self.connections = self.contents = 0
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def origin(self) -> str:
        """As PUSHSAAS_EGRESS_ALLOW wants it."""
        return f"smtp://127.0.0.1:{self.port}"

    def __enter__(self) -> MailCounterpart:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mail-counterpart", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(timeout=10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(0.01)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            await _Session(self, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()


class _Session:
    def __init__(self, server: MailCounterpart, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.sender = self.recipient = ""
        self.taken = 0
        self.is_signed_in = not server.behaviour.users

    async def run(self) -> None:
        self._say("220 counterpart")
        while line := await self.reader.readline():
            if not await self._answer(line.decode(errors="replace").strip()):
                return
            await self.writer.drain()

    async def _answer(self, line: str) -> bool:
        """Whether the connection goes on."""
        command, _space, rest = line.partition(" ")
        command = command.upper()
        told = self.server.behaviour.reply_to(command)
        if told is None and command == "MAIL" and self.taken == self.server.behaviour.per_connection:
            told = "421 4.7.0 enough for one connection"
        if told is not None:
            self._say(told)
            return not told.startswith(_CLOSING)
        if command == "DATA":
            return await self._take_content()
        self._say(self._reply(command, rest))
        return command != "QUIT"

    def _reply(self, command: str, rest: str) -> str:
        if command == "EHLO":
            return "250-counterpart\r\n250 AUTH PLAIN"
        if command == "AUTH":
            return self._sign_in(rest)
        if command == "MAIL":
            self.sender = _mailbox(rest)
            return "250 2.1.0 ok" if self.is_signed_in else "530 5.7.0 sign in first"
        if command == "RCPT":
            self.recipient = _mailbox(rest)
            return self.server.behaviour.refusals.get(self.recipient, "250 2.1.5 ok")
        return {"QUIT": "221 2.0.0 bye", "RSET": "250 2.0.0 ok", "NOOP": "250 2.0.0 ok"}.get(command, "500 5.5.2 what?")

    def _sign_in(self, rest: str) -> str:
        _nobody, name, password = b64decode(rest.partition(" ")[2]).decode().split("\0")
        self.is_signed_in = self.server.behaviour.users.get(name) == password
        return "235 2.7.0 welcome" if self.is_signed_in else "535 5.7.8 wrong name or password"

    async def _take_content(self) -> bool:
        self._say("354 go on")
        content = (await self.reader.readuntil(b"\r\n.\r\n"))[:-5].replace(b"\r\n..", b"\r\n.")
        self.server.contents += 1
        told = self.server.behaviour.reply_to(".")
        if told is not None:
            self._say(told)
            return True
        mail = message_from_bytes(content, policy=policy.default)
        self.server.arrived.append(Arrived(self.sender, self.recipient, mail))
        self.taken += 1
        if self.server.contents in self.server.behaviour.cut:
            self.writer.transport.abort()
            return False
        self._say("250 2.0.0 taken")
        return True

    def _say(self, text: str) -> None:
        self.writer.write(f"{text}\r\n".encode())


def _mailbox(parameters: str) -> str:
    """Of `FROM:<a@b> SIZE=…`."""
    return parameters.partition("<")[2].partition(">")[0]
