"""The operator gives a tenant a plan, or limits of its own."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.billing.services import set_plan
from apps.core.errors import HouseError
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from apps.tenants.services import record_audit


class Command(BaseCommand):
    help = "Gives a tenant a plan (free, pay-as-you-go) and hard limits of its own, from the running period on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, help="its id, ten_…")
        parser.add_argument("--plan", help="code of the plan; left out, the plan stays")
        parser.add_argument(
            "--limit",
            action="append",
            default=[],
            metavar="METER=UNITS",
            help="hard limit of a meter per period, or METER=none; may be given several times",
        )

    def handle(self, *_arguments: Any, tenant: str, plan: str | None, limit: list[str], **_options: Any) -> None:
        limits = dict(_limit(text) for text in limit)
        try:
            number = Tenant.number_of(tenant)
            with tenant_scope(number):
                found = Tenant.objects.access(tenant)
                subscription = set_plan(tenant=found, code=plan, limits=limits)
                facts = {"plan": str(subscription.plan_version), "limits": subscription.limits_json}
                record_audit(tenant=found, actor="operator", action="plan.set", target=tenant, facts=facts)
        except HouseError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{found.name}: {subscription.plan_version}, limits {subscription.limits_json or 'of the plan'}"
        )


def _limit(text: str) -> tuple[str, int | None]:
    meter, _equals, units = text.partition("=")
    if units == "none":
        return meter, None
    if not (units.isascii() and units.isdecimal() and len(units) <= 15):
        raise CommandError(f"--limit {text}: write METER=UNITS or METER=none")
    return meter, int(units)
