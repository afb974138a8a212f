"""What a tenant is told about an endpoint that does not work."""

from __future__ import annotations

from apps.tenants.models import Tenant
from apps.tenants.services.notices import tell_those_who_answer
from apps.webhooks.models import WebhookEndpoint


def tell(*, tenant: Tenant, endpoint: WebhookEndpoint, kind: str) -> None:
    """kind: `webhook_failing` or `webhook_disabled`. In the caller's transaction."""
    since = endpoint.failing_since
    facts = {
        "tenant": tenant.name,
        "application": endpoint.application.name,
        "url": endpoint.url,
        "reason": endpoint.disabled_reason,
        "since": since.strftime("%Y-%m-%d %H:%M UTC") if since else "",
    }
    tell_those_who_answer(tenant=tenant, kind=kind, facts=facts)
