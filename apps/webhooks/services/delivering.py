"""Sending what is due: claim a lane, mark, call, record.

The call stands between two short transactions. What is about to leave is committed as an attempt before, and its answer
is recorded after, where the fence still holds. Killed in between, the next holder of the lane finds an attempt of which
nobody knows the answer and sends the same call again, under the same id.
"""

from __future__ import annotations

import logging
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from apps.core import clock
from apps.tenants.models import Credential, Tenant
from apps.tenants.scope import tenant_scope
from apps.tenants.secrets import context_of_secret, unseal_for
from apps.webhooks import outbox, payloads, signing, verdicts
from apps.webhooks.calls import Call, post
from apps.webhooks.events import ChannelEvent
from apps.webhooks.models import Attempt, Delivery, DeliveryState, DisabledReason, WebhookEndpoint
from apps.webhooks.outbox import Claim, LaneLost
from apps.webhooks.services import notices
from apps.webhooks.services.endpoints import disable, note_success, refresh_events, secrets_of
from apps.webhooks.signing import Keys, Signing
from apps.webhooks.verdicts import Answer, Outcome

log = logging.getLogger(__name__)

#: Calls under way at the same time, per task.
PARALLEL = 8
#: When nothing got through for so long, the tenant is told; when it goes on, the endpoint is switched off.
WARN_AFTER, DISABLE_AFTER = timedelta(hours=1), timedelta(days=3)


@dataclass(frozen=True, slots=True)
class _Begun:
    """An attempt that is committed and about to leave. call is None when there is nothing to sign with."""

    claim: Claim
    delivery_id: int
    attempt_id: int
    call: Call | None


def deliver_due(*, seconds: float) -> bool:
    """Sends for about that long, then waits for what is under way. Answers whether there may be more.

    Opens its own scopes. The database is used by this thread alone; the others only call.
    """
    until, more = monotonic() + seconds, True
    under_way: dict[Future[Answer], _Begun] = {}
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="webhooks") as threads:
        while True:
            if monotonic() < until:
                claims = outbox.claim_lanes(most=PARALLEL - len(under_way))
                more = bool(claims)
                for begun in filter(None, map(_begin, claims)):
                    under_way[threads.submit(_answer, begun)] = begun
            if not under_way:
                return more
            done, _waiting = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                _record(under_way.pop(future), future.result())


def _answer(begun: _Begun) -> Answer:
    if begun.call is None:
        return Answer(Outcome.NO_KEY)
    try:
        return post(begun.call)
    except Exception:  # a library's bug must not take the others' calls with it; nobody knows what left
        log.exception("webhooks.call_failed delivery=%s", begun.delivery_id)
        return Answer(Outcome.UNKNOWN)


def _begin(claim: Claim) -> _Begun | None:
    """The lane's next call, committed as an attempt; None when the lane is empty or lost."""
    try:
        with tenant_scope(claim.tenant_id):
            outbox.hold(claim)
            delivery = outbox.head(claim)
            if delivery is None:
                outbox.release(claim)
                return None
            return _mark(claim, delivery)
    except LaneLost:
        return None


def _mark(claim: Claim, delivery: Delivery) -> _Begun:
    endpoint = WebhookEndpoint.objects.select_related("tenant").get(pk=claim.endpoint_id)
    attempts = Attempt.objects.of(claim.tenant_id).filter(delivery=delivery)
    attempts.filter(outcome=Outcome.IN_FLIGHT).update(outcome=Outcome.UNKNOWN)
    delivery.attempts += 1
    delivery.tries += 1
    delivery.save(update_fields=["attempts", "tries"])
    attempt = Attempt.objects.create(tenant_id=claim.tenant_id, delivery=delivery, number=delivery.attempts)
    return _Begun(claim, delivery.pk, attempt.pk, _call(endpoint.tenant, endpoint, delivery))


def _call(tenant: Tenant, endpoint: WebhookEndpoint, delivery: Delivery) -> Call | None:
    """Stamped and signed anew for each attempt; the id stays."""
    way, now = Signing(endpoint.signing), clock.now()
    keys = Keys(_application_key(tenant, endpoint), secrets_of(tenant, endpoint))
    if way is not Signing.STANDARD and keys.application is None:
        return None
    events = [ChannelEvent.from_json(stored) for stored in delivery.events]
    standard = way is Signing.STANDARD
    body = payloads.standard_body(events) if standard else payloads.pusher_body(events, now=now)
    signed = signing.headers(way, keys, delivery.public_id, body, now=now)
    # Exactly this type: Pusher's SDK for Node refuses one with a charset.
    return Call(endpoint.url, {"Content-Type": "application/json", **signed}, body)


