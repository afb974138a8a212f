"""Holding calls back for a while: they stay in the outbox, in their order, and none is dropped."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q

from apps.tenants.models import Tenant
from apps.webhooks.models import WebhookEndpoint


def hold_calls(*, tenant: Tenant, until: datetime, everywhere: bool, applications: Collection[int]) -> None:
    """Until then no call leaves to the tenant's endpoints (everywhere) or to those of some applications (row numbers).

    All its other endpoints are free from now on. What is under way ends. Runs in the caller's transaction and scope.
    """
    endpoints = WebhookEndpoint.objects.of(tenant)
    held = endpoints if everywhere else endpoints.filter(application__in=applications)
    endpoints.filter(held_until__isnull=False).exclude(pk__in=held.values("pk")).update(held_until=None)
    held.filter(Q(held_until=None) | ~Q(held_until=until)).update(held_until=until)
