"""Handing mails to one server over a few connections that outlive the call.

A connection is used by one thread at a time. It is kept when the call ends, so the next slice, and the next chunk, find
it open; one that was idle for longer is closed, because servers close those themselves.
"""

from __future__ import annotations

import os
import smtplib
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from django.core.mail import EmailMessage

from apps.providers.email.answers import Said, Stage
from apps.providers.email.server import Mailer, MailServer
from apps.providers.exchanges import NOT_BEGUN, Lost

#: Connections to one server at a time, from one process.
CONNECTIONS = 4
#: Seconds of idleness after which a connection is not used again.
_IDLE = 20.0
_DISCONNECTED, _CLOSING = "SMTPServerDisconnected", 421

Answer = Said | Lost


class Post:
    """The open connections of this process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._lock = threading.Lock()
        self._idle: dict[MailServer, list[tuple[float, Mailer]]] = defaultdict(list)

    def take(self, server: MailServer) -> tuple[Mailer, bool]:
        """A connection of this server's, and whether it was used before; a new one is not open yet."""
        with self._lock:
            known = self._idle[server]
            while known:
                since, mailer = known.pop()
                if time.monotonic() - since < _IDLE:
                    return mailer, True
                _close(mailer)
        return Mailer(server), False

    def give_back(self, server: MailServer, mailer: Mailer) -> None:
        with self._lock:
            self._idle[server].append((time.monotonic(), mailer))

    def close(self) -> None:
        with self._lock:
            for _since, mailer in (one for known in self._idle.values() for one in known):
                _close(mailer)
            self._idle.clear()


_post = Post()


def _current() -> Post:
    """This process's: a forked child must not speak on its parent's connections."""
    global _post
    if _post.pid != os.getpid():
        _post = Post()
    return _post


def close_mail_connections() -> None:
    _current().close()


def deliver(server: MailServer, mails: Sequence[EmailMessage], *, deadline: float = 20.0) -> list[Answer]:
    """One Answer per mail, in order. deadline: seconds after which nothing more is begun."""
    call = _Call(mails, time.monotonic() + deadline)
    many = min(CONNECTIONS, len(mails))
    if many == 1:
        _work(server, call)
    elif many:
        with ThreadPoolExecutor(many) as pool:
            list(pool.map(lambda _number: _work(server, call), range(many)))
    return call.answers


def try_login(server: MailServer) -> Answer | None:
    """Connects and signs in. None: the server takes us."""
    mailer = Mailer(server)
    refusal = _open(mailer)
    _close(mailer)
    return refusal


class _Call:
    """The mails of one call, handed out one by one. unsent: what to say of those that were not begun."""

    def __init__(self, mails: Sequence[EmailMessage], until: float) -> None:
        self._lock = threading.Lock()
        self._left: Iterator[tuple[int, EmailMessage]] = iter(enumerate(mails))
        self._until = until
        self.answers: list[Answer] = [NOT_BEGUN] * len(mails)

    def next(self) -> tuple[int, EmailMessage] | None:
        with self._lock:
            return next(self._left, None) if time.monotonic() < self._until else None

    def give_up(self, answer: Answer) -> None:
        """No connection can be had: the same for everything that nobody has begun."""
        with self._lock:
            for index, _mail in self._left:
                self.answers[index] = answer


def _work(server: MailServer, call: _Call) -> None:
    """Mails until there are none, over one connection that is opened again when the server closes it."""
    mailer, used_before = _current().take(server)
    while (item := call.next()) is not None:
        index, mail = item
        answer = _send(mailer, mail)
        if used_before and _was_closed(answer):  # while it was idle, or after its share of mails: surely not processed
            _close(mailer)
            answer = _send(mailer, mail)
        call.answers[index] = answer
        if _is_hopeless(answer):
            _close(mailer)
            call.give_up(answer)
            return
        used_before = True
    if mailer.connection is not None:
        _current().give_back(server, mailer)


def _was_closed(answer: Answer) -> bool:
    return answer.code == _CLOSING if isinstance(answer, Said) else answer == Lost(False, _DISCONNECTED)


def _is_hopeless(answer: Answer) -> bool:
    """No connection can be had, or nobody signs in on one."""
    return answer.stage is Stage.LOGIN if isinstance(answer, Said) else not answer.sent


def _send(mailer: Mailer, mail: EmailMessage) -> Answer:
    refusal = _open(mailer) if mailer.connection is None else None
    if refusal is not None:
        return refusal
    mailer.begin()
    try:
        mailer.send_messages([mail])
    except smtplib.SMTPException as error:
        answer = _said(error) or Lost(mailer.may_hold_mail, type(error).__name__)
        if isinstance(answer, Lost):
            _close(mailer)
        return answer
    except (OSError, ValueError) as error:  # ValueError: what the mail library does not put into a header
        lost = Lost(mailer.may_hold_mail, type(error).__name__)
        _close(mailer)
        return lost
    return Said(Stage.CONTENT, 250)


def _open(mailer: Mailer) -> Answer | None:
    try:
        mailer.open()
    except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError) as error:
        code = getattr(error, "smtp_code", 535)
        return Said(Stage.LOGIN, code, _text(getattr(error, "smtp_error", "")))
    except OSError as error:  # SMTPException is one, too
        return Lost(False, type(error).__name__)
    return None


def _said(error: smtplib.SMTPException) -> Said | None:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        [(code, text)] = error.recipients.values()
        return Said(Stage.RECIPIENT, code, _text(text))
    if isinstance(error, smtplib.SMTPSenderRefused):
        return Said(Stage.SENDER, error.smtp_code, _text(error.smtp_error))
    if isinstance(error, smtplib.SMTPDataError):
        return Said(Stage.CONTENT, error.smtp_code, _text(error.smtp_error))
    return None


def _text(said: bytes | str) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said


def _close(mailer: Mailer) -> None:
    try:
        mailer.close()
    except (smtplib.SMTPException, OSError):
        mailer.connection = None
