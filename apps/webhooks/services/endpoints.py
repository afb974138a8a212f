"""Endpoints: registering, changing, new secrets, switching off. Each expects the tenant's scope to be open."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from apps.core import clock
from apps.core.egress import AddressRefused, read_url
from apps.tenants.models import Application, Tenant
from apps.tenants.secrets import seal_for, unseal_for
from apps.tenants.services import SYSTEM, record_audit, set_webhook_events
from apps.webhooks import outbox
from apps.webhooks.errors import BatchInvalid, EndpointDisabled, EventsInvalid, TooManyEndpoints, UrlRefused
from apps.webhooks.events import EVENT_NAMES, TEST, ChannelEvent
from apps.webhooks.models import (
    BATCH_BYTES,
    BATCH_EVENTS,
    Attempt,
    Delivery,
    DeliveryState,
    DisabledReason,
    Lane,
    WebhookEndpoint,
)
from apps.webhooks.signing import Signing, new_secret

MAX_ENDPOINTS = 20
#: How long the secret before the newest goes on signing too.
OVERLAP = timedelta(hours=24)
#: The lane of test events: no channel has such a name, so a test waits for nothing.
_TEST_LANE = "#test"


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """secret: in clear, for the one time it is shown."""

    endpoint: WebhookEndpoint
    secret: str


def create_endpoint(
    *,
    tenant: Tenant,
    application: Application,
    url: str,
    events: Collection[str],
    signing: str = Signing.PUSHER,
    batching: bool = False,
    batch_events: int = 50,
    batch_bytes: int = 16_000,
    actor: str = SYSTEM,
) -> NewEndpoint:
    """Raises UrlRefused, EventsInvalid, BatchInvalid, TooManyEndpoints."""
    url, chosen = _checked_url(url), _checked_events(events)
    sizes = {"batch_events": batch_events, "batch_bytes": batch_bytes}
    _check_sizes(sizes)
    _hold(tenant, application)
    endpoints = WebhookEndpoint.objects.of(tenant).filter(application=application)
    if endpoints.count() >= MAX_ENDPOINTS:
        raise TooManyEndpoints
    endpoint = WebhookEndpoint.objects.create(
        tenant=tenant, application=application, url=url, events=chosen, signing=Signing(signing), batching=batching,
        **sizes,
    )  # fmt: skip
    secret = new_secret()
    endpoint.changed(secret_sealed=seal_for(tenant, secret, context=_context(endpoint)))
    _events_changed(tenant, application)
    _audit(tenant, endpoint, "webhook.created", actor, url=url, events=chosen)
    return NewEndpoint(endpoint, secret)


def change_endpoint(*, tenant: Tenant, endpoint: WebhookEndpoint, actor: str = SYSTEM, **changes: Any) -> None:
    """changes: url, events, signing, batching, batch_events, batch_bytes, is_enabled; what is not given stays.

    Disabled, it gives up what is pending; enabled again, it starts with a clean slate. New sizes are for what happens
    from now on. Raises UrlRefused, EventsInvalid, BatchInvalid.
    """
    _check_sizes(changes)
    if "url" in changes:
        changes["url"] = _checked_url(changes["url"])
    if "events" in changes:
        changes["events"] = _checked_events(changes["events"])
    _hold(tenant, endpoint.application)
    endpoint.refresh_from_db(from_queryset=WebhookEndpoint.objects.of(tenant).select_for_update(no_key=True))
    if changes.get("batching") and not endpoint.batching:
        outbox.merge_lanes(tenant=tenant, endpoint=endpoint)
    audited = dict(changes)
    if changes.get("is_enabled"):
        changes |= {**_HEALTHY, "disabled_reason": DisabledReason.NONE}
    endpoint.changed(**changes)
    if changes.get("is_enabled") is False:
        disable(tenant=tenant, endpoint=endpoint, reason=DisabledReason.BY_HAND)
    _events_changed(tenant, endpoint.application)
    _audit(tenant, endpoint, "webhook.changed", actor, **audited)


#: Nothing has failed (yet).
_HEALTHY: dict[str, Any] = {"failing_since": None, "failures": 0, "resumes_at": None, "warned_at": None}


def note_success(endpoint: WebhookEndpoint) -> None:
    """The caller holds the endpoint's row."""
    endpoint.changed(**_HEALTHY)


