"""Letters that are written but not yet handed to the mail server."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from apps.core import clock


class OutgoingMail(models.Model):
    """One letter in the queue. Its facts lie sealed, for they may hold a link that opens an account.

    due_at is both the backoff and the lease: whoever takes the row moves it ahead. The row goes when the letter has
    gone; a crash between the two sends it twice, which is better than never.
    """

    recipient = models.EmailField(max_length=254)
    kind = models.CharField(max_length=40)
    language = models.CharField(max_length=16)
    facts_sealed = models.TextField()
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=clock.now)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["due_at"], name="mail_by_due_time")]