def _application_key(tenant: Tenant, endpoint: WebhookEndpoint) -> tuple[str, str] | None:
    live = Credential.objects.of(tenant).filter(application=endpoint.application_id, revoked_at=None)
    oldest = live.order_by("pk").first()
    if oldest is None:
        return None
    return oldest.key, unseal_for(tenant, oldest.secret_sealed, context=context_of_secret(oldest.key))


def _record(begun: _Begun, answer: Answer) -> None:
    """The endpoint's row is locked before the lane's, as whoever puts something in does."""
    try:
        with tenant_scope(begun.claim.tenant_id):
            endpoint = WebhookEndpoint.objects.select_related("tenant", "application").get(pk=begun.claim.endpoint_id)
            if answer.outcome is not Outcome.DELIVERED or endpoint.failures:
                endpoint.refresh_from_db(from_queryset=WebhookEndpoint.objects.select_for_update(no_key=True))
            outbox.hold(begun.claim)
            wait_for = _settle(begun, endpoint, answer)
            _note_health(endpoint, answer)
            if endpoint.is_enabled:
                outbox.release(begun.claim, seconds=wait_for)
                return
        with tenant_scope(begun.claim.tenant_id):
            refresh_events(tenant=endpoint.tenant, application=endpoint.application)
    except (LaneLost, WebhookEndpoint.DoesNotExist):
        log.warning("webhooks.lane_lost tenant=%s delivery=%s", begun.claim.tenant_id, begun.delivery_id)


def _settle(begun: _Begun, endpoint: WebhookEndpoint, answer: Answer) -> float:
    """What becomes of the delivery; seconds until the lane's next call."""
    now = clock.now()
    Attempt.objects.of(begun.claim.tenant_id).filter(pk=begun.attempt_id).update(
        outcome=answer.outcome, status=answer.status, duration=round(answer.duration * 1_000), excerpt=answer.excerpt
    )
    delivery = Delivery.objects.of(begun.claim.tenant_id).get(pk=begun.delivery_id)
    if answer.outcome is Outcome.DELIVERED:
        state, wait_for = DeliveryState.DELIVERED, None
    else:
        wait_for = verdicts.retry_in(Signing(endpoint.signing), delivery.tries, answer, now=now)
        state = DeliveryState.DEAD if wait_for is None else DeliveryState.PENDING
    delivery.state = state
    delivery.next_at = None if wait_for is None else now + timedelta(seconds=wait_for)
    delivery.finished_at = now if wait_for is None else None
    delivery.save(update_fields=["state", "next_at", "finished_at"])
    return wait_for or 0.0


def _note_health(endpoint: WebhookEndpoint, answer: Answer) -> None:
    """Pauses, warns about and switches off an endpoint that does not take what it is sent."""
    now, tenant = clock.now(), endpoint.tenant
    if answer.outcome is Outcome.DELIVERED:
        if endpoint.failures:
            note_success(endpoint)
        return
    failing_since = endpoint.failing_since or now
    pause = verdicts.pause_of_endpoint(answer, endpoint.failures + 1, now=now)
    resumes_at = now + timedelta(seconds=pause) if pause else None
    endpoint.changed(failing_since=failing_since, failures=endpoint.failures + 1, resumes_at=resumes_at)
    if answer.outcome is Outcome.GONE:
        _switch_off(endpoint, DisabledReason.GONE)
    elif now - failing_since >= DISABLE_AFTER:
        _switch_off(endpoint, DisabledReason.FAILING)
    elif now - failing_since >= WARN_AFTER and endpoint.warned_at is None:
        endpoint.changed(warned_at=now)
        notices.tell(tenant=tenant, endpoint=endpoint, kind="webhook_failing")


def _switch_off(endpoint: WebhookEndpoint, reason: DisabledReason) -> None:
    disable(tenant=endpoint.tenant, endpoint=endpoint, reason=reason)
    notices.tell(tenant=endpoint.tenant, endpoint=endpoint, kind="webhook_disabled")
