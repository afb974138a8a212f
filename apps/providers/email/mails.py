"""One push as a mail: plain text and HTML, and the headers that mail programs make an unsubscribe button of.

The words are the notification's: its title is the subject. RFC 8058 wants the unsubscribe headers signed, which is the
mail server's work (DKIM), and an https address.
"""

from __future__ import annotations

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation

from apps.providers.base import Push

_ONE_CLICK = "List-Unsubscribe=One-Click"
#: RFC 5322 allows 998 characters in a line; a subject is shown up to about 70.
MAX_SUBJECT = 900


def mail_for(push: Push, *, sender: str, domain: str, to: str) -> EmailMultiAlternatives:
    """sender: the From header. domain: of the sender's address. to: the mailbox."""
    shown = push.notification
    context = {
        "title": shown.title, "body": shown.body, "url": shown.url, "image_url": shown.image_url,
        "unsubscribe_url": push.unsubscribe_url, "language": push.language or "en",
    }  # fmt: skip
    with translation.override(_spoken(push.language)):
        text = render_to_string("push/mail.txt", context)
        html = render_to_string("push/mail.html", context)
    mail = EmailMultiAlternatives(_subject(push), text, sender, [to], headers=_headers(push, domain))
    mail.attach_alternative(html, "text/html")
    return mail


def _headers(push: Push, domain: str) -> dict[str, str]:
    """The Message-ID is the same on every attempt: servers and mail programs tell a repeat by it."""
    headers = {"Message-ID": f"<{push.id}@{domain}>", "Feedback-ID": f"{push.campaign_id or push.message_id}:pushsaas"}
    if push.unsubscribe_url:
        headers["List-Unsubscribe"] = f"<{push.unsubscribe_url}>"
    if push.unsubscribe_url.startswith("https://"):
        headers["List-Unsubscribe-Post"] = _ONE_CLICK
    return headers


def _subject(push: Push) -> str:
    """One line: a line break in a header would begin another header."""
    return " ".join((push.notification.title or push.notification.body).split())[:MAX_SUBJECT]


def _spoken(language: str) -> str:
    """The catalogue for a content's language, for the few words that are ours."""
    try:
        return translation.get_supported_language_variant(language.lower() or "en")
    except LookupError:
        return "en"
