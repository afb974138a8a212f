"""The operators' pages at `/operator/`: Django's admin, reading by a role of its own and writing by the services."""

from apps.operations.admin import audit, credits, invoices, ledger, plans, refunds, tenants
from apps.operations.admin.site import operator_site

__all__ = ["audit", "credits", "invoices", "ledger", "operator_site", "plans", "refunds", "tenants"]
