"""Events that somebody waits for, and those of them that have happened."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from apps.audience.events import MAX_EVENT_ID, MAX_EVENT_NAME
from apps.tenants.models import Application, Tenant, TenantManager, TenantOwned


class EventWatch(TenantOwned):
    """owner: public id of who wants to be told of events of this name."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=MAX_EVENT_NAME, db_collation="C")
    owner = models.CharField(max_length=40)

    objects: ClassVar[TenantManager[EventWatch]] = TenantManager()

    class Meta:
        db_table = "audience_event_watch"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "application", "name", "owner"], name="an_owner_watches_an_event_once"
            ),
        ]


class WatchedEvent(TenantOwned):
    """A recorded event that was watched, until its owners have been told: written by the statement that records the
    event, deleted by the transaction that acts on it. No foreign key, like the events themselves."""

    tenant = models.ForeignKey(
        Tenant, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    application = models.ForeignKey(
        Application, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    subscriber_id = models.BigIntegerField()
    occurred_at = models.DateTimeField()
    event_id = models.CharField(max_length=MAX_EVENT_ID, db_collation="C")

    objects: ClassVar[TenantManager[WatchedEvent]] = TenantManager()

    class Meta:
        db_table = "audience_watched_event"
        indexes: ClassVar = [models.Index(fields=["tenant", "application", "id"], name="watched_event_queue")]
