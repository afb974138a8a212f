"""The in-app inbox: what a person finds when they open the app, whether or not a push reached them."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.db import models

from apps.audience.models import Subscriber
from apps.core import clock
from apps.core.models import PublicIdModel
from apps.messaging.models.ledger import Delivery
from apps.messaging.models.message import Message
from apps.tenants.models import Tenant, TenantManager, TenantOwned, TenantQuerySet


class InboxQuerySet(TenantQuerySet["InboxItem"]):
    def shown_to(self, person: Subscriber) -> Self:
        """What lies in the person's inbox now: neither expired, archived nor recalled."""
        return self.of(person.tenant_id).filter(subscriber=person).live()

    def live(self) -> Self:
        return self.filter(archived_at=None, expires_at__gt=clock.now(), message__inbox_recalled_at=None)

    def unread(self) -> Self:
        return self.filter(read_at=None)


class InboxManager(TenantManager["InboxItem"]):
    queryset_class: ClassVar[type[Any]] = InboxQuerySet

    def get_queryset(self) -> InboxQuerySet:
        queryset = super().get_queryset()
        assert isinstance(queryset, InboxQuerySet)
        return queryset

    def shown_to(self, person: Subscriber) -> InboxQuerySet:
        return self.get_queryset().shown_to(person)


class InboxItem(PublicIdModel, TenantOwned):
    """A message's words for one person, as they were rendered. The database deletes it with the person.

    delivery: the first that was tried, for receipts. A recalled message (`inbox_recalled_at`) hides its items at once;
    they are deleted after, as are those that have expired.
    """

    public_id_prefix: ClassVar[str] = "ibx"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    subscriber = models.ForeignKey(
        Subscriber, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    delivery = models.ForeignKey(
        Delivery, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    title = models.TextField()
    body = models.TextField()
    image_url = models.TextField()
    url = models.TextField()
    data: models.JSONField[Any, Any] = models.JSONField()
    created_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)

    objects: ClassVar[InboxManager] = InboxManager()

    class Meta:
        indexes: ClassVar = [
            # By the person alone: that is what the database asks when a person goes.
            models.Index(fields=["subscriber", "-id"], name="inbox_of_person"),
            models.Index(fields=["expires_at"], name="inbox_by_expiry"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "message", "subscriber"], name="a_message_lies_once_in_an_inbox"),
        ]
