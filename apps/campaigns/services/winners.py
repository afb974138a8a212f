"""Choosing the winner of an experiment, by the clock, by certainty or by hand, and giving it to those who wait.

The people who wait are in the ledger since the run was planned, in chunks that nobody sends. To choose is to name those
chunks' variant, in the one transaction that notes the choice: it happens once, and everybody is sent to once.
"""

from __future__ import annotations

import logging
from functools import partial

from django.db import connection, transaction
from django.db.models import Q

from apps.campaigns.errors import ExperimentInvalid, WinnerChosen
from apps.campaigns.experiments import Experiment
from apps.campaigns.models import Campaign, CampaignRun
from apps.campaigns.standing import standing_of
from apps.core import clock
from apps.messaging.bell import SEND, ring
from apps.messaging.content.variants import UNDECIDED_WAIT, first_route_of_variant
from apps.messaging.ledger.states import UNDECIDED
from apps.messaging.models import Chunk, Delivery, DeliveryTally
from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

log = logging.getLogger(__name__)

_BATCH = 50

_WAITING = """
SELECT run.tenant_id, run.id
FROM campaigns_campaignrun run JOIN messaging_message message ON message.id = run.message_id
WHERE run.decide_at IS NOT NULL AND run.decided_at IS NULL AND run.planned_at IS NOT NULL
    AND message.state <> 'cancelled'
    AND (run.decide_at <= %s OR (run.experiment -> 'winner' ->> 'early')::boolean)
ORDER BY run.decide_at LIMIT %s
"""


def choose_due_winners() -> int:
    """What the tick does. Answers how many were chosen. Opens its own scopes; any number may run at once."""
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_WAITING, [clock.now(), _BATCH])
        waiting = cursor.fetchall()
    return sum(_choose_if_due(tenant_id, run_id) for tenant_id, run_id in waiting)


def choose_winner(*, tenant: Tenant, campaign: Campaign, variant: str) -> CampaignRun:
    """By hand, of the last run. Raises ExperimentInvalid for an unknown variant, WinnerChosen when nobody waits."""
    last = CampaignRun.objects.of(tenant).filter(campaign=campaign).order_by("-pk").first()
    run = _held(tenant.pk, last.pk) if last is not None else None
    if run is None:
        raise WinnerChosen
    if variant not in {one.key for one in Experiment.from_json(run.experiment).variants}:
        raise ExperimentInvalid(fields={"variant": [ExperimentInvalid.default_message]})
    return _give(run, variant)


def _choose_if_due(tenant_id: int, run_id: int) -> bool:
    with tenant_scope(tenant_id):
        run = _held(tenant_id, run_id)
        if run is None or run.decide_at is None:
            return False
        verdict = standing_of(run).verdict
        if run.decide_at > clock.now() and not verdict.is_decided:
            return False
        _give(run, verdict.leader)
        return True


def _held(tenant_id: int, run_id: int) -> CampaignRun | None:
    """The run, until the commit; None when nobody waits for a winner any more, or somebody is just choosing."""
    runs = CampaignRun.objects.of(tenant_id).select_for_update(no_key=True, skip_locked=True, of=("self",))
    waiting = runs.filter(pk=run_id, decided_at=None, decide_at__isnull=False, planned_at__isnull=False)
    return waiting.select_related("message").first()


def _give(run: CampaignRun, variant: str) -> CampaignRun:
    """Whose time came while they waited is sent to now; the rest keep the time the planner gave them."""
    assert run.decide_at is not None
    verdict, now = standing_of(run).verdict, clock.now()
    waiting = Chunk.objects.of(run.tenant_id).filter(message=run.message_id, variant=UNDECIDED)
    route, planned = first_route_of_variant(run.message, variant), first_route_of_variant(run.message, UNDECIDED)
    if route != planned:
        Delivery.objects.of(run.tenant_id).filter(chunk__in=waiting, attempts=0).update(route=route)
    waiting.filter(Q(due_at__lte=run.decide_at) | Q(due_at__lte=now + UNDECIDED_WAIT)).update(due_at=now)
    waiting.update(variant=variant)
    # Folded sums are unique; these become parts again, and are folded with the winner's by the next tick.
    sums = DeliveryTally.objects.of(run.tenant_id).filter(message=run.message_id, variant=UNDECIDED)
    sums.filter(route=planned).update(route=route, is_folded=False)
    sums.update(variant=variant, is_folded=False)
    log.info("experiment.chosen tenant=%s run=%s variant=%s", run.tenant_id, run.pk, variant)
    transaction.on_commit(partial(ring, SEND))
    return run.changed(winner=variant, decided_at=now, verdict=verdict.to_json())
