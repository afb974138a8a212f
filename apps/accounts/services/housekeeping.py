"""Throwing away what nobody can use any more."""

from __future__ import annotations

from datetime import timedelta

from apps.accounts.models import Authenticator, Session
from apps.core import clock

#: An enrolment that was begun and left alone.
_ENROLMENT_LIMIT = timedelta(days=1)


def sweep() -> None:
    """Deletes ended sessions and abandoned enrolments. Harmless to repeat."""
    Session.objects.over().delete()
    Authenticator.objects.filter(confirmed=False, created_at__lt=clock.now() - _ENROLMENT_LIMIT).delete()
