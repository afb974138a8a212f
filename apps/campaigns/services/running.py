"""What the tick does: start what is due, plan what has started, finish what has ended. Opens its own scopes.

Any number of ticks may run at once: a start is decided under the campaign's row lock, planning goes by lease and fence.
"""

from __future__ import annotations

import logging
from datetime import datetime
from functools import partial

from django.db import connection, transaction

from apps.audience.models import Subscriber
from apps.campaigns.audiences import frozen_audience
from apps.campaigns.errors import ApprovalMissing
from apps.campaigns.models import Campaign, CampaignRun
from apps.campaigns.planner import Schedule
from apps.campaigns.services.approving import require_approved
from apps.campaigns.services.experiments import variants_of, words_by_variant
from apps.campaigns.services.fuses import stop
from apps.campaigns.services.rules import fuse_of, rules_for
from apps.campaigns.services.scheduling import content_of
from apps.campaigns.states import Status
from apps.core import clock
from apps.core.errors import HouseError
from apps.messaging.bell import PLAN, ring
from apps.messaging.content.rendering import compile_content
from apps.messaging.ledger.states import PausedFor, UnknownPolicy
from apps.messaging.services import open_message
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope
from apps.tenants.services import require_not_suspended

log = logging.getLogger(__name__)

_BATCH = 100

_DUE = """
SELECT tenant_id, id FROM campaigns_campaign
WHERE next_at <= %s AND status IN ('scheduled', 'sending') ORDER BY next_at LIMIT %s
"""

_FINISH = """
UPDATE campaigns_campaign campaign
SET status = CASE WHEN campaign.next_at IS NULL THEN 'sent' ELSE 'scheduled' END,
    finished_at = CASE WHEN campaign.next_at IS NULL THEN runs.ended_at END, updated_at = clock_timestamp()
FROM campaigns_campaign running, LATERAL (
    SELECT max(message.ended_at) AS ended_at, count(*) FILTER (WHERE message.ended_at IS NULL) AS open
    FROM campaigns_campaignrun run JOIN messaging_message message ON message.id = run.message_id
    WHERE run.tenant_id = running.tenant_id AND run.campaign_id = running.id
) AS runs
WHERE running.id = campaign.id AND running.status IN ('sending', 'paused') AND runs.ended_at IS NOT NULL
  AND runs.open = 0 AND (campaign.status = 'sending' OR (campaign.status = 'paused' AND campaign.next_at IS NULL))
"""


def start_due_campaigns() -> int:
    """Answers how many this call started. One that cannot start is marked as failed and does not stop the others."""
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_DUE, [clock.now(), _BATCH])
        due = cursor.fetchall()
    return sum(_start(tenant_id, campaign_id) for tenant_id, campaign_id in due)


def _start(tenant_id: int, campaign_id: int) -> bool:
    with tenant_scope(tenant_id):
        campaign = (
            Campaign.objects.of(tenant_id)
            .select_for_update(skip_locked=True, no_key=True, of=("self",))
            .select_related("tenant", "application", "template")
            .filter(pk=campaign_id, status__in=[Status.SCHEDULED, Status.SENDING], next_at__lte=clock.now())
            .first()
        )
        if campaign is None:
            return False  # another tick was first, or it was cancelled
        try:
            with transaction.atomic():
                start, following = _occurrence(campaign)
                require_approved(campaign)
                _open_run(campaign, start)
        except ApprovalMissing:
            campaign.changed(status=Status.PAUSED, paused_for=PausedFor.NOT_APPROVED.value)
            stop(campaign, PausedFor.NOT_APPROVED)
            return False
        except HouseError as error:
            log.warning("campaign.failed tenant=%s campaign=%s code=%s", tenant_id, campaign_id, error.code)
            campaign.changed(status=Status.FAILED, failure=error.code, finished_at=clock.now(), next_at=None)
            return False
        campaign.changed(
            status=Status.SENDING, started_at=campaign.started_at or clock.now(), send_at=start, next_at=following
        )
        transaction.on_commit(partial(ring, PLAN))
        return True


def _occurrence(campaign: Campaign) -> tuple[datetime, datetime | None]:
    """The start that is due now, and the next one. Reckoned from the start that is written down and never from the
    clock, so a clock that jumps cannot bring one back; of several that were missed only the last is made up for."""
    assert campaign.next_at is not None
    schedule, zone = Schedule.from_json(campaign.schedule), campaign.tenant.timezone
    runs = CampaignRun.objects.of(campaign.tenant_id).filter(campaign=campaign).count()
    start = schedule.newest_start(campaign.next_at, clock.now(), zone, runs=runs)
    return start, schedule.next_start(start, zone, runs=runs + 1)


def _open_run(campaign: Campaign, start: datetime) -> None:
    require_not_suspended(campaign.tenant)
    rules = rules_for(campaign, start)
    content = content_of(campaign)
    for words in [content, *words_by_variant(campaign).values()]:
        compile_content(words)
    message = open_message(
        tenant=campaign.tenant,
        application=campaign.application,
        content=content,
        routes=campaign.routes,
        strategy=campaign.strategy,
        unknown_policy=UnknownPolicy(campaign.unknown_policy),
        origin=campaign.public_id,
        name=campaign.name,
        expires_at=start + rules.ttl if rules.ttl is not None and rules.timing is None else None,
        category=rules.category,
        quiet_hours=rules.quiet.to_json() if rules.quiet else None,
        fallback_timezone=rules.fallback_timezone,
        throttle=rules.throttle,
        follow_up=campaign.follow_up,
        fallback_after=campaign.fallback_after,
        is_urgent=campaign.is_urgent,
        collapse_key=campaign.collapse_key,
        fuse=fuse_of(campaign).to_json(),
        variants=variants_of(campaign),
    )
    last = Subscriber.objects.in_application(campaign.application).order_by("-pk").values_list("pk", flat=True).first()
    CampaignRun.objects.create(
        tenant=campaign.tenant,
        campaign=campaign,
        message=message,
        due_at=start,
        audience=frozen_audience(campaign),
        rules=rules.to_json(),
        until=last or 0,
        experiment=campaign.experiment,
        decide_at=rules.decide_at,
    )


def finish_ended_campaigns() -> int:
    """A campaign is sent when its message has ended. Answers how many are now."""
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_FINISH)
        finished: int = cursor.rowcount
    return finished
