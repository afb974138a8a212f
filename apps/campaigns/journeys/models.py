"""Journey: what a marketer edits. JourneyVersion: what was published. JourneyEntry: one person on the way."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.audience.events import MAX_EVENT_ID
from apps.audience.models import Subscriber
from apps.core import clock
from apps.core.models import PublicIdModel, TimestampedModel
from apps.tenants.models import Application, TenantManager, TenantOwned


class JourneyStatus(StrEnum):
    """DRAFT: never published. ARCHIVED: for good; who was under way has left."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"


class EntryState(StrEnum):
    """DONE: came to an end of the journey. EXITED: left before it, the reason says why. FAILED: went in circles."""

    ACTIVE = "active"
    DONE = "done"
    EXITED = "exited"
    FAILED = "failed"


class Journey(PublicIdModel, TenantOwned, TimestampedModel):
    """definition: the draft, see reading.py. version: of the newest published one, 0 for none; who comes in walks it.
    slots, send_slots: the minutes of entries_per_minute and sends_per_minute that are taken, as planner.Window writes
    them. paused_for: why it was paused, if nobody asked for it (messaging.ledger.states.PausedFor). fuse_since: what
    went wrong before does not count any more."""

    public_id_prefix: ClassVar[str] = "jrn"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(_("name"), max_length=120)
    definition: models.JSONField[Any, Any] = models.JSONField()
    status = models.CharField(max_length=12, default=JourneyStatus.DRAFT.value)
    version = models.PositiveIntegerField(default=0)
    slots: models.JSONField[Any, Any] = models.JSONField(default=dict)
    send_slots: models.JSONField[Any, Any] = models.JSONField(
        default=dict, db_default=models.Value({}, models.JSONField())
    )
    paused_for = models.CharField(max_length=16, blank=True, default="", db_default="")
    fuse_since = models.DateTimeField(null=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    objects: ClassVar[TenantManager[Journey]] = TenantManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "application", "-id"], name="journey_of_application"),
            models.Index(fields=["id"], condition=Q(status__in=["active", "archived"]), name="journey_that_moves"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(name=""), name="journey_has_a_name"),
            models.CheckConstraint(
                condition=Q(status__in=[status.value for status in JourneyStatus]), name="journey_status_is_known"
            ),
            models.CheckConstraint(condition=Q(status="draft") ^ Q(version__gt=0), name="only_a_draft_has_no_version"),
        ]

    def __str__(self) -> str:
        return self.name


class JourneyVersion(TenantOwned):
    """A definition as it was published, with its templates' words and its segments' rules written out. Never changes:
    the serving roles may not."""

    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, related_name="versions", db_index=False)
    number = models.PositiveIntegerField()
    definition: models.JSONField[Any, Any] = models.JSONField()
    published_at = models.DateTimeField(default=clock.now)
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.DO_NOTHING, related_name="+",
                                     db_constraint=False)  # fmt: skip

    objects: ClassVar[TenantManager[JourneyVersion]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "journey", "number"], name="a_version_is_published_once"),
        ]


class JourneyEntry(PublicIdModel, TenantOwned):
    """One person's way through one version. Erasing the person erases it.

    event_id: of the event that began it; empty when added by hand. since: when that happened: what counts as done since
    the entry. is_alone: nobody else may be in for the same person. step: where they are, or where it ended; arrived_at:
    since when. visits: steps left behind. due_at: when the engine looks next; None when it has ended. place_at: the
    minute in which a throttled send has a place for them.
    """

    public_id_prefix: ClassVar[str] = "jre"

    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, related_name="entries", db_index=False)
    version = models.PositiveIntegerField()
    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="+", db_index=False)
    event_id = models.CharField(max_length=MAX_EVENT_ID, blank=True, default="", db_collation="C")
    since = models.DateTimeField()
    entered_at = models.DateTimeField(default=clock.now)
    is_alone = models.BooleanField(default=True)
    state = models.CharField(max_length=8, default=EntryState.ACTIVE.value)
    reason = models.CharField(max_length=64, blank=True, default="")
    goal = models.CharField(max_length=80, blank=True, default="")
    step = models.CharField(max_length=24)
    arrived_at = models.DateTimeField()
    visits = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    place_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager[JourneyEntry]] = TenantManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "journey", "due_at"], condition=Q(due_at__isnull=False), name="entry_due"),
            models.Index(fields=["tenant", "journey", "-id"], name="entry_of_journey"),
            models.Index(fields=["tenant", "subscriber", "journey"], name="entry_of_person"),
            models.Index(fields=["tenant", "journey", "version", "step", "state"], name="entry_by_step"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "journey", "event_id"], condition=~Q(event_id=""), name="an_event_begins_one_entry"
            ),
            models.UniqueConstraint(
                fields=["tenant", "journey", "subscriber"],
                condition=Q(state="active", is_alone=True),
                name="one_active_entry_per_person",
            ),
            models.CheckConstraint(
                condition=Q(state="active", due_at__isnull=False, ended_at=None)
                | (~Q(state="active") & Q(due_at=None, ended_at__isnull=False)),
                name="only_an_active_entry_is_due",
            ),
        ]


class JourneyVisit(TenantOwned):
    """One step that one person has left behind; the unique number is why no step is done twice.

    result: `done`, of a branch and a split the step they went to (`end` for none); of a send `sent` or the reason why
    not; of an update that was refused its problem. message_id: row number, of a send.
    """

    entry = models.ForeignKey(JourneyEntry, on_delete=models.CASCADE, related_name="path", db_index=False)
    number = models.PositiveIntegerField()
    journey = models.ForeignKey(
        Journey, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    version = models.PositiveIntegerField()
    step = models.CharField(max_length=24)
    arrived_at = models.DateTimeField()
    left_at = models.DateTimeField()
    result = models.CharField(max_length=64)
    message_id = models.BigIntegerField(null=True)

    objects: ClassVar[TenantManager[JourneyVisit]] = TenantManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "journey", "version", "step", "result"], name="visit_by_step"),
            models.Index(
                fields=["tenant", "journey", "message_id"], condition=Q(message_id__isnull=False), name="visit_message"
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "entry", "number"], name="a_step_is_left_once"),
        ]
