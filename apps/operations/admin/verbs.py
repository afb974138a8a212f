"""What operators can do with a tenant's row: a page with a form, a fresh second factor, one service, one record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core.errors import HouseError
from apps.operations.admin.base import TenantsRows, reading
from apps.operations.admin.site import ask_again
from apps.operations.operators import record_operation
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope


class VerbForm(forms.Form):
    """row: what it is done to. Fields may depend on it; it is read in the operators' role."""

    def __init__(self, *args: Any, row: Any, **kwargs: Any) -> None:
        self.row = row
        super().__init__(*args, **kwargs)


class NoForm(VerbForm):
    """For a verb that needs no words."""


@dataclass(frozen=True, slots=True)
class Act:
    """tenant, row: fresh from the database, in the tenant's scope. values: what the form said."""

    tenant: Tenant
    row: Any
    values: Mapping[str, Any]
    operator: User


@dataclass(frozen=True, slots=True)
class Verb:
    """name: in the URL and, as `thing.name`, in the record. apply: the service. state: what it may change, as JSON.

    offered: whether it can be done with the row as it is. text: what it does, read before it is done.
    """

    name: str
    action: str
    title: Any
    text: Any
    form: type[VerbForm]
    apply: Callable[[Act], object]
    state: Callable[[Tenant, Any], Mapping[str, Any]]
    offered: Callable[[Any], bool] = lambda _row: True
    dangerous: bool = False


class WithVerbs(TenantsRows):
    """Adds the verbs to the tools of a row's page."""

    verbs: ClassVar[tuple[Verb, ...]] = ()
    change_form_template = "admin/operator/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_do"
        view = self.admin_site.admin_view(self.do)
        return [path("<str:object_id>/do/<slug:verb>/", view, name=name), *super().get_urls()]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        with reading():
            row = self.get_object(request, object_id or "")
            offered = [verb for verb in self.verbs if row is not None and verb.offered(row)]
        tools = [(verb, self._url(object_id or "", verb)) for verb in offered]
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), "tools": tools})

    def _url(self, object_id: str, verb: Verb) -> str:
        route = f"admin:{self.opts.app_label}_{self.opts.model_name}_do"
        return reverse(route, args=[object_id, verb.name], current_app=self.admin_site.name)

    def do(self, request: HttpRequest, object_id: str, verb: str) -> HttpResponse:
        with reading():
            row = self.get_object(request, object_id)
            chosen = next((each for each in self.verbs if each.name == verb), None)
            if row is None or chosen is None:
                raise Http404
            form = chosen.form(request.POST if request.method == "POST" else None, row=row)
        if (first := ask_again(request)) is not None:
            return first
        if request.method == "POST" and form.is_valid() and self._done(request, chosen, row, form):
            messages.success(request, _("Done: %(what)s") % {"what": chosen.title})
            route = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
            return redirect(reverse(route, args=[object_id], current_app=self.admin_site.name))
        return self._page(request, chosen, row, form)

    def _done(self, request: HttpRequest, verb: Verb, row: Any, form: VerbForm) -> bool:
        tenant_id = row.pk if isinstance(row, Tenant) else row.tenant_id
        try:
            with tenant_scope(tenant_id):
                tenant = Tenant.objects.get(pk=tenant_id)
                fresh = tenant if isinstance(row, Tenant) else type(row).objects.of(tenant).get(pk=row.pk)
                before = verb.state(tenant, fresh)
                act = Act(tenant, fresh, form.cleaned_data, cast("User", request.user))
                verb.apply(act)
                record_operation(
                    operator=act.operator,
                    action=verb.action,
                    target=row.public_id,
                    tenant=tenant,
                    before=before,
                    after=verb.state(tenant, fresh.__class__.objects.get(pk=fresh.pk)),
                )
        except HouseError as error:
            form.add_error(None, str(error.message))
            return False
        return True

    def _page(self, request: HttpRequest, verb: Verb, row: Any, form: VerbForm) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": verb.title,
            "subtitle": f"{row} · {row.public_id}",
            "verb": verb,
            "row": row,
            "form": form,
            "opts": self.opts,
            "media": self.media + form.media,
        }
        return TemplateResponse(request, "admin/operator/verb.html", context)
