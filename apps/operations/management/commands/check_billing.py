"""Compares, for every tenant, what was delivered with what is recorded, summed up and counted at the door."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.billing.models import Subscription
from apps.billing.services import current_period
from apps.billing.services.checking import tellings_of, unmatched_count
from apps.billing.services.reconciling import plane_differences
from apps.messaging.ledger.reconciling import unbilled_messages
from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope


class Command(BaseCommand):
    help = "Checks that everything recorded in the running periods is billed. Run it with PUSHSAAS_ROLE=worker."

    def handle(self, *_arguments: Any, **_options: Any) -> None:
        with all_tenants(CrossTenantRole.DISPATCH):
            tenants = sorted(Subscription.objects.get_queryset().values_list("tenant_id", flat=True))
        wrong = sum(self._check(tenant_id) for tenant_id in tenants)
        wrong += self._check_gateways()
        unmatched = unmatched_count()
        self.stdout.write(f"{len(tenants)} tenants, {wrong} differences, {unmatched} unmatched records")
        if wrong or unmatched:
            raise CommandError("billing does not add up")

    def _check(self, tenant_id: int) -> int:
        """Prints the meters and messages of one tenant that disagree, and answers how many."""
        with tenant_scope(tenant_id):
            tenant = Tenant.objects.get(pk=tenant_id)
            meters = [telling for telling in tellings_of(tenant=tenant) if not telling.agrees]
            messages = unbilled_messages(tenant=tenant, since=current_period(tenant=tenant).starts_at)
        for telling in meters:
            self.stdout.write(
                f"{tenant.public_id} {telling.meter}: recorded {telling.recorded}, "
                f"summed {telling.summed}, counted {telling.counted}"
            )
        for message in messages:
            self.stdout.write(
                f"{tenant.public_id} message {message.message_id}: accepted {message.accepted}, billed {message.billed}"
            )
        return len(meters) + len(messages)

    def _check_gateways(self) -> int:
        """Prints the tenants whose last two hours the gateways tell differently, and answers how many."""
        differences = plane_differences(region=settings.HOME_REGION)
        for tenant_id, units in differences.items():
            self.stdout.write(f"tenant {tenant_id}: the gateways' counters differ from the bill by {units}")
        return len(differences)
