"""Campaign: what a marketer plans. CampaignRun: one start of it, with everything it depends on frozen."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.campaigns.journeys.models import Journey as Journey
from apps.campaigns.journeys.models import JourneyEntry as JourneyEntry
from apps.campaigns.journeys.models import JourneyVersion as JourneyVersion
from apps.campaigns.journeys.models import JourneyVisit as JourneyVisit
from apps.campaigns.planner import Schedule
from apps.campaigns.states import Status
from apps.core.models import PublicIdModel, TimestampedModel
from apps.messaging.ledger.states import UnknownPolicy
from apps.messaging.models import Message, Template
from apps.messaging.sending.strategies import Strategy
from apps.tenants.models import Application, Tenant, TenantManager, TenantOwned

_NOTHING = models.Value({}, models.JSONField())


def at_once() -> dict[str, Any]:
    return Schedule().to_json()


class Campaign(PublicIdModel, TenantOwned, TimestampedModel):
    """Words (own, or a template's as they are when it starts) for an audience, by routes, at a time.

    audience: see apps.audience.queries.audience_of. schedule, frequency_cap: as planner.Schedule and
    planner.FrequencyCap write them. quiet_hours: None for the application's, `{"action": "ignore"}` for none. category:
    key of a preference category, or empty. ttl: seconds after the wanted instant in which it may still be sent.
    send_at: of the last start, or of the first while it waits. next_at: when a tick starts the next run; None when
    there is none to come.
    strategy: how the routes are used (apps.messaging.sending.strategies).
    follow_up: see apps.messaging.receipts.following. fallback_after, is_urgent, collapse_key: as in a Message.
    version: rises with every change of the plan. paused_for: why it was paused, if nobody asked for it
    (messaging.ledger.states.PausedFor). experiment: as experiments.Experiment writes it.
    """

    public_id_prefix: ClassVar[str] = "cmp"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(_("name"), max_length=120)
    audience: models.JSONField[Any, Any] = models.JSONField(_("audience"))
    routes: models.JSONField[Any, Any] = models.JSONField(_("routes"))
    strategy = models.CharField(
        max_length=16, default=Strategy.IN_SEQUENCE.value, db_default=Strategy.IN_SEQUENCE.value
    )
    content: models.JSONField[Any, Any] = models.JSONField(_("content"), null=True)
    template = models.ForeignKey(Template, null=True, on_delete=models.PROTECT, related_name="+")
    unknown_policy = models.CharField(
        max_length=16,
        choices=[(policy.value, policy.value) for policy in UnknownPolicy],
        default=UnknownPolicy.AT_MOST_ONCE,
    )
    ttl = models.PositiveIntegerField(null=True)
    schedule: models.JSONField[Any, Any] = models.JSONField(
        default=at_once, db_default=models.Value(at_once(), models.JSONField())
    )
    category = models.CharField(max_length=40, blank=True, default="", db_default="")
    quiet_hours: models.JSONField[Any, Any] = models.JSONField(null=True)
    throttle_per_minute = models.PositiveIntegerField(null=True)
    frequency_cap: models.JSONField[Any, Any] = models.JSONField(null=True)
    follow_up: models.JSONField[Any, Any] = models.JSONField(
        default=dict, db_default=models.Value({}, models.JSONField())
    )
    fallback_after = models.PositiveIntegerField(null=True)
    is_urgent = models.BooleanField(default=True, db_default=True)
    collapse_key = models.CharField(max_length=64, blank=True, default="", db_default="")
    version = models.PositiveIntegerField(default=1, db_default=1)
    paused_for = models.CharField(max_length=16, blank=True, default="", db_default="")
    experiment: models.JSONField[Any, Any] = models.JSONField(null=True)
    status = models.CharField(
        max_length=12, choices=[(status.value, status.value) for status in Status], default=Status.DRAFT
    )
    send_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=64, blank=True, default="")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    objects: ClassVar[TenantManager[Campaign]] = TenantManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "application", "-id"], name="campaign_of_application"),
            models.Index(fields=["next_at"], condition=models.Q(next_at__isnull=False), name="campaign_due"),
            models.Index(fields=["id"], condition=models.Q(status__in=["sending", "paused"]), name="campaign_running"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~models.Q(name=""), name="campaign_has_a_name"),
            models.CheckConstraint(
                condition=models.Q(status__in=[status.value for status in Status]), name="campaign_status_is_known"
            ),
            models.CheckConstraint(
                condition=~models.Q(status="scheduled") | models.Q(send_at__isnull=False, next_at__isnull=False),
                name="a_scheduled_campaign_has_a_time",
            ),
            models.CheckConstraint(
                condition=models.Q(content=None) | models.Q(template=None), name="content_is_own_or_a_templates"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class CampaignRun(PublicIdModel, TenantOwned, TimestampedModel):
    """One start of a campaign. Its message holds the frozen words and the ledger.

    audience: as in the campaign, a segment's rules written out. rules: as planner.Rules writes them. slots: which of
    the throttle's minutes are taken. cursor, until: subscribers (row numbers) up to `cursor` are planned, those past
    `until` came too late. gathered_at: its people were written down as GatheredPerson.
    experiment: as it was at the start; its winner is due at decide_at. verdict: what was known when it was chosen
    (experiments.verdict). lease_until, fence: as on a
    Chunk, for planning.
    """

    public_id_prefix: ClassVar[str] = "run"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="runs", db_index=False)
    message = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="+")
    due_at = models.DateTimeField()
    audience: models.JSONField[Any, Any] = models.JSONField()
    rules: models.JSONField[Any, Any] = models.JSONField(db_default=_NOTHING)
    slots: models.JSONField[Any, Any] = models.JSONField(default=dict, db_default=_NOTHING)
    cursor = models.BigIntegerField(default=0)
    until = models.BigIntegerField()
    chunk_count = models.IntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    fence = models.BigIntegerField(default=0)
    planned_at = models.DateTimeField(null=True)
    gathered_at = models.DateTimeField(null=True)
    experiment: models.JSONField[Any, Any] = models.JSONField(null=True)
    decide_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    winner = models.CharField(max_length=16, blank=True, default="", db_default="")
    verdict: models.JSONField[Any, Any] = models.JSONField(null=True)

    objects: ClassVar[TenantManager[CampaignRun]] = TenantManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=models.Q(planned_at=None), name="run_to_plan"),
            models.Index(
                fields=["decide_at"], condition=models.Q(decide_at__isnull=False, decided_at=None), name="run_to_decide"
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "campaign", "due_at"], name="a_campaign_starts_once_at_a_time"),
        ]


class GatheredPerson(TenantOwned):
    """Somebody whom a run is still to plan. No foreign key leaves this table: a run writes a million rows of it."""

    pk = models.CompositePrimaryKey("tenant_id", "run_id", "subscriber_id")
    tenant = models.ForeignKey(
        Tenant, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    run = models.ForeignKey(
        CampaignRun, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    subscriber_id = models.BigIntegerField()

    objects: ClassVar[TenantManager[GatheredPerson]] = TenantManager()


class SendingDefaults(TenantOwned):
    """What campaigns of an application go by where they say nothing themselves. No row: nothing, and the usual fuse.

    fuse: as messaging.fusing.Fuse writes it; None for the usual. needs_approval: see services.approving.
    """

    application = models.OneToOneField(Application, on_delete=models.CASCADE, related_name="+")
    quiet_hours: models.JSONField[Any, Any] = models.JSONField(null=True)
    fuse: models.JSONField[Any, Any] = models.JSONField(null=True)
    needs_approval = models.BooleanField(default=False, db_default=False)

    objects: ClassVar[TenantManager[SendingDefaults]] = TenantManager()


class Approval(PublicIdModel, TenantOwned, TimestampedModel):
    """Somebody asks for the plan of a campaign or a journey to be approved, and somebody else decides. plan, hash: what
    is signed (services.approving). figures: of the dry run. decision: empty, approved or rejected. asked_with: public
    id of the API key or OAuth client that asked, whose maker is asked_by; empty for a person.
    """

    public_id_prefix: ClassVar[str] = "apv"

    campaign = models.ForeignKey(Campaign, null=True, on_delete=models.CASCADE, related_name="+", db_index=False)
    journey = models.ForeignKey(Journey, null=True, on_delete=models.CASCADE, related_name="+", db_index=False)
    plan: models.JSONField[Any, Any] = models.JSONField()
    hash = models.CharField(max_length=64)
    figures: models.JSONField[Any, Any] = models.JSONField()
    asked_with = models.CharField(max_length=40, blank=True, default="", db_default="")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    decision = models.CharField(max_length=8, blank=True, default="")

    objects: ClassVar[TenantManager[Approval]] = TenantManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "campaign", "-id"], name="approval_of_campaign"),
            models.Index(
                fields=["tenant", "journey", "-id"],
                condition=models.Q(journey__isnull=False),
                name="approval_of_journey",
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(decision__in=["", "approved", "rejected"]), name="approval_decision_is_known"
            ),
            models.UniqueConstraint(
                fields=["tenant", "campaign"], condition=models.Q(decision=""), name="one_approval_is_asked_at_a_time"
            ),
            models.UniqueConstraint(
                fields=["tenant", "journey"], condition=models.Q(decision=""), name="one_journey_approval_at_a_time"
            ),
            models.CheckConstraint(
                condition=models.Q(campaign=None) ^ models.Q(journey=None), name="an_approval_is_of_one_plan"
            ),
        ]


class ProviderQuota(TenantOwned):
    """Places of a provider's daily quota that runs of an application have taken. slots: as planner.Window writes
    them."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+", db_index=False)
    provider = models.CharField(max_length=16)
    slots: models.JSONField[Any, Any] = models.JSONField(default=dict)

    objects: ClassVar[TenantManager[ProviderQuota]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "application", "provider"], name="one_count_per_provider"),
        ]
