"""Compares, for every tenant, what was recorded with what is summed up and what the door counts."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.billing.models import Subscription
from apps.billing.services.checking import tellings_of, unmatched_count
from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope


class Command(BaseCommand):
    help = "Checks that everything recorded in the running periods is billed. Run it with PUSHSAAS_ROLE=worker."

    def handle(self, *_arguments: Any, **_options: Any) -> None:
        with all_tenants(CrossTenantRole.DISPATCH):
            tenants = sorted(Subscription.objects.get_queryset().values_list("tenant_id", flat=True))
        wrong = sum(self._check(tenant_id) for tenant_id in tenants)
        unmatched = unmatched_count()
        self.stdout.write(f"{len(tenants)} tenants, {wrong} meters that disagree, {unmatched} unmatched records")
        if wrong or unmatched:
            raise CommandError("billing does not add up")

    def _check(self, tenant_id: int) -> int:
        """Prints the meters of one tenant that disagree, and answers how many."""
        with tenant_scope(tenant_id):
            tenant = Tenant.objects.get(pk=tenant_id)
            wrong = [telling for telling in tellings_of(tenant=tenant) if not telling.agrees]
        for telling in wrong:
            self.stdout.write(
                f"{tenant.public_id} {telling.meter}: recorded {telling.recorded}, "
                f"summed {telling.summed}, counted {telling.counted}"
            )
        return len(wrong)
