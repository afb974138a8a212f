"""Letters: written in the transaction of what they tell, sent after it, kept until the mail server has them.

A letter is `templates/mail/<kind>.txt`: its first line is the subject. Facts are what the template may name. What hangs
on a letter is made when it leaves, by the function that `settings.MAIL_ATTACHMENTS` names for its kind.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from smtplib import SMTPException

from celery import current_app
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.module_loading import import_string

from apps.accounts.models import OutgoingMail, User
from apps.core import clock, sealing

logger = logging.getLogger(__name__)

Facts = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Attachment:
    name: str
    content: bytes
    content_type: str


_BATCH = 20
#: Minutes from one try to the next. When they are used up the letter is dropped and logged.
_PAUSES = (1, 2, 5, 15, 60, 240, 720)


def send_mail(*, recipient: str, kind: str, language: str, facts: Facts | None = None, is_urgent: bool = True) -> None:
    """Queues a letter in the caller's transaction and rings for a worker once that has committed.

    is_urgent: without it nobody is rung and the tick takes it: a great many must not keep workers from their work.
    """
    sealed = sealing.seal(json.dumps(dict(facts or {})), context=_context(kind, recipient))
    OutgoingMail.objects.create(recipient=recipient, kind=kind, language=language, facts_sealed=sealed)
    if is_urgent:
        transaction.on_commit(_ring, robust=True)


def send_notice(*, user: User, kind: str, facts: Facts | None = None) -> None:
    """Tells a person what happened to their account, in their language."""
    facts = {"at": clock.now().strftime("%Y-%m-%d %H:%M UTC"), **(facts or {})}
    send_mail(recipient=user.email, kind=kind, language=user.language or settings.LANGUAGE_CODE, facts=facts)


def _ring() -> None:
    """A ring that gets lost costs half a minute: the tick comes anyway."""
    current_app.send_task("accounts.deliver_mail", expires=60, retry=False)


def deliver_due_mail() -> int:
    """Tries what is due and returns how many that were. Several workers may; none holds a lock while it talks."""
    due = _claim()
    for mail in due:
        _deliver(mail)
    return len(due)


def _claim() -> list[OutgoingMail]:
    now = clock.now()
    with transaction.atomic(durable=True):
        # Letters with attachments come in thousands at a month's end: nobody's sign-in code waits behind them.
        has_attachment = ExpressionWrapper(Q(kind__in=list(settings.MAIL_ATTACHMENTS)), BooleanField())
        due = OutgoingMail.objects.filter(due_at__lte=now).order_by(has_attachment, "due_at", "pk")
        mails = list(due.select_for_update(skip_locked=True)[:_BATCH])
        for mail in mails:
            mail.due_at = now + timedelta(minutes=_PAUSES[min(mail.attempts, len(_PAUSES) - 1)])
            mail.attempts += 1
        OutgoingMail.objects.bulk_update(mails, ["due_at", "attempts"])
    return mails


def _deliver(mail: OutgoingMail) -> None:
    try:
        _message(mail).send()
    except (OSError, SMTPException) as error:
        logger.warning("mail.failed number=%s attempts=%s error=%r", mail.pk, mail.attempts, type(error))
        if mail.attempts <= len(_PAUSES):
            return
        logger.error("mail.dropped number=%s kind=%s", mail.pk, mail.kind)
    mail.delete()


def _message(mail: OutgoingMail) -> EmailMessage:
    facts = json.loads(sealing.unseal(mail.facts_sealed, context=_context(mail.kind, mail.recipient)))
    with translation.override(mail.language):
        subject, _newline, body = render_to_string(f"mail/{mail.kind}.txt", facts).strip().partition("\n")
    message = EmailMessage(subject.strip(), body.strip() + "\n", to=[mail.recipient])
    if (attached := _attachment(mail.kind, facts)) is not None:
        message.attach(attached.name, attached.content, attached.content_type)
    return message


def _attachment(kind: str, facts: Facts) -> Attachment | None:
    maker = settings.MAIL_ATTACHMENTS.get(kind)
    attached: Attachment | None = import_string(maker)(facts) if maker else None
    return attached


def _context(kind: str, recipient: str) -> str:
    return f"accounts_outgoingmail|facts|{kind}|{recipient}"
