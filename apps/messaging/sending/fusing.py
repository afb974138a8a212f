"""The fuse of a message: too many refusals within a window, and it stands still until somebody looks.

Each slice leaves a row and changes none, so that workers contend for nothing; whoever commits last sees all of them.
Who is not connected or has no device is no error.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from django.db.models import QuerySet, Sum

from apps.core import clock
from apps.messaging.ledger.reasons import ROUTE_REASONS
from apps.messaging.ledger.states import DeliveryState, MessageState, PausedFor
from apps.messaging.models import Message, SliceTally
from apps.messaging.sending.routes import Called
from apps.messaging.sending.slices import Verdict
from apps.providers.base import Result
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

log = logging.getLogger(__name__)

_NO_ERROR = frozenset(ROUTE_REASONS) - {"provider_failed"}
_SWEPT = 10_000


@dataclass(frozen=True, slots=True)
class Fuse:
    """errors, gone: per cent of the attempts that failed, and of the addresses whose installation is gone, above which
    it blows. window: seconds. least: attempts in the window below which nothing is concluded. together: counted over
    all messages of one origin, not of one message."""

    errors: int = 50
    gone: int = 20
    window: int = 600
    least: int = 200
    together: bool = False

    def to_json(self) -> dict[str, int]:
        """Without what is as usual, so that plans that were signed before it existed stay as they were."""
        return {name: value for name, value in asdict(self).items() if name != "together" or value}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        return cls(**stored)

    def verdict(self, *, attempts: int, errors: int, addresses: int, gone: int) -> PausedFor | None:
        if addresses >= self.least and gone * 100 > self.gone * addresses:
            return PausedFor.TOKENS_GONE
        if attempts >= self.least and errors * 100 > self.errors * attempts:
            return PausedFor.ERROR_RATE
        return None


def note_slice(message: Message, verdict: Verdict, called: Called) -> bool:
    """In the transaction that records the slice. Answers whether anything went wrong in it."""
    if message.fuse is None:
        return False
    refused = [(state, reason, len(ids)) for (state, reason), ids in verdict.final.items()]
    errors = sum(
        count for state, reason, count in refused
        if state is DeliveryState.UNKNOWN or (state is DeliveryState.REJECTED and reason not in _NO_ERROR)
    )  # fmt: skip
    words = [answer.outcome for answer in called.answers] or list(called.outcomes)
    gone = sum(outcome.result is Result.UNREGISTERED for outcome in words)
    SliceTally.objects.create(
        tenant_id=message.tenant_id, message=message, attempts=sum(count for *_, count in refused), errors=errors,
        addresses=len(words), gone=gone, origin=message.origin if message.fuse.get("together") else "",
    )  # fmt: skip
    return bool(errors or gone)


def blow_if_needed(message: Message) -> PausedFor | None:
    """After the slice is committed, so that of two workers the later one sees both. Opens its own scope."""
    with tenant_scope(message.tenant_id):
        held = Message.objects.of(message.tenant_id).select_for_update(no_key=True).get(pk=message.pk)
        if held.fuse is None or held.state != MessageState.OPEN:
            return None
        fuse = Fuse.from_json(held.fuse)
        rows = _counted(held, fuse)
        names = ("attempts", "errors", "addresses", "gone")
        sums = rows.aggregate(**{f"all_{name}": Sum(name) for name in names})
        reason = fuse.verdict(**{name: sums[f"all_{name}"] or 0 for name in names})
        if reason is not None:
            held.changed(state=MessageState.PAUSED, paused_for=reason.value)
            log.error("message.fuse_blown tenant=%s message=%s reason=%s", held.tenant_id, held.pk, reason.value)
        return reason


def _counted(message: Message, fuse: Fuse) -> QuerySet[SliceTally]:
    """Messages that count together have their beginning from whoever opens them: before that others of them failed."""
    began = message.fuse_since or (datetime.min.replace(tzinfo=UTC) if fuse.together else message.created_at)
    since = max(clock.now() - timedelta(seconds=fuse.window), began)
    mine = {"origin": message.origin} if fuse.together else {"message": message}
    return SliceTally.objects.of(message.tenant_id).filter(at__gt=since, **mine)


def forget_slices() -> int:
    """Of messages that have ended, and older than any window. Opens its own scope. Answers how many rows went."""
    with all_tenants(CrossTenantRole.DISPATCH):
        old = SliceTally.objects.get_queryset().filter(at__lt=clock.now() - timedelta(days=1))
        gone: int = old.filter(pk__in=list(old.order_by("pk").values_list("pk", flat=True)[:_SWEPT])).delete()[0]
    return gone
