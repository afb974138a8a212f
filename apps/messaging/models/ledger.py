"""The ledger: a Delivery per message, subscriber and route, in Chunks that workers claim."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from apps.audience.models import Subscriber
from apps.core import clock
from apps.core.models import PublicIdModel
from apps.messaging.ledger.states import DeliveryState
from apps.messaging.models.message import Message
from apps.tenants.models import Tenant, TenantManager, TenantOwned


class Chunk(TenantOwned):
    """Deliveries that are claimed, sent and recorded together, and their counts.

    number: position in its message. Claims go by it, so a small message never waits behind all of a large one; rank
    goes before it. due_at, expires_at: of all its deliveries; expires_at may be none. is_ready: due_at was seen to
    have passed, so that nobody reads those still to come. lease_until: somebody works on it until then (database
    clock). fence: rises with every claim; who records under an older one has lost the lease. Counts stand here and
    not on the message: one writer at a time, nothing contended. is_metered: whom it reached is told to billing.
    variant: a key of the message's variants; empty: its own words; UNDECIDED: waits for a winner.
    """

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="chunks", db_index=False)
    number = models.IntegerField()
    rank = models.SmallIntegerField(default=0, db_default=0)
    due_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField(null=True)
    is_ready = models.BooleanField(default=False, db_default=False)
    lease_until = models.DateTimeField(null=True)
    fence = models.BigIntegerField(default=0)
    is_done = models.BooleanField(default=False)
    is_metered = models.BooleanField(default=False, db_default=False)
    planned = models.IntegerField(default=0)
    suppressed = models.IntegerField(default=0)
    attempted = models.IntegerField(default=0)
    accepted = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    unknown = models.IntegerField(default=0)
    variant = models.CharField(max_length=16, blank=True, default="", db_default="")

    objects: ClassVar[TenantManager[Chunk]] = TenantManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "message"], name="chunk_of_message"),
            # No column that changes with the work but is_done: renewing a lease and counting stay heap-only updates.
            models.Index(
                fields=["tenant", "rank", "number", "id"],
                condition=models.Q(is_ready=True, is_done=False),
                name="chunk_to_do",
            ),
            models.Index(fields=["due_at"], condition=models.Q(is_ready=False, is_done=False), name="chunk_to_come"),
            models.Index(fields=["id"], condition=models.Q(is_done=True, is_metered=False), name="chunk_to_meter"),
        ]


class SendingTurn(TenantOwned):
    """Where a tenant stands in the queue of tenants; see claiming.py. begins, ends: of its last turn, in deliveries.
    planned_at: when a run of it was last planned a page of, whose turns go by that."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="+", primary_key=True)
    begins = models.BigIntegerField(default=0, db_default=0)
    ends = models.BigIntegerField(default=0, db_default=0)
    planned_at = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager[SendingTurn]] = TenantManager()


class SliceTally(TenantOwned):
    """What became of one slice, for the message's fuse (fusing.py). origin: the message's, where its fuse counts all
    messages of an origin together; else empty."""

    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    at = models.DateTimeField(default=clock.now)
    attempts = models.IntegerField()
    errors = models.IntegerField()
    addresses = models.IntegerField()
    gone = models.IntegerField()
    origin = models.CharField(max_length=40, blank=True, default="", db_default="")

    objects: ClassVar[TenantManager[SliceTally]] = TenantManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "message", "at"], name="slice_tally_of_message"),
            models.Index(
                fields=["tenant", "origin", "at"], condition=~models.Q(origin=""), name="slice_tally_together"
            ),
        ]


class Delivery(PublicIdModel, TenantOwned):
    """One message to one subscriber by one route: the row that alone decides resume, cancel, analytics and billing.

    Its parents are not enforced by the database: a foreign key would lock the one tenant, message and chunk row a
    million times, and erasing a subscriber must leave the row (a number, no personal data) for the bill.
    No state is indexed, so every step of a delivery is a heap-only update.
    """

    public_id_prefix: ClassVar[str] = "dlv"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, related_name="deliveries", db_index=False, db_constraint=False
    )
    chunk = models.ForeignKey(
        Chunk, on_delete=models.CASCADE, related_name="deliveries", db_index=False, db_constraint=False
    )
    subscriber = models.ForeignKey(
        Subscriber, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    route = models.CharField(max_length=16)
    state = models.CharField(max_length=12, default=DeliveryState.PLANNED)
    reason = models.CharField(max_length=64, blank=True, default="")
    attempts = models.SmallIntegerField(default=0)
    attempted_at = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager[Delivery]] = TenantManager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["tenant", "chunk"], name="delivery_of_chunk")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "message", "subscriber", "route"], name="a_message_goes_once_to_a_person_by_a_route"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=[state.value for state in DeliveryState]), name="delivery_state_is_known"
            ),
        ]
