"""The sending pipeline: claim a chunk, and slice by slice render, mark, call, record.

Two short transactions per slice, the network between them: what is about to leave is committed as attempted before, and
what became of it is recorded with its usage after. Killed anywhere, the next holder of the chunk finds rows that surely
did not leave (planned) and at most one slice that may have (attempted).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from time import monotonic

from django.conf import settings

from apps.billing.services import release
from apps.core import clock
from apps.messaging.content.rendering import CompiledContent, compile_content
from apps.messaging.content.variants import UNDECIDED_WAIT, content_of_variant, routes_of_variant
from apps.messaging.ledger import steps as ledger
from apps.messaging.ledger.claiming import claim_chunk
from apps.messaging.ledger.proving import accept_proven
from apps.messaging.ledger.states import UNDECIDED, DeliveryState, MessageState, Reason, UnknownPolicy
from apps.messaging.ledger.steps import Claim, LeaseLost
from apps.messaging.ledger.tallies import Tally
from apps.messaging.models import Delivery, Message
from apps.messaging.queries import people_with_receipts
from apps.messaging.sending.charging import charge
from apps.messaging.sending.fusing import blow_if_needed, note_slice
from apps.messaging.sending.gates import permit_for
from apps.messaging.sending.places import holder_of, reserve_slice
from apps.messaging.sending.rechecking import Checked, recheck, take_places
from apps.messaging.sending.routes import Called, call_route, record_answers
from apps.messaging.sending.slices import Slice, Verdict, judge, read_slice, render_slice
from apps.messaging.sending.strategies import Strategy, next_route, plan_for
from apps.messaging.sending.withdrawing import keep_names
from apps.messaging.services.inbox import put_copies, tell
from apps.messaging.telling import tell_counts
from apps.providers.base import Outcome, Result
from apps.tenants.scope import tenant_scope

log = logging.getLogger(__name__)


def send_due_chunks(*, seconds: float) -> bool:
    """Claims and sends chunks for about that long. Answers whether there may be more. Opens its own scopes."""
    until = monotonic() + seconds
    while monotonic() < until:
        claim = claim_chunk()
        if claim is None:
            return False
        send_chunk(claim, until=until)
    return True


def send_chunk(claim: Claim, *, until: float) -> None:
    """Works on a claimed chunk until it is done, is stopped, or (monotonic) `until`; then others may have it."""
    try:
        with tenant_scope(claim.tenant_id):
            message = Message.objects.select_related("tenant", "application").get(pk=claim.message_id)
            if claim.was_abandoned:
                _settle_abandoned(claim, message)
        _Chunk(claim, message).send(until)
    except LeaseLost:
        log.warning("chunk.lease_lost tenant=%s chunk=%s", claim.tenant_id, claim.chunk_id)


def _settle_abandoned(claim: Claim, message: Message) -> None:
    """What a dead worker left in flight; of some of it there is a receipt by now."""
    rows = Delivery.objects.of(claim.tenant_id).filter(chunk=claim.chunk_id, state=DeliveryState.ATTEMPTED)
    in_flight = list(rows.values_list("pk", flat=True))
    accept_proven(claim.tenant_id, in_flight, before=DeliveryState.ATTEMPTED)
    ledger.settle_abandoned(claim, UnknownPolicy(message.unknown_policy))
    release(tenant=message.tenant, holder=holder_of(claim))


@lru_cache(maxsize=64)
def _content_of(message_id: int, tenant_id: int, variant: str) -> CompiledContent:
    """A message's content never changes, so each process compiles it once. Called inside the tenant's scope."""
    return compile_content(content_of_variant(Message.objects.of(tenant_id).get(pk=message_id), variant))


class _Chunk:
    """One worker's work on one claimed chunk."""

    def __init__(self, claim: Claim, message: Message) -> None:
        self.claim, self.message = claim, message
        self.plan = plan_for(Strategy(message.strategy), routes_of_variant(message, claim.variant))
        self.lease_ends = monotonic() + settings.SENDING_LEASE

    def send(self, until: float) -> None:
        made = self._next_slice(until)
        while made is not None:
            if not made.ready:
                made = self._next_slice(until)
                continue
            called = self._call(made)
            with tenant_scope(self.claim.tenant_id):
                went_wrong = self._record(made, called)
                if called.answers or called.refused:
                    record_answers(message=self.message, route=made.route, called=called)
                    keep_names(
                        message=self.message, route=made.route, called=called, expires_at=made.expires_at
                    )  # fmt: skip
            tell_counts(self.message)
            if went_wrong:
                blow_if_needed(self.message)
            made = self._next_slice(until)

    def _next_slice(self, until: float) -> Slice | None:
        """The next slice, ready to leave; None when this worker is finished with the chunk."""
        with tenant_scope(self.claim.tenant_id):
            if self._is_stopped(until):
                return None
            planned, people = read_slice(self.claim.tenant_id, self.claim.chunk_id)
            if not planned:
                ledger.hold(self.claim, done=True)
                return None
            content = _content_of(self.message.pk, self.claim.tenant_id, self.claim.variant)
            checked = recheck(self.message, planned, people)
        permit = permit_for(self.message, planned[0].route)
        if permit.wait:
            with tenant_scope(self.claim.tenant_id):
                ledger.postpone(self.claim, due_at=clock.now() + timedelta(seconds=permit.wait))
            return None
        made = render_slice(self.message, content, checked.ready[: permit.most], people)
        made.expires_at = self._expires_at
        made.languages = {
            delivery.id: people[delivery.subscriber].language for delivery in planned if delivery.subscriber in people
        }
        for reason, ids in checked.refused.items():
            made.refused[reason].extend(ids)
        return self._marked(made, checked, planned[0].route)

    def _marked(self, made: Slice, checked: Checked, route: str) -> Slice | None:
        """The slice, marked as attempted and committed; None when none of it may leave in this minute."""
        with tenant_scope(self.claim.tenant_id):
            self.lease_ends = monotonic() + settings.SENDING_LEASE
            for due_at, ids in checked.held.items():
                ledger.hold_until(self.claim, ids, due_at=due_at)
            if self.message.throttle is not None and made.ready and not self._throttle(made):
                return None
            made.refuse_people(self._answered(made), Reason.ANSWERED)
            reserve_slice(self.message, self.claim, made)
            tally = Tally(self.claim.tenant_id, self.message.pk)
            for reason, ids in made.refused.items():
                ledger.settle(self.claim, ids, state="suppressed", reason=reason, before=("planned",))
                ledger.hold(self.claim, suppressed=len(ids))
                self._count(tally, "suppressed", made, ids, route, reason)
            first = [delivery.id for delivery in made.ready if not delivery.attempts]
            self._count(tally, "attempted", made, first, route)
            tally.write()
            ledger.mark_attempted(self.claim, [delivery.id for delivery in made.ready], first=made.first_attempts)
            notes = put_copies(self.message, made)
        tell(self.message.tenant, self.message.application, notes)
        return made

    def _answered(self, made: Slice) -> set[int]:
        """Who has reported a receipt since an earlier route sent it. Read in the transaction that marks the rest as
        attempted: a receipt that was committed before always stops the next route."""
        if self.message.fallback_after is None or not made.ready or made.route not in self.plan.in_turn:
            return set()
        return people_with_receipts(self.message, [delivery.subscriber for delivery in made.ready])

    def _throttle(self, made: Slice) -> bool:
        """Cuts the slice to what may begin in this minute. When that is nothing, the chunk waits for the next."""
        granted, next_minute = take_places(self.message, len(made.ready))
        made.keep(granted)
        if not granted:
            ledger.postpone(self.claim, due_at=next_minute)
        return granted > 0

    @property
    def _expires_at(self) -> datetime | None:
        """Of the chunk or the message, whichever is earlier."""
        known = [moment for moment in (self.claim.expires_at, self.message.expires_at) if moment is not None]
        return min(known, default=None)

    def _is_stopped(self, until: float) -> bool:
        """Pause, cancel and expiry are looked at before every slice, so they act within one."""
        state, self.message.expires_at = (
            Message.objects.of(self.claim.tenant_id).values_list("state", "expires_at").get(pk=self.message.pk)
        )
        expires_at = self._expires_at
        if state == MessageState.CANCELLED:
            ledger.cancel_rest(self.claim, Reason.CANCELED)
        elif self.claim.variant == UNDECIDED:
            ledger.postpone(self.claim, due_at=clock.now() + UNDECIDED_WAIT)
        elif expires_at is not None and expires_at <= clock.now():
            ledger.cancel_rest(self.claim, Reason.EXPIRED)
        elif state == MessageState.PAUSED or monotonic() > until:
            ledger.hold(self.claim, release=True)
        else:
            return False
        return True

    def _call(self, made: Slice) -> Called:
        if not made.pushes:
            return Called([])
        if monotonic() > self.lease_ends:  # stalled between commit and call: somebody else may hold the chunk
            raise LeaseLost
        try:
            return call_route(self.message, made)
        except Exception:  # an adapter's bug must not take the worker with it; nobody knows what left
            log.exception("provider.failed route=%s message=%s", made.route, self.message.pk)
            return Called([Outcome(push.id, Result.UNKNOWN, reason="provider_failed") for push in made.pushes])

    def _record(self, made: Slice, called: Called) -> bool:
        """Answers whether anything in it speaks for the fuse."""
        at_least_once = self.message.unknown_policy == UnknownPolicy.AT_LEAST_ONCE
        verdict = judge(made.ready, called.outcomes, at_least_once=at_least_once)
        release(tenant=self.message.tenant, holder=holder_of(self.claim))
        ledger.hold(
            self.claim,
            accepted=verdict.count(DeliveryState.ACCEPTED),
            failed=verdict.count(DeliveryState.REJECTED, DeliveryState.UNREGISTERED),
            unknown=verdict.count(DeliveryState.UNKNOWN),
        )
        tally = Tally(self.claim.tenant_id, self.message.pk)
        for (state, reason), ids in verdict.final.items():
            ledger.settle(self.claim, ids, state=state, reason=reason)
            self._count(tally, state, made, ids, made.route, reason)
            if state is DeliveryState.UNKNOWN:
                accept_proven(self.claim.tenant_id, ids, before=state)
        if verdict.later:
            ledger.move_to_later(self.claim, verdict.later, seconds=verdict.wait)
        self._try_next_route(made, verdict, tally)
        tally.write()
        charge(self.message, made, verdict, called)
        return note_slice(self.message, verdict, called)

    def _count(self, tally: Tally, kind: str, made: Slice, ids: Iterable[int], route: str, reason: str = "") -> None:
        languages = made.languages_of(ids)
        tally.add(kind, languages, route=route, variant=self.claim.variant, reason=reason, at=clock.now())

    def _try_next_route(self, made: Slice, verdict: Verdict, tally: Tally) -> None:
        """Whom this one did not reach is asked for at once; who took it has until the fallback to report a receipt."""
        later = next_route(self.plan, made.route)
        if later and verdict.next_route:
            self._plan_route(later, clock.now(), verdict.next_route, made, tally)
        if later and verdict.reached and self.message.fallback_after is not None:
            in_time = clock.now() + timedelta(seconds=self.message.fallback_after)
            self._plan_route(later, in_time, verdict.reached, made, tally)

    def _plan_route(self, route: str, due_at: datetime, people: Sequence[int], made: Slice, tally: Tally) -> None:
        ledger.plan_deliveries(
            tenant_id=self.claim.tenant_id, message_id=self.message.pk, number=self.claim.number, rank=self.claim.rank,
            route=route, due_at=due_at, due=people, expires_at=self.claim.expires_at, variant=self.claim.variant,
        )  # fmt: skip
        again = set(people)
        languages = made.languages_of(delivery.id for delivery in made.ready if delivery.subscriber in again)
        tally.add("planned", languages, route=route, variant=self.claim.variant, at=due_at)
