"""A test push to one device: sent at once, past the ledger, so that somebody sees each step of it.

It is not billed and leaves no delivery; the credential's health counts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from uuid import uuid4

from django.utils.translation import gettext_lazy as _

from apps.audience.models import REACHABLE, Device, Subscriber
from apps.core import clock
from apps.core.errors import Category, HouseError, NotFound
from apps.providers import breaker, health
from apps.providers.base import Credential, Endpoint, Notification, Outcome, Push, Result, Sender
from apps.providers.breaker import Circuit, State
from apps.providers.credentials import open_credential
from apps.providers.models import ProviderCredential
from apps.providers.registry import needs_of, open_provider
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope

_TTL = 600


class CredentialPaused(HouseError):
    category = Category.CONFLICT
    code = "provider_credential_paused"
    default_message = _("This credential is paused. Resume it first.")


@dataclass(frozen=True, slots=True)
class Trial:
    """target: the person's external id. circuit: as it was before. milliseconds: until the network answered."""

    target: str
    platform: str
    circuit: State
    outcome: Outcome
    milliseconds: int

    @property
    def is_accepted(self) -> bool:
        return self.outcome.result is Result.ACCEPTED


def devices_for_trial(*, tenant: Tenant, credential: ProviderCredential, limit: int) -> list[Device]:
    """Those registered last among the devices this credential may reach. Inside the scope."""
    known = Device.objects.of(tenant).filter(
        REACHABLE, application=credential.application_id, provider=credential.provider
    )
    return list(known.select_related("subscriber").order_by("-registered_at", "-id")[:limit])


def send_trial(*, tenant: Tenant, credential: ProviderCredential, target: str, notification: Notification) -> Trial:
    """target: public id of a device, or the external id of a person where the route reaches people.

    Opens its own scope and leaves it before the network is called. Raises CredentialPaused, NotFound.
    """
    with tenant_scope(tenant):
        push, platform = _push_to(tenant, credential, target, notification)
        opened = _usable(tenant, credential)
        application_id = credential.application.application_id
    circuit = Circuit(tenant.home_region, application_id, credential.provider, credential.public_id)
    before = breaker.look(circuit).state
    sender = Sender(tenant.home_region, tenant.pk, application_id, (opened,))
    started = monotonic()
    [outcome] = open_provider(credential.provider, sender).send([push])
    took = round((monotonic() - started) * 1_000)
    health.count(circuit, [outcome], clock.now())
    return Trial(push.recipient, platform, before, outcome, took)


def _usable(tenant: Tenant, credential: ProviderCredential) -> Credential:
    if credential.retired_at is not None:
        raise NotFound
    if credential.paused_at is not None:
        raise CredentialPaused
    return open_credential(tenant=tenant, credential=credential)


def _push_to(
    tenant: Tenant, credential: ProviderCredential, target: str, notification: Notification
) -> tuple[Push, str]:
    if needs_of(credential.provider).reaches == "people":
        people = Subscriber.objects.of(tenant).filter(application=credential.application_id)
        person = people.filter(external_id=target).first()
        if person is None:
            raise NotFound
        return _push(person.external_id, notification, None), ""
    devices = Device.objects.of(tenant).filter(application=credential.application_id, provider=credential.provider)
    device = devices.select_related("subscriber").access(target)
    endpoint = Endpoint(
        device.address, device.address_kind, device.environment, device.public_key, device.auth_secret,
        device.sender_key,
    )  # fmt: skip
    return _push(device.subscriber.external_id, notification, endpoint), device.platform


def _push(recipient: str, notification: Notification, endpoint: Endpoint | None) -> Push:
    id = uuid4().hex
    return Push(
        id, recipient, notification, message_id=f"test-{id}", campaign_id="", sent_at=clock.now(),
        endpoint=endpoint, ttl=_TTL,
    )  # fmt: skip
