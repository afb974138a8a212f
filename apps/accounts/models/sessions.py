"""Where somebody is signed in. The rows behind `apps.accounts.session_store`."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Self

from django.conf import settings
from django.db import models

from apps.core import clock
from apps.core.models import PublicIdModel

#: A session ends after this long without a request, and this long after the sign-in whatever happens.
IDLE_LIMIT = timedelta(hours=12)
ABSOLUTE_LIMIT = timedelta(days=7)


class SessionQuerySet(models.QuerySet["Session"]):
    def alive(self) -> Self:
        """Not idle, not over, and not of a person who was disabled."""
        now = clock.now()
        return self.filter(expires_at__gt=now, last_seen_at__gt=now - IDLE_LIMIT).filter(
            models.Q(user=None) | models.Q(user__is_active=True)
        )

    def over(self) -> Self:
        now = clock.now()
        return self.filter(models.Q(expires_at__lte=now) | models.Q(last_seen_at__lte=now - IDLE_LIMIT))


class Session(PublicIdModel):
    """One browser. The cookie holds the key, the row only its hash: who reads the table cannot sign in with it."""

    public_id_prefix: ClassVar[str] = "ses"

    key_hash = models.CharField(max_length=64, unique=True)
    data = models.TextField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="sessions")
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    last_seen_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField()

    objects: ClassVar[models.Manager[Session]] = models.Manager.from_queryset(SessionQuerySet)()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["user", "-last_seen_at"], name="session_of_user"),
            models.Index(fields=["expires_at"], name="session_by_end"),
        ]