def disable(*, tenant: Tenant, endpoint: WebhookEndpoint, reason: DisabledReason) -> None:
    """Gives up what is pending, so that it can be replayed once the endpoint works. The caller holds its row.

    Announce it to the data plane with `refresh_events`.
    """
    endpoint.changed(is_enabled=False, disabled_reason=reason)
    Delivery.objects.of(tenant).filter(endpoint=endpoint, state=DeliveryState.PENDING).update(
        state=DeliveryState.DEAD, next_at=None, finished_at=clock.now()
    )
    Lane.objects.of(tenant).filter(endpoint=endpoint).delete()


def delete_endpoint(*, tenant: Tenant, endpoint: WebhookEndpoint, actor: str = SYSTEM) -> None:
    """With everything it has sent."""
    application = endpoint.application
    _hold(tenant, application)
    _audit(tenant, endpoint, "webhook.deleted", actor, url=endpoint.url)
    Attempt.objects.of(tenant).filter(delivery__endpoint=endpoint).delete()
    for model in (Lane, Delivery):
        model.objects.of(tenant).filter(endpoint=endpoint).delete()
    endpoint.delete()
    _events_changed(tenant, application)


def rotate_secret(*, tenant: Tenant, endpoint: WebhookEndpoint, actor: str = SYSTEM) -> str:
    """The new secret, in clear. The one before it signs beside it for a day."""
    endpoint.refresh_from_db(from_queryset=WebhookEndpoint.objects.of(tenant).select_for_update(no_key=True))
    secret = new_secret()
    endpoint.changed(
        previous_secret_sealed=endpoint.secret_sealed,
        previous_until=clock.now() + OVERLAP,
        secret_sealed=seal_for(tenant, secret, context=_context(endpoint)),
    )
    _audit(tenant, endpoint, "webhook.secret_rotated", actor)
    return secret


def secrets_of(tenant: Tenant, endpoint: WebhookEndpoint) -> list[str]:
    """Those that sign now, the newest first."""
    sealed = [endpoint.secret_sealed]
    if endpoint.previous_until is not None and endpoint.previous_until > clock.now():
        sealed.append(endpoint.previous_secret_sealed)
    return [unseal_for(tenant, text, context=_context(endpoint)) for text in sealed]


def send_test(*, tenant: Tenant, endpoint: WebhookEndpoint) -> Delivery:
    """Queues an event that says it is a test. Raises EndpointDisabled."""
    endpoint.refresh_from_db(from_queryset=WebhookEndpoint.objects.of(tenant).select_for_update(no_key=True))
    if not endpoint.is_enabled:
        raise EndpointDisabled
    event = ChannelEvent(TEST, "test", int(clock.now().timestamp() * 1_000), {})
    delivery = Delivery(tenant=tenant, endpoint=endpoint, lane=_TEST_LANE, events=[event.to_json()])
    outbox.put(tenant=tenant, endpoint=endpoint, deliveries=[delivery])
    return delivery


def refresh_events(*, tenant: Tenant, application: Application) -> None:
    """Tells the data plane which events are wanted now."""
    _hold(tenant, application)
    _events_changed(tenant, application)


def _hold(tenant: Tenant, application: Application) -> None:
    """One change of an application's endpoints at a time, or the union of their events could miss one."""
    Application.objects.of(tenant).select_for_update(no_key=True).get(pk=application.pk)


def _events_changed(tenant: Tenant, application: Application) -> None:
    enabled = WebhookEndpoint.objects.of(tenant).filter(application=application, is_enabled=True)
    union = {name for events in enabled.values_list("events", flat=True) for name in events}
    set_webhook_events(tenant=tenant, application=application, events=union)


def _checked_url(url: str) -> str:
    """By its text; the name is looked up, and its addresses judged, at every call."""
    try:
        return read_url(url.strip()).url
    except AddressRefused as error:
        raise UrlRefused(error.reason) from None


def _checked_events(events: Collection[str]) -> list[str]:
    if not events or not set(events) <= set(EVENT_NAMES):
        raise EventsInvalid
    return [name for name in EVENT_NAMES if name in events]


def _check_sizes(given: Mapping[str, Any]) -> None:
    for field, bounds in (("batch_events", BATCH_EVENTS), ("batch_bytes", BATCH_BYTES)):
        if field in given and not bounds[0] <= given[field] <= bounds[1]:
            raise BatchInvalid(field, bounds)


def _context(endpoint: WebhookEndpoint) -> str:
    return f"webhooks_webhookendpoint|secret|{endpoint.pk}"


def _audit(tenant: Tenant, endpoint: WebhookEndpoint, action: str, actor: str, **facts: Any) -> None:
    record_audit(tenant=tenant, actor=actor, action=action, target=endpoint.public_id, facts=facts)
