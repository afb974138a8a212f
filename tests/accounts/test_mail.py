"""The queue of letters: nothing is lost, nothing is readable in the table, one language per person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from smtplib import SMTPServerDisconnected

import pytest
import time_machine
from django.conf import settings
from django.core import mail
from django.core.mail import EmailMessage
from django.db import connection, transaction

from apps.accounts.models import OutgoingMail, User
from apps.accounts.services.mail import deliver_due_mail, send_mail, send_notice

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LINK = "https://push.example/secret-link"


def queue() -> None:
    send_mail(recipient="ann@acme.example", kind="password_reset", language="en", facts={"link": LINK})


def test_a_letter_goes_once_and_leaves_the_queue() -> None:
    queue()
    assert deliver_due_mail() == 1
    assert deliver_due_mail() == 0
    (letter,) = mail.outbox
    assert (letter.to, letter.subject) == (["ann@acme.example"], "Choose a new password")
    assert LINK in letter.body
    assert not OutgoingMail.objects.exists()


def test_what_a_letter_says_is_not_readable_in_the_table() -> None:
    queue()
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(m)::text FROM accounts_outgoingmail m")
        (row,) = cursor.fetchone()
    assert "secret-link" not in row


def test_a_letter_of_a_change_that_fails_is_not_sent() -> None:
    with transaction.atomic():
        queue()
        transaction.set_rollback(True)
    assert deliver_due_mail() == 0


def test_a_mail_server_that_is_down_is_tried_again_with_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_message: EmailMessage) -> int:
        raise SMTPServerDisconnected("gone")

    with time_machine.travel(NOON, tick=False) as clock:
        queue()
        with monkeypatch.context() as broken:
            broken.setattr(EmailMessage, "send", refuse)
            assert deliver_due_mail() == 1
            assert deliver_due_mail() == 0
            clock.shift(timedelta(minutes=1))
            assert deliver_due_mail() == 1
            clock.shift(timedelta(minutes=1))
            assert deliver_due_mail() == 0
        clock.shift(timedelta(minutes=1))
        assert deliver_due_mail() == 1
    assert len(mail.outbox) == 1


def test_a_letter_that_never_goes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_message: EmailMessage) -> int:
        raise ConnectionRefusedError

    monkeypatch.setattr(EmailMessage, "send", refuse)
    with time_machine.travel(NOON, tick=False) as clock:
        queue()
        for _n in range(8):
            assert OutgoingMail.objects.count() == 1
            deliver_due_mail()
            clock.shift(timedelta(days=1))
    assert not OutgoingMail.objects.exists()


@pytest.mark.parametrize("kind", sorted(path.stem for path in (settings.BASE_DIR / Path("templates/mail")).iterdir()))
def test_every_letter_has_a_subject_on_one_line_and_plain_text(person: User, kind: str) -> None:
    facts = {"link": LINK, "name": "A <b>&", "left": 3, "tenant": "Acme & Co", "inviter": "Olive"}
    send_notice(user=person, kind=kind, facts=facts)
    deliver_due_mail()
    (letter,) = mail.outbox
    assert letter.subject
    assert "\n" not in letter.subject
    assert "&amp;" not in letter.subject + str(letter.body)
    assert "{{" not in str(letter.body)
