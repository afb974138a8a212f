"""What operators did, and what each tenant's own log says: to read, never to change."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from apps.operations.admin.base import ListOnly, OpenToOperators, as_text
from apps.operations.admin.site import operator_site
from apps.operations.models import OperatorEntry
from apps.tenants.models import AuditEntry


@admin.register(OperatorEntry, site=operator_site)
class OperatorEntryAdmin(OpenToOperators):
    list_display = ("at", "actor_email", "action", "target", "tenant_reference", "change_from", "change_to")
    list_filter = ("action",)
    search_fields = ("actor_email", "action", "target", "tenant_reference")
    search_help_text = _("E-mail address of an operator, an action, or the id of an organisation or an invoice")
    ordering = ("-id",)
    list_display_links = None

    @admin.display(description=_("before"))
    def change_from(self, entry: OperatorEntry) -> str:
        return as_text(entry.before)

    @admin.display(description=_("after"))
    def change_to(self, entry: OperatorEntry) -> str:
        return as_text(entry.after)


@admin.register(AuditEntry, site=operator_site)
class AuditEntryAdmin(ListOnly):
    list_display = ("at", "organisation", "actor", "action", "target", "what")
    list_select_related = ("tenant",)
    search_fields = ("actor", "action", "target", "tenant__name")
    search_help_text = _("Name or id of an organisation, an actor, an action or a target")
    ordering = ("-id",)

    @admin.display(description=_("facts"))
    def what(self, entry: AuditEntry) -> str:
        return as_text(entry.facts)
