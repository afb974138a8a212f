"""What the tick does: start what is due, plan what has started, finish what has ended. Opens its own scopes.

Any number of ticks may run at once: a start is decided under the campaign's row lock, planning goes by lease and fence.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial

from django.db import connection, transaction

from apps.audience.models import Subscriber
from apps.campaigns.audiences import frozen_audience
from apps.campaigns.models import Campaign, CampaignRun
from apps.campaigns.services.scheduling import content_of
from apps.campaigns.states import Status
from apps.core import clock
from apps.core.errors import HouseError
from apps.messaging.bell import PLAN, ring
from apps.messaging.rendering import compile_content
from apps.messaging.services import open_message
from apps.messaging.states import UnknownPolicy
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope
from apps.tenants.services import require_not_suspended

log = logging.getLogger(__name__)

_BATCH = 100

_DUE = """
SELECT tenant_id, id FROM campaigns_campaign
WHERE status = 'scheduled' AND send_at <= %s ORDER BY send_at LIMIT %s
"""

_FINISH = """
UPDATE campaigns_campaign campaign
SET status = 'sent', finished_at = message.ended_at, updated_at = clock_timestamp()
FROM campaigns_campaignrun run JOIN messaging_message message ON message.id = run.message_id
WHERE campaign.status IN ('sending', 'paused') AND run.campaign_id = campaign.id AND message.ended_at IS NOT NULL
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
            .filter(pk=campaign_id, status=Status.SCHEDULED)
            .first()
        )
        if campaign is None:
            return False  # another tick was first, or it was cancelled
        try:
            with transaction.atomic():
                _open_run(campaign)
        except HouseError as error:
            log.warning("campaign.failed tenant=%s campaign=%s code=%s", tenant_id, campaign_id, error.code)
            campaign.changed(status=Status.FAILED, failure=error.code, finished_at=clock.now())
            return False
        campaign.changed(status=Status.SENDING, started_at=clock.now())
        transaction.on_commit(partial(ring, PLAN))
        return True


def _open_run(campaign: Campaign) -> None:
    assert campaign.send_at is not None
    require_not_suspended(campaign.tenant)
    content = content_of(campaign)
    compile_content(content)
    message = open_message(
        tenant=campaign.tenant,
        application=campaign.application,
        content=content,
        routes=campaign.routes,
        unknown_policy=UnknownPolicy(campaign.unknown_policy),
        origin=campaign.public_id,
        name=campaign.name,
        expires_at=clock.now() + timedelta(seconds=campaign.ttl) if campaign.ttl else None,
    )
    last = Subscriber.objects.in_application(campaign.application).order_by("-pk").values_list("pk", flat=True).first()
    CampaignRun.objects.create(
        tenant=campaign.tenant,
        campaign=campaign,
        message=message,
        due_at=campaign.send_at,
        audience=frozen_audience(campaign),
        until=last or 0,
    )


def finish_ended_campaigns() -> int:
    """A campaign is sent when its message has ended. Answers how many are now."""
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_FINISH)
        finished: int = cursor.rowcount
    return finished
