"""Taking back what push services still hold: of a message that was cancelled or recalled.

Best effort: a push that was shown stays shown, most networks offer nothing, and nothing is tried twice. Each name is
deleted before it is used, so two workers never ask for the same.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F

from apps.core import clock
from apps.messaging.models import Message, WaitingPush
from apps.messaging.sending.routes import Called
from apps.providers.base import Result, Sender
from apps.providers.registry import needs_of, open_provider
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

log = logging.getLogger(__name__)

#: Names are kept for as long as the push may wait, but not longer than this.
KEPT = timedelta(days=7)
#: Messages looked at in a tick, names asked for in one step, expired names deleted in a tick.
_MESSAGES, _BATCH, _SWEPT = 10, 500, 20_000

_STOPPED = """
SELECT message.tenant_id, message.id FROM messaging_message message
WHERE (message.state = 'cancelled' OR message.inbox_recalled_at IS NOT NULL) AND message.updated_at > %s AND EXISTS (
    SELECT FROM messaging_waitingpush push WHERE push.tenant_id = message.tenant_id AND push.message_id = message.id
) LIMIT %s
"""

_KEEP = """
INSERT INTO messaging_waitingpush (tenant_id, message_id, route, resource, expires_at)
SELECT %(tenant)s, %(message)s, %(route)s, resource, %(expires_at)s FROM unnest(%(resources)s::text[]) AS resource
"""


def keep_names(*, message: Message, route: str, called: Called, expires_at: datetime | None) -> None:
    """Remembers what could be taken back. In the transaction that records the slice. expires_at: of its pushes."""
    if not needs_of(route).withdraws:
        return
    outcomes = (answer.outcome for answer in called.answers)
    named = [one.provider_message_id for one in outcomes if one.result is Result.ACCEPTED and one.provider_message_id]
    if not named:
        return
    forgotten = clock.now() + KEPT
    values: dict[str, Any] = {
        "tenant": message.tenant_id, "message": message.pk, "route": route, "resources": named,
        "expires_at": forgotten if expires_at is None else min(forgotten, expires_at),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, values)


def withdraw_pushes() -> None:
    """A bounded part of what is to be taken back, and of what can be forgotten. Opens its own scopes."""
    now = clock.now()
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        expired = WaitingPush.objects.get_queryset().filter(expires_at__lte=now)
        doomed = expired.order_by("expires_at").values("pk")[:_SWEPT]
        WaitingPush.objects.get_queryset().filter(pk__in=doomed).delete()
        cursor.execute(_STOPPED, [now - KEPT - timedelta(days=1), _MESSAGES])
        stopped = cursor.fetchall()
    for tenant_id, message_id in stopped:
        _withdraw(tenant_id, message_id)


def _withdraw(tenant_id: int, message_id: int) -> None:
    """A batch of one message's pushes: claim, call, record."""
    with tenant_scope(tenant_id):
        message = Message.objects.of(tenant_id).select_related("tenant", "application").get(pk=message_id)
        names = _claimed(message)
    taken_back = sum(_taken_back(message, route, resources) for route, resources in names.items())
    if taken_back:
        with tenant_scope(tenant_id):
            Message.objects.of(tenant_id).filter(pk=message_id).update(withdrawn=F("withdrawn") + taken_back)
    log.info("push.withdrawn message=%s asked=%d taken_back=%d", message_id, sum(map(len, names.values())), taken_back)


def _claimed(message: Message) -> dict[str, list[str]]:
    """route -> names; their rows are gone when this commits."""
    rows = WaitingPush.objects.of(message.tenant_id).filter(message=message)
    batch = list(rows.order_by("pk").select_for_update(skip_locked=True)[:_BATCH])
    rows.filter(pk__in=[row.pk for row in batch]).delete()
    names: dict[str, list[str]] = defaultdict(list)
    for row in batch:
        names[row.route].append(row.resource)
    return names


def _taken_back(message: Message, route: str, names: Sequence[str]) -> int:
    """Without credentials: the name is all that the network asks for."""
    tenant, application = message.tenant, message.application
    provider = open_provider(route, Sender(tenant.home_region, tenant.pk, application.application_id))
    withdraw = getattr(provider, "withdraw", None)
    try:
        count: int = withdraw(names) if withdraw is not None else 0
    except Exception:  # an adapter's bug must not keep the rest from being taken back
        log.exception("push.withdraw_failed route=%s message=%s", route, message.pk)
        return 0
    return count
