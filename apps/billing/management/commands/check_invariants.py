"""Checks the money of every tenant: ledger, prepaid credit, receivables, totals, and that no number is missing."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.billing.models import Invoice, Subscription
from apps.billing.services.invariants import broken_invariants, numbering_gaps
from apps.billing.services.invoicing import park
from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope


class Command(BaseCommand):
    help = "Checks that the books add up, and parks tenants whose do not. Run it with PUSHSAAS_ROLE=worker."

    def handle(self, *_arguments: Any, **_options: Any) -> None:
        with all_tenants(CrossTenantRole.DISPATCH):
            tenants = sorted(Subscription.objects.get_queryset().values_list("tenant_id", flat=True))
            numbers: dict[str, list[int]] = {}
            for series, number in Invoice.objects.get_queryset().exclude(number=None).values_list("series", "number"):
                numbers.setdefault(series, []).append(number or 0)
        gaps = list(numbering_gaps(numbers))
        wrong = len(gaps) + sum(self._check(tenant_id) for tenant_id in tenants)
        self.stdout.writelines(gaps)
        self.stdout.write(f"{len(tenants)} tenants, {wrong} broken rules")
        if wrong:
            raise CommandError("the books do not add up")

    def _check(self, tenant_id: int) -> int:
        with tenant_scope(tenant_id):
            tenant = Tenant.objects.get(pk=tenant_id)
            broken = list(broken_invariants(tenant=tenant))
            if broken:
                park(tenant=tenant, reason=broken[0])
        for rule in broken:
            self.stdout.write(f"{tenant.public_id} {rule}")
        return len(broken)
