"""Steps of people who sign up and in, for the tests of these pages."""

from __future__ import annotations

import re

from django.core import mail
from django.test import Client

from apps.accounts.models import User
from apps.accounts.services.mail import deliver_due_mail
from tests.accounts.support import code_now
from tests.fixtures import PASSWORD

NEW_PASSWORD = "a longer sentence nobody wrote"


def sign_in(client: Client, user: User, *, code: bool = False) -> None:
    """By the pages. code: the person has the authenticator of SEED."""
    response = client.post("/sign-in/", {"email": user.email, "password": PASSWORD})
    assert response.status_code == 302, response.content
    if code:
        response = client.post("/sign-in/verify/", {"code": code_now()})
        assert response.status_code == 302, response.content


def is_signed_in(client: Client) -> bool:
    return client.get("/organisations/").status_code == 200


def letters() -> list[mail.EmailMessage]:
    """What the worker would send now."""
    mail.outbox.clear()
    deliver_due_mail()
    return list(mail.outbox)


def link_in(letter: mail.EmailMessage) -> str:
    """The path of the first link."""
    found = re.search(r"https?://[^/\s]+(/\S*)", str(letter.body))
    assert found, letter.body
    return found[1]
