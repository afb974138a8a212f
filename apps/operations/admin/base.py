"""What all pages share: reading across tenants in one role, ids that tell nothing, money as people read it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy

from apps.billing.money import display
from apps.core import ids
from apps.core.models import PublicIdModel
from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
    _ChangeList = ChangeList
else:
    _ModelAdmin, _ChangeList = admin.ModelAdmin, ChangeList


@contextmanager
def reading() -> Iterator[None]:
    """Every tenant's rows of the tables that operators see, in a role that can change none of them."""
    with all_tenants(CrossTenantRole.OPERATOR):
        yield


def money(units: int, currency: str) -> str:
    return display(units, currency, get_language() or "en")


def as_text(facts: object) -> SafeString:
    """Small JSON as a line of code."""
    return format_html("<code>{}</code>", json.dumps(facts, ensure_ascii=False, sort_keys=True) if facts else "")


def rendered(view: Callable[..., Any], *args: Any, **kwargs: Any) -> HttpResponse:
    """The view's answer, drawn to the end while the scope is open: templates ask the database too."""
    with reading():
        response: HttpResponse = view(*args, **kwargs)
        if isinstance(response, TemplateResponse):
            response.render()
    return response


class _PublicChangeList(_ChangeList):
    def url_for_result(self, result: Model) -> str:
        reference = result.public_id if isinstance(result, PublicIdModel) else result.pk
        route = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return reverse(route, args=[reference], current_app=self.model_admin.admin_site.name)


class OpenToOperators(_ModelAdmin):
    """The site has asked who it is; a page only says what can be done on it."""

    actions = None
    list_per_page = 50
    show_full_result_count = False
    may_add: ClassVar[bool] = False
    may_change: ClassVar[bool] = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_add

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_change

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class TenantsRows(OpenToOperators):
    """Rows that belong to tenants, to look at. What can be done with them are verbs (verbs.py)."""

    @admin.display(description=gettext_lazy("organisation"), ordering="tenant__name")
    def organisation(self, row: Any) -> SafeString:
        """A link to whose row it is."""
        url = reverse("admin:tenants_tenant_change", args=[row.tenant.public_id], current_app=self.admin_site.name)
        return format_html('<a href="{}">{}</a>', url, row.tenant)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return _PublicChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return rendered(super().changelist_view, request, extra_context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        # Django reads `_2C` in an address as a quoted comma, and so may a public id begin.
        quoted = quote(object_id) if object_id else object_id
        return rendered(super().changeform_view, request, quoted, form_url, extra_context)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What operators did with it, from our own record."""
        log = reverse("admin:operations_operatorentry_changelist", current_app=self.admin_site.name)
        return redirect(f"{log}?{urlencode({'q': object_id})}")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """By public id; anything else is nothing."""
        number = ids.decode(self.model.public_id_prefix, object_id)
        return self.get_queryset(request).filter(pk=number).first() if number is not None else None

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """A public id of a tenant or of the row itself finds it; other words are looked for in `search_fields`."""
        word = search_term.strip()
        wanted = Q()
        own_prefix = getattr(self.model, "public_id_prefix", None)
        if own_prefix and (number := ids.decode(own_prefix, word)) is not None:
            wanted = Q(pk=number)
        elif self.model is not Tenant and (number := ids.decode(Tenant.public_id_prefix, word)) is not None:
            wanted = Q(tenant_id=number)
        if wanted:
            return queryset.filter(wanted), False
        return super().get_search_results(request, queryset, search_term)


class ListOnly(TenantsRows):
    """Rows that say all there is in one line."""

    list_display_links = None

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        return None
