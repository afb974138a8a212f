"""Opening an account with a tenant and its first application."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.services.mail import send_mail
from apps.accounts.services.passwords import require_good_password, spend_hashing_time
from apps.core.text import require_name
from apps.tenants.scope import tenant_scope
from apps.tenants.services.applications import create_application
from apps.tenants.services.tenants import open_tenant


@dataclass(frozen=True, slots=True)
class SignUp:
    """What somebody typed. language: one of settings.LANGUAGES. timezone: an IANA name."""

    name: str
    email: str
    password: str
    organisation: str
    language: str
    timezone: str


def sign_up(*, wanted: SignUp, sign_in_link: str) -> None:
    """Makes the person, their tenant and a first application; or, for an address with an account, nothing.

    The caller learns nothing of the difference: the owner of the address does, by letter. Raises InvalidInput.
    """
    email = wanted.email.lower()
    name = require_name(wanted.name, limit=150)
    organisation = require_name(wanted.organisation, field="organisation")
    require_good_password(wanted.password, user=User(email=email, name=name))
    kind = "welcome" if _create(wanted, email, name, organisation) else "sign_up_again"
    send_mail(
        recipient=email, kind=kind, language=wanted.language or settings.LANGUAGE_CODE, facts={"link": sign_in_link}
    )


def _create(wanted: SignUp, email: str, name: str, organisation: str) -> bool:
    """False when the address has an account."""
    if User.objects.filter(email=email).exists():
        spend_hashing_time(wanted.password)
        return False
    with transaction.atomic():
        try:
            with transaction.atomic():
                user = User.objects.create_user(email, wanted.password, name=name, language=wanted.language)
        except IntegrityError:  # signed up twice at once
            return False
        tenant = open_tenant(name=organisation, owner=user, language=wanted.language, timezone=wanted.timezone)
        with tenant_scope(tenant):
            create_application(tenant=tenant, name=_("My first application"), actor=user.public_id)
    return True
