"""The outbox's SQL: put in, claim, release. Each function is one step inside the caller's transaction.

What a worker claims is a lane: the queue of one channel at one endpoint. The database clock alone decides leases, and
whoever writes under a claim holds the lane's row and has compared the fence; LaneLost says that somebody else has it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db import connection

from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants
from apps.webhooks.models import Delivery, DeliveryState, Lane, WebhookEndpoint

#: Seconds a lane is held for one call: longer than a name's resolution and a call may take together.
LEASE = 60
#: Lanes of one endpoint that are worked on at the same time, so that a slow receiver does not take all workers.
_MOST_AT_ONCE = 8

_CLAIM = """
WITH next AS (
    SELECT lane.id FROM webhooks_lane lane JOIN webhooks_webhookendpoint endpoint ON endpoint.id = lane.endpoint_id
    WHERE lane.due_at <= clock_timestamp() AND (lane.lease_until IS NULL OR lane.lease_until < clock_timestamp())
      AND endpoint.is_enabled AND (endpoint.resumes_at IS NULL OR endpoint.resumes_at <= clock_timestamp())
      AND (endpoint.held_until IS NULL OR endpoint.held_until <= clock_timestamp())
      AND (
          SELECT count(*) FROM webhooks_lane busy
          WHERE busy.endpoint_id = lane.endpoint_id AND busy.lease_until > clock_timestamp()
      ) < %(at_once)s
    ORDER BY lane.due_at LIMIT %(most)s FOR UPDATE OF lane SKIP LOCKED
)
UPDATE webhooks_lane lane SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s), fence = fence + 1
FROM next WHERE lane.id = next.id
RETURNING lane.tenant_id, lane.endpoint_id, lane.id, lane.name, lane.fence
"""

#: A lane that is there keeps its time: what it waits for comes before what is new.
_OPEN = """
INSERT INTO webhooks_lane (tenant_id, endpoint_id, name, due_at, fence)
SELECT %(tenant)s, %(endpoint)s, name, clock_timestamp(), 0 FROM unnest(%(names)s::text[]) AS given (name) ORDER BY name
ON CONFLICT (endpoint_id, name) DO UPDATE SET name = excluded.name
"""

_RELEASE = """
UPDATE webhooks_lane SET lease_until = NULL, due_at = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE tenant_id = %(tenant)s AND id = %(lane)s
"""


#: The one lane of an endpoint that batches.
WHOLE_ENDPOINT = ""


class LaneLost(Exception):
    """Another worker holds the lane by now. What this one was about to write must not be."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A lane held by this worker."""

    tenant_id: int
    endpoint_id: int
    lane_id: int
    lane: str
    fence: int


def claim_lanes(*, most: int) -> list[Claim]:
    """Due lanes of any tenants. Opens its own scope and commits: from here on the lease runs."""
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"lease": LEASE, "most": most, "at_once": _MOST_AT_ONCE})
        return [Claim(*row) for row in cursor.fetchall()]


def put(*, tenant: Tenant, endpoint: WebhookEndpoint, deliveries: Collection[Delivery]) -> None:
    """Adds what is to be sent. The rows come first: whoever empties a lane looks for rows while it holds the lane."""
    Delivery.objects.bulk_create(deliveries, batch_size=500)
    open_lanes(tenant=tenant, endpoint=endpoint, names={delivery.lane for delivery in deliveries})


def open_lanes(*, tenant: Tenant, endpoint: WebhookEndpoint, names: Collection[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, {"tenant": tenant.pk, "endpoint": endpoint.pk, "names": sorted(names)})


def merge_lanes(*, tenant: Tenant, endpoint: WebhookEndpoint) -> None:
    """Puts what is pending into one lane, in its order; who works on one of the lanes loses it. Holds the endpoint."""
    pending = Delivery.objects.of(tenant).filter(endpoint=endpoint, state=DeliveryState.PENDING)
    if pending.update(lane=WHOLE_ENDPOINT):
        open_lanes(tenant=tenant, endpoint=endpoint, names=[WHOLE_ENDPOINT])
    Lane.objects.of(tenant).filter(endpoint=endpoint).exclude(name=WHOLE_ENDPOINT).delete()


def is_merged(*, tenant: Tenant, endpoint: WebhookEndpoint) -> bool:
    """Whether something waits in the one lane; whatever comes then goes behind it. The caller holds the endpoint."""
    return Lane.objects.of(tenant).filter(endpoint=endpoint, name=WHOLE_ENDPOINT).exists()


def hold(claim: Claim) -> None:
    """Locks the lane until the end of the transaction. Raises LaneLost."""
    lanes = Lane.objects.of(claim.tenant_id).select_for_update().filter(pk=claim.lane_id, fence=claim.fence)
    if not lanes.exists():
        raise LaneLost


def head(claim: Claim) -> Delivery | None:
    """What goes out next in the lane."""
    waiting = Delivery.objects.of(claim.tenant_id).filter(
        endpoint=claim.endpoint_id, lane=claim.lane, state=DeliveryState.PENDING
    )
    return waiting.order_by("pk").first()


def release(claim: Claim, *, seconds: float = 0) -> None:
    """Gives the lane back, due in `seconds`; an empty one ends. The caller holds it."""
    if head(claim) is None:
        Lane.objects.of(claim.tenant_id).filter(pk=claim.lane_id).delete()
        return
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, {"tenant": claim.tenant_id, "lane": claim.lane_id, "seconds": seconds})
