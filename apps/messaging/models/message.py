"""Template and Message: the words, and one accepted send of them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.models import PublicIdModel, TimestampedModel
from apps.messaging.ledger.states import MessageState, UnknownPolicy
from apps.messaging.sending.strategies import Strategy
from apps.tenants.models import Application, TenantManager, TenantOwned


class Template(PublicIdModel, TenantOwned, TimestampedModel):
    """Words kept for reuse. content: see rendering.py. A message copies it: editing never reaches what was accepted."""

    public_id_prefix: ClassVar[str] = "tpl"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(_("name"), max_length=120)
    content: models.JSONField[Any, Any] = models.JSONField(_("content"))

    objects: ClassVar[TenantManager[Template]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "application", "name"], name="a_template_name_is_taken_once"),
            models.CheckConstraint(condition=~models.Q(name=""), name="template_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name


class Message(PublicIdModel, TenantOwned, TimestampedModel):
    """One accepted send. Its content never changes; its deliveries are the ledger.

    origin: public id of what asked for it (a campaign), or empty. routes: provider names, in the order to try;
    strategy: how (strategies.py).
    is_planned: no more deliveries will be added. ended_at: every delivery has its outcome.
    category: key of a preference category; who does not want it is left out. quiet_hours: as `hours.QuietHours` writes
    them. fallback_timezone: of people without one. throttle: attempts that may begin in a minute; taken so many in the
    minute of throttled_at.
    fallback_after: seconds after which who took it but reported no receipt gets it by the next route too; None: never.
    is_urgent: goes before the tenant's other messages, and wakes the device. collapse_key: a later one replaces it.
    fuse: as fusing.Fuse writes it; None: it has none. fuse_since: outcomes before do not count any more. paused_for:
    why it stands still, if nobody asked for it.
    variants: key -> `{"content": …, "routes": […]}`, what it has instead of the message's own; a part may be missing.
    follow_up: see following.py. inbox_recalled_at: since then its copies are in nobody's inbox.
    withdrawn: pushes that services still held when it was cancelled or recalled, and dropped.
    """

    public_id_prefix: ClassVar[str] = "msg"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+", db_index=False)
    origin = models.CharField(max_length=40, blank=True, default="")
    name = models.CharField(max_length=120, blank=True, default="")
    content: models.JSONField[Any, Any] = models.JSONField()
    variables: models.JSONField[Any, Any] = models.JSONField(default=dict)
    routes: models.JSONField[Any, Any] = models.JSONField()
    strategy = models.CharField(
        max_length=16, default=Strategy.IN_SEQUENCE.value, db_default=Strategy.IN_SEQUENCE.value
    )
    fallback_after = models.PositiveIntegerField(null=True)
    is_urgent = models.BooleanField(default=True, db_default=True)
    collapse_key = models.CharField(max_length=64, blank=True, default="", db_default="")
    fuse: models.JSONField[Any, Any] = models.JSONField(null=True)
    fuse_since = models.DateTimeField(null=True)
    paused_for = models.CharField(max_length=16, blank=True, default="", db_default="")
    default_language = models.CharField(max_length=16)
    unknown_policy = models.CharField(max_length=16, choices=[(policy.value, policy.value) for policy in UnknownPolicy])
    state = models.CharField(max_length=12, default=MessageState.OPEN)
    is_planned = models.BooleanField(default=False)
    expires_at = models.DateTimeField(null=True)
    category = models.CharField(max_length=40, blank=True, default="", db_default="")
    quiet_hours: models.JSONField[Any, Any] = models.JSONField(null=True)
    fallback_timezone = models.CharField(max_length=64, default="UTC", db_default="UTC")
    throttle = models.PositiveIntegerField(null=True)
    throttled_at = models.DateTimeField(null=True)
    taken = models.PositiveIntegerField(default=0, db_default=0)
    ended_at = models.DateTimeField(null=True)
    follow_up: models.JSONField[Any, Any] = models.JSONField(
        default=dict, db_default=models.Value({}, models.JSONField())
    )
    variants: models.JSONField[Any, Any] = models.JSONField(
        default=dict, db_default=models.Value({}, models.JSONField())
    )
    inbox_recalled_at = models.DateTimeField(null=True)
    withdrawn = models.IntegerField(default=0, db_default=0)

    objects: ClassVar[TenantManager[Message]] = TenantManager()

    @property
    def rank(self) -> int:
        """Of its chunks in the tenant's queue; the lower goes first."""
        return 0 if self.is_urgent else 1

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "application", "-id"], name="message_of_application"),
            models.Index(fields=["id"], condition=models.Q(ended_at=None), name="message_not_ended"),
            models.Index(
                fields=["created_at"], condition=models.Q(follow_up__has_key="conversion"), name="message_may_convert"
            ),
            models.Index(fields=["origin"], condition=~models.Q(paused_for=""), name="message_blown"),
            models.Index(fields=["id"], condition=models.Q(inbox_recalled_at__isnull=False), name="message_recalled"),
            models.Index(
                fields=["updated_at"],
                name="message_stopped",
                condition=models.Q(state=MessageState.CANCELLED.value) | models.Q(inbox_recalled_at__isnull=False),
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(state__in=[state.value for state in MessageState]), name="message_state_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(unknown_policy__in=[policy.value for policy in UnknownPolicy]),
                name="message_unknown_policy_is_known",
            ),
        ]
