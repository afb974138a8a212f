"""Where channel events are sent, the outbox of what is to be sent, and what became of each attempt."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core import clock
from apps.core.models import PublicIdModel, TimestampedModel
from apps.tenants.models import Application, TenantManager, TenantOwned
from apps.webhooks.signing import Signing
from apps.webhooks.verdicts import Outcome


class DeliveryState(StrEnum):
    """DEAD: given up; a replay makes it PENDING again."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class DisabledReason(StrEnum):
    """Who switched an endpoint off. GONE: it answered 410. FAILING: nothing got through for days."""

    NONE = ""
    BY_HAND = "by_hand"
    GONE = "gone"
    FAILING = "failing"


#: Lowest and highest of what a batching endpoint may take in one call: events, and bytes of their JSON.
BATCH_EVENTS, BATCH_BYTES = (1, 500), (1_000, 256_000)


class WebhookEndpoint(PublicIdModel, TenantOwned, TimestampedModel):
    """A URL of the tenant's, and which events of one application it wants.

    batch_events, batch_bytes: of one call when batching; a single larger event goes alone. The secret is sealed; the
    previous one signs too until `previous_until`. failing_since, failures: since the last success. resumes_at: nothing
    is sent before. held_until: nor before this, because a limit of the tenant's is reached. warned_at: when the tenant
    was told that it fails.
    """

    public_id_prefix: ClassVar[str] = "whk"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+", db_index=False)
    url = models.CharField(_("address"), max_length=1_000)
    events = ArrayField(models.CharField(max_length=32))
    signing = models.CharField(max_length=8, choices=[(way.value, way.value) for way in Signing])
    batching = models.BooleanField(_("batching"), default=False)
    batch_events = models.PositiveIntegerField(default=50, db_default=50)
    batch_bytes = models.PositiveIntegerField(default=16_000, db_default=16_000)
    is_enabled = models.BooleanField(_("enabled"), default=True)
    disabled_reason = models.CharField(max_length=8, blank=True, default=DisabledReason.NONE)
    secret_sealed = models.TextField(editable=False)
    previous_secret_sealed = models.TextField(editable=False, blank=True)
    previous_until = models.DateTimeField(null=True, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)
    failures = models.IntegerField(default=0, editable=False)
    resumes_at = models.DateTimeField(null=True, editable=False)
    held_until = models.DateTimeField(null=True, editable=False)
    warned_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[TenantManager[WebhookEndpoint]] = TenantManager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["tenant", "application"], name="webhook_of_application")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(signing__in=[way.value for way in Signing]), name="webhook_signing_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(batch_events__range=BATCH_EVENTS, batch_bytes__range=BATCH_BYTES),
                name="webhook_batch_is_bounded",
            ),
        ]

    def __str__(self) -> str:
        return self.url

    @property
    def is_held(self) -> bool:
        """A limit of the tenant's is reached: its calls wait."""
        return self.held_until is not None and self.held_until > clock.now()


class Delivery(PublicIdModel, TenantOwned):
    """One call to one endpoint: an event, or a batch of events that never changes once it is made.

    lane: what is in the same lane goes out in the order of the ids, one after the other: a channel's name, or empty
    for all of a batching endpoint. attempts: ever made; tries: since it was made or last replayed. is_metered: billing
    has counted it, once whatever is replayed.
    """

    public_id_prefix: ClassVar[str] = "whd"

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="+", db_index=False)
    lane = models.CharField(max_length=200)
    events = models.JSONField()
    state = models.CharField(max_length=9, default=DeliveryState.PENDING)
    is_metered = models.BooleanField(default=False, db_default=False)
    attempts = models.IntegerField(default=0)
    tries = models.IntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now)
    next_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager[Delivery]] = TenantManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "endpoint", "-id"], name="delivery_of_webhook"),
            models.Index(fields=["endpoint", "lane", "id"], condition=models.Q(state="pending"), name="webhook_to_do"),
            models.Index(fields=["finished_at"], condition=~models.Q(state="pending"), name="webhook_done"),
            models.Index(
                fields=["id"], condition=models.Q(state="delivered", is_metered=False), name="webhook_to_meter"
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(state__in=[state.value for state in DeliveryState]),
                name="webhook_delivery_state_is_known",
            ),
        ]


class Lane(TenantOwned):
    """Exists while its endpoint has something pending in it; what workers claim, so a lane's order is kept.

    lease_until: somebody works on it until then (database clock). fence: rises with every claim.
    """

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=200)
    due_at = models.DateTimeField(default=clock.now)
    lease_until = models.DateTimeField(null=True)
    fence = models.BigIntegerField(default=0)

    objects: ClassVar[TenantManager[Lane]] = TenantManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="lane_by_time"),
            models.Index(
                fields=["endpoint"], condition=models.Q(lease_until__isnull=False), name="lane_being_worked_on"
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["endpoint", "name"], name="an_endpoint_has_a_lane_once"),
        ]


class Attempt(TenantOwned):
    """One call that was made or, while IN_FLIGHT, may have been. duration: milliseconds."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempt_rows", db_index=False)
    number = models.IntegerField()
    started_at = models.DateTimeField(default=clock.now)
    outcome = models.CharField(max_length=16, default=Outcome.IN_FLIGHT)
    status = models.IntegerField(null=True)
    duration = models.IntegerField(null=True)
    excerpt = models.TextField(blank=True)

    objects: ClassVar[TenantManager[Attempt]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["delivery", "number"], name="an_attempt_has_its_number"),
        ]


class Cursor(TenantOwned):
    """How far a partition's stream was taken. Ids in a stream only rise, so a line is taken once whoever repeats it."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+", db_index=False)
    number = models.SmallIntegerField()
    milliseconds = models.BigIntegerField(default=0)
    sequence = models.BigIntegerField(default=0)

    objects: ClassVar[TenantManager[Cursor]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["application", "number"], name="a_partition_has_one_cursor"),
        ]
