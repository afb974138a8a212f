"""The routes of an application with their health, one account, and the form that saves one."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from apps.core.errors import HouseError, NotFound
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.accounts.step_up import fresh_factor
from apps.dashboard.errors import NoApplication
from apps.dashboard.forms import add_errors
from apps.dashboard.providers.forms import CredentialForm
from apps.dashboard.providers.standing import accounts_of, charts_of, error_rows, other_keys_of_team, routes_of
from apps.dashboard.route_names import route_name
from apps.providers.credentials import WEBPUSH, retire_credential, save_credential
from apps.providers.models import ProviderCredential
from apps.providers.registry import limits_of, needs_of, provider_names
from apps.providers.webpush.vapid import new_private_key
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope


def chosen_application(request: DashboardRequest) -> Application:
    """Raises NoApplication."""
    if request.application is None:
        raise NoApplication
    return request.application


def access_credential(request: DashboardRequest, public_id: str) -> ProviderCredential:
    """One of the chosen application that is not retired. Inside the scope. Raises NotFound."""
    if request.application is None:
        raise NotFound
    known = ProviderCredential.objects.of(request.tenant).filter(application=request.application, retired_at=None)
    return known.select_related("application").access(public_id)


@page("applications.read", in_scope=False)
@require_safe
def provider_list(request: DashboardRequest) -> HttpResponse:
    if request.application is None:
        return render(request, "dashboard/providers/list.html", {})
    routes = routes_of(tenant=request.tenant, application=request.application)
    return render(request, "dashboard/providers/list.html", {"routes": routes})


@page("applications.read", in_scope=False)
@require_safe
def provider(request: DashboardRequest, public_id: str) -> HttpResponse:
    with tenant_scope(request.tenant):
        shown = access_credential(request, public_id)
        other_keys = other_keys_of_team(tenant=request.tenant, credential=shown)
    accounts = accounts_of(tenant=request.tenant, application=shown.application, provider=shown.provider)
    account = next((one for one in accounts if one.credential.pk == shown.pk), None)
    if account is None:
        raise NotFound
    context = {
        "account": account,
        "other_keys": ", ".join(other_keys),
        "credential": shown,
        "label": route_name(shown.provider),
        "shown": [
            (field.label, shown.shown.get(field.name) if not field.is_secret else None)
            for field in needs_of(shown.provider).fields
            if field.is_secret or shown.shown.get(field.name)
        ],
        "charts": charts_of(account.health, ZoneInfo(request.tenant.timezone)),
        "errors": error_rows(account.health),
        "limits": limits_of(shown.provider),
    }
    return render(request, "dashboard/providers/credential.html", context)


@page("keys.write", in_scope=False)
@require_http_methods(["GET", "POST"])
@fresh_factor
def provider_create(request: DashboardRequest) -> HttpResponse:
    chosen_application(request)
    name = request.GET.get("provider", "")
    if not name:  # somebody shortened the address
        return redirect("dashboard:provider-list")
    if name not in provider_names() or not needs_of(name).fields:
        raise NotFound
    return _edit(request, name, None)


@page("keys.write", in_scope=False)
@require_http_methods(["GET", "POST"])
@fresh_factor
def provider_replace(request: DashboardRequest, public_id: str) -> HttpResponse:
    with tenant_scope(request.tenant):
        old = access_credential(request, public_id)
    return _edit(request, old.provider, old)


def _edit(request: DashboardRequest, provider: str, old: ProviderCredential | None) -> HttpResponse:
    form = CredentialForm(
        request.POST or None, request.FILES or None, needs=needs_of(provider),
        shown=_beginning(provider, old), name=old.name if old else str(route_name(provider)),
    )  # fmt: skip
    if request.method == "POST" and form.is_valid():
        saved = _save(request, provider, form, old)
        if saved is not None:
            messages.success(request, _("Saved. New pushes go out with this credential."))
            return redirect("dashboard:provider", saved.public_id)
    context = {"form": form, "provider": provider, "label": route_name(provider), "old": old}
    return render(request, "dashboard/providers/form.html", context)


def _beginning(provider: str, old: ProviderCredential | None) -> dict[str, str]:
    """What is no secret of the one before; for Web Push a key made here, because nobody hands those out."""
    if old is not None:
        return dict(old.shown)
    return {"private_key": new_private_key()} if provider == WEBPUSH else {}


def _save(
    request: DashboardRequest, provider: str, form: CredentialForm, old: ProviderCredential | None
) -> ProviderCredential | None:
    """None with the refusal on the form. The one before is retired, but for keys that browsers are bound to."""
    actor = request.user.public_id
    try:
        saved = save_credential(
            tenant=request.tenant, application=chosen_application(request), provider=provider,
            name=form.cleaned_data["name"], values=form.values, expires_at=form.expires_at(request.tenant),
            actor=actor,
        )  # fmt: skip
    except HouseError as error:
        add_errors(form, error)
        return None
    if old is not None and provider != WEBPUSH:
        with tenant_scope(request.tenant):
            retire_credential(tenant=request.tenant, credential=old, actor=actor)
    return saved
