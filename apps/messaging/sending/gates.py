"""Whether a slice may leave now: the state of the account that would send it, asked before anything is attempted.

A network that is down, an account that somebody must look at first, or an application that publishes as fast as it may
costs time and no attempts.
"""

from __future__ import annotations

from apps.messaging.models import Message
from apps.messaging.sending.strategies import Strategy, next_route, plan_for
from apps.providers import breaker
from apps.providers.breaker import Circuit, Permit
from apps.providers.credentials import sending_credential
from apps.providers.registry import needs_of
from apps.realtime.pacing import room_for_bulk
from apps.tenants.application_settings import ApplicationSettings
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope

#: Seconds after which a message looks again whether its paused account was resumed.
WHILE_PAUSED = 30.0


def permit_for(message: Message, route: str) -> Permit:
    """Opens its own short scope and leaves it before Valkey is asked.

    An account that is paused is waited for only where there is no other route; the message's ttl still runs.
    """
    needs, application, tenant = needs_of(route), message.application, message.tenant
    if needs.publishes:
        return _permit_to_publish(tenant.home_region, application)
    if not needs.fields:
        return Permit()
    with tenant_scope(tenant):
        credential = sending_credential(tenant=tenant, application=application, provider=route)
    if credential is None:
        return Permit()
    if not credential:
        is_last = next_route(plan_for(Strategy(message.strategy), message.routes), route) is None
        return Permit(WHILE_PAUSED) if is_last else Permit()
    return breaker.ask(Circuit(tenant.home_region, application.application_id, route, credential))


def _permit_to_publish(region: str, application: Application) -> Permit:
    rate = ApplicationSettings.from_json(application.settings).max_publishes_per_second
    room = room_for_bulk(region, application.application_id, rate)
    return Permit() if room is None else Permit(room.wait, room.most or None)
