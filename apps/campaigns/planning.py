"""Writing a started run's audience into the ledger, page by page, from wherever the last one stopped.

A page is one transaction: its deliveries, and the cursor behind them. A crash loses a page that nobody has seen; the
ledger's unique key makes even a repeated page harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from time import monotonic

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from apps.campaigns.audiences import audience_of_run
from apps.campaigns.bulk_planning import plan_page
from apps.campaigns.deciding import Decider, arms_of, people_in
from apps.campaigns.gathering import gather, is_gathered_first, let_go
from apps.campaigns.models import CampaignRun
from apps.campaigns.places import keep_slots, slots_of_run
from apps.campaigns.planner import Rules
from apps.campaigns.writing import CHUNK, write_decisions
from apps.core import clock
from apps.messaging.bell import SEND, ring
from apps.messaging.ledger.states import MessageState
from apps.messaging.models import Message
from apps.messaging.sending.frequency import hold_frequency
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

#: Chunks per transaction, where each person is decided about, and where the database writes them by their facts.
CHUNKS, CHUNKS_AT_ONCE = 5, 25

# The tenant whose runs were planned longest ago, then the run that is least far.
_CLAIM = """
WITH next AS MATERIALIZED (
    SELECT run.id, run.tenant_id FROM campaigns_campaignrun run
    LEFT JOIN messaging_sendingturn turn ON turn.tenant_id = run.tenant_id
    WHERE run.planned_at IS NULL AND (run.lease_until IS NULL OR run.lease_until < clock_timestamp())
    ORDER BY turn.planned_at NULLS FIRST, run.chunk_count, run.id LIMIT 1 FOR UPDATE OF run SKIP LOCKED
), turn AS (
    INSERT INTO messaging_sendingturn (tenant_id, planned_at) SELECT tenant_id, clock_timestamp() FROM next
    ON CONFLICT (tenant_id) DO UPDATE SET planned_at = excluded.planned_at
)
UPDATE campaigns_campaignrun run
SET lease_until = clock_timestamp() + make_interval(secs => %s), fence = fence + 1
FROM next WHERE run.id = next.id RETURNING run.tenant_id, run.id, run.fence
"""


@dataclass(frozen=True, slots=True)
class RunClaim:
    tenant_id: int
    run_id: int
    fence: int


def plan_started_runs(*, seconds: float) -> bool:
    """Plans for about that long, a page of one tenant after one of another. Answers whether there may be more to plan.
    Opens its own scopes."""
    until = monotonic() + seconds
    while monotonic() < until:
        claim = _claim()
        if claim is None:
            return False
        _plan_page(claim)
        _release(claim)
    return True


def idle_runs() -> bool:
    """Whether a run waits for a planner."""
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM campaigns_campaignrun WHERE planned_at IS NULL "
            "AND (lease_until IS NULL OR lease_until < clock_timestamp()))"
        )
        waits: bool = cursor.fetchone()[0]
    return waits


def _claim() -> RunClaim | None:
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_CLAIM, [settings.SENDING_LEASE])
        row = cursor.fetchone()
    return RunClaim(*row) if row else None


def _release(claim: RunClaim) -> None:
    with tenant_scope(claim.tenant_id):
        CampaignRun.objects.of(claim.tenant_id).filter(pk=claim.run_id, fence=claim.fence).update(lease_until=None)


def _plan_page(claim: RunClaim) -> bool:
    """One page. Answers whether the run has more."""
    with tenant_scope(claim.tenant_id):
        runs = CampaignRun.objects.of(claim.tenant_id).select_for_update(no_key=True, of=("self",))
        run = runs.filter(pk=claim.run_id, fence=claim.fence, planned_at=None).first()
        if run is None:
            return False
        # Held until the commit: a cancel waits for this page, and the next page sees it.
        message = (
            Message.objects.of(claim.tenant_id)
            .select_for_update(no_key=True, of=("self",))
            .select_related("tenant", "application")
            .get(pk=run.message_id)
        )
        run.message = message
        if message.state == MessageState.CANCELLED:
            run.changed(planned_at=clock.now())
            let_go(run, up_to=run.until)
            return False
        rules = Rules.from_json(run.rules)
        if rules.cap is not None:
            hold_frequency(message.application)
        if run.gathered_at is None and is_gathered_first(run.audience):
            gather(run)
        is_more = _write_page(run, rules)
        transaction.on_commit(partial(ring, SEND))
        if run.gathered_at is not None:
            let_go(run, up_to=run.cursor if is_more else run.until)
        if not is_more:
            message.changed(is_planned=True)
            run.changed(planned_at=clock.now(), chunk_count=run.chunk_count, slots=run.slots)
            return False
        run.changed(cursor=run.cursor, chunk_count=run.chunk_count, slots=run.slots)
        return True


def _write_page(run: CampaignRun, rules: Rules) -> bool:
    """Deliveries for the people after the cursor, and the cursor behind them. Whether there may be more people."""
    slots = slots_of_run(run, rules)
    arms = arms_of(run.experiment, run.campaign_id)
    decider = Decider(
        run.message.application, rules, now=run.created_at, slots=slots, but=run.message_id, arm_of=arms
    )  # fmt: skip
    audience = audience_of_run(run)
    if decider.asks_for_facts_alone:
        before = run.chunk_count, run.cursor
        try:
            with transaction.atomic():
                return plan_page(run, audience, rules, decider, chunk=CHUNK, page=CHUNK * CHUNKS_AT_ONCE)
        except IntegrityError:  # somebody of this page was planned before: one by one they are passed over
            run.chunk_count, run.cursor = before
    people = people_in(audience, rules).filter(pk__gt=run.cursor, pk__lte=run.until)
    page = list(people.order_by("pk")[: CHUNK * CHUNKS])
    run.chunk_count = write_decisions(
        run.message, decider.decide(page), {person[0]: person[1] for person in page}, number=run.chunk_count,
        due_at=run.due_at,
    )  # fmt: skip
    if slots is not None:
        keep_slots(run, slots)
    if len(page) < CHUNK * CHUNKS:
        return False
    run.cursor = page[-1][0]
    return True
