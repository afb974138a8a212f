"""Counts the ledger's rows anew and compares them with the kept counts, the sums by the hour and the recorded usage."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core import clock
from apps.core.errors import NotFound
from apps.messaging.ledger.reconciling import unbilled_messages
from apps.messaging.models import Message
from apps.messaging.queries import differences
from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope


class Command(BaseCommand):
    help = (
        "Checks that counts, sums by the hour and usage of each message are those of its ledger rows, and fails when "
        "they are not. Reads every row of the days it looks at. Run it with PUSHSAAS_ROLE=worker."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=7, help="messages made in so many days (default 7)")
        parser.add_argument("--tenant", default="", help="public id of the only tenant to look at")

    def handle(self, *_arguments: Any, days: int, tenant: str, **_options: Any) -> None:
        if days < 1:
            raise CommandError("--days is at least 1")
        since = clock.now() - timedelta(days=days)
        looked_at = wrong = 0
        for tenant_id in _tenants(since, _number_of(tenant)):
            looked_at += 1
            for line in _disagreements(tenant_id, since):
                wrong += 1
                self.stdout.write(line)
        self.stdout.write(f"{looked_at} tenants, {wrong} differences")
        if wrong:
            raise CommandError("the ledger does not add up")


def _number_of(tenant: str) -> int | None:
    """None for an empty public id."""
    try:
        return Tenant.number_of(tenant) if tenant else None
    except NotFound:
        raise CommandError(f"{tenant} is not the public id of a tenant") from None


def _tenants(since: datetime, only: int | None) -> list[int]:
    with all_tenants(CrossTenantRole.DISPATCH):
        messages = Message.objects.get_queryset().filter(created_at__gte=since)
        messages = messages if only is None else messages.filter(tenant=only)
        return sorted(messages.order_by().values_list("tenant_id", flat=True).distinct())


def _disagreements(tenant_id: int, since: datetime) -> Iterator[str]:
    """What is counted of one tenant: messages that have ended. What is billed: all, for it is exact at every moment."""
    with tenant_scope(tenant_id):
        tenant = Tenant.objects.get(pk=tenant_id)
        unbilled = unbilled_messages(tenant=tenant, since=since)
        messages = Message.objects.of(tenant_id).filter(created_at__gte=since, ended_at__isnull=False)
        numbers = list(messages.order_by("pk").values_list("pk", flat=True))
    for each in unbilled:
        name = Message(pk=each.message_id).public_id
        yield f"{tenant.public_id} {name} usage: accepted {each.accepted}, billed {each.billed}"
    for number in numbers:
        for part, (kept, counted) in _lasting_differences(tenant_id, number).items():
            yield f"{tenant.public_id} {Message(pk=number).public_id} {part}: kept {kept}, counted {counted}"


def _lasting_differences(tenant_id: int, number: int) -> dict[str, tuple[Any, Any]]:
    """A receipt that comes in between two of the questions is no difference: asked again, it is gone."""
    found: dict[str, tuple[Any, Any]] = {}
    for _attempt in range(3):
        with tenant_scope(tenant_id):
            found = differences(Message.objects.of(tenant_id).get(pk=number))
        if not found:
            break
    return found
