"""Writing a started run's audience into the ledger, page by page, from wherever the last one stopped.

A page is one transaction: its deliveries, and the cursor behind them. A crash loses a page that nobody has seen; the
ledger's unique key makes even a repeated page harmless.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from time import monotonic

from django.conf import settings
from django.db import connection, transaction

from apps.audience.queries import refusal
from apps.campaigns.audiences import audience_of_run
from apps.campaigns.models import CampaignRun
from apps.campaigns.planner import Facts, Rules, Suppressed, plan
from apps.core import clock
from apps.messaging import ledger
from apps.messaging.bell import SEND, ring
from apps.messaging.models import Message
from apps.messaging.states import MessageState, Reason
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

#: Subscribers per chunk, and chunks per transaction.
CHUNK, CHUNKS = 1_000, 5

_CLAIM = """
UPDATE campaigns_campaignrun SET lease_until = clock_timestamp() + make_interval(secs => %s), fence = fence + 1
WHERE id = (
    SELECT id FROM campaigns_campaignrun
    WHERE planned_at IS NULL AND (lease_until IS NULL OR lease_until < clock_timestamp())
    ORDER BY chunk_count, id LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING tenant_id, id, fence
"""


@dataclass(frozen=True, slots=True)
class RunClaim:
    tenant_id: int
    run_id: int
    fence: int


def plan_started_runs(*, seconds: float) -> bool:
    """Plans for about that long. Answers whether there may be more to plan. Opens its own scopes."""
    until = monotonic() + seconds
    while monotonic() < until:
        claim = _claim()
        if claim is None:
            return False
        while _plan_page(claim) and monotonic() < until:
            pass
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
    """One page. Answers whether this worker should go on with the run."""
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
            return False
        page = list(
            audience_of_run(run)
            .filter(pk__gt=run.cursor, pk__lte=run.until)
            .order_by("pk")
            .annotate(refuses=refusal())
            .values_list("pk", "language", "timezone", "refuses")[: CHUNK * CHUNKS]
        )
        for start in range(0, len(page), CHUNK):
            _plan_chunk(run, page[start : start + CHUNK])
        transaction.on_commit(partial(ring, SEND))
        if len(page) < CHUNK * CHUNKS:
            message.changed(is_planned=True)
            run.changed(planned_at=clock.now(), chunk_count=run.chunk_count)
            return False
        run.changed(cursor=page[-1][0], chunk_count=run.chunk_count)
        return True


def _plan_chunk(run: CampaignRun, people: list[tuple[int, str, str, bool]]) -> None:
    rules, now = rules_of(run), clock.now()
    decide = lru_cache(maxsize=1_024)(lambda facts: plan(facts, rules, now=now))
    due: dict[datetime, list[int]] = defaultdict(list)
    suppressed: dict[Reason, list[int]] = defaultdict(list)
    for number, language, timezone, refuses in people:
        decision = decide(Facts(language, timezone, refuses))
        if isinstance(decision, Suppressed):
            suppressed[decision.reason].append(number)
        else:
            due[decision.due_at].append(number)
    for due_at in due or [run.due_at]:
        ledger.plan_deliveries(
            tenant_id=run.tenant_id, message_id=run.message_id, number=run.chunk_count, route=run.message.routes[0],
            due_at=due_at, due=due.get(due_at, []), suppressed=suppressed,
        )  # fmt: skip
        suppressed = defaultdict(list)
        run.chunk_count += 1


def rules_of(run: CampaignRun) -> Rules:
    message = run.message
    return Rules(run.due_at, message.expires_at, tuple(message.content), message.default_language)
