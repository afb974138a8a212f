"""What people did, as the application told it."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q

from apps.audience.events import MAX_EVENT_ID, MAX_EVENT_NAME, EventPosition
from apps.audience.models.people import Subscriber
from apps.core import clock
from apps.tenants.models import Application, Tenant, TenantManager, TenantOwned, TenantQuerySet


class _BehaviourRow(TenantOwned):
    """No foreign key leaves these tables: they take thousands of rows a second. `services.subscribers` erases."""

    tenant = models.ForeignKey(
        Tenant, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    application = models.ForeignKey(
        Application, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    event_id = models.CharField(max_length=MAX_EVENT_ID, db_collation="C")

    class Meta:
        abstract = True


class BehaviourEventQuerySet(TenantQuerySet["BehaviourEvent"]):
    def of_person(self, person: Subscriber) -> Self:
        return self.of(person.tenant_id).filter(subscriber=person)

    def newest_first(self, *, below: EventPosition | None = None) -> Self:
        """below: where the page before ended."""
        ordered = self.order_by("-occurred_at", "-event_id")
        if below is None:
            return ordered
        later = Q(occurred_at=below.occurred_at, event_id__lt=below.event_id)
        return ordered.filter(Q(occurred_at__lt=below.occurred_at) | later)


class BehaviourEventManager(TenantManager["BehaviourEvent"]):
    queryset_class: ClassVar[type[Any]] = BehaviourEventQuerySet

    def get_queryset(self) -> BehaviourEventQuerySet:
        queryset = super().get_queryset()
        assert isinstance(queryset, BehaviourEventQuerySet)
        return queryset

    def of_person(self, person: Subscriber) -> BehaviourEventQuerySet:
        return self.get_queryset().of_person(person)


class BehaviourEvent(_BehaviourRow):
    """One thing one person did. Partitioned by month of `occurred_at` (migration 0004), dropped by the month."""

    pk = models.CompositePrimaryKey("tenant_id", "subscriber_id", "occurred_at", "event_id")
    subscriber = models.ForeignKey(
        Subscriber, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    occurred_at = models.DateTimeField()
    name = models.CharField(max_length=MAX_EVENT_NAME, db_collation="C")
    properties = models.JSONField(default=dict)
    received_at = models.DateTimeField(default=clock.now)

    objects: ClassVar[BehaviourEventManager] = BehaviourEventManager()

    class Meta:
        db_table = "audience_event"

    @property
    def position(self) -> EventPosition:
        return EventPosition(self.occurred_at, self.event_id)


class BehaviourEventKey(_BehaviourRow):
    """An id that was given to an event. It outlives the window in which the event could be sent again."""

    pk = models.CompositePrimaryKey("tenant_id", "application_id", "event_id")
    #: Of everything but the time: tells a repeat from two facts under one id.
    payload_hash = models.BinaryField(max_length=16)
    first_seen_at = models.DateTimeField(default=clock.now)

    objects: ClassVar[TenantManager[BehaviourEventKey]] = TenantManager()

    class Meta:
        db_table = "audience_event_key"
        indexes: ClassVar = [models.Index(fields=["first_seen_at"], name="event_key_by_age")]
