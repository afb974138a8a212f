"""Opening an account, and choosing among the organisations one belongs to."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.accounts import throttling
from apps.core.addresses import client_ip, network_of
from apps.core.errors import HouseError, NotFound
from apps.dashboard.access import DashboardRequest, open_page, personal_page
from apps.dashboard.accounts.forms import SignUpForm
from apps.dashboard.accounts.navigation import absolute
from apps.dashboard.current import choose_tenant as remember_tenant
from apps.dashboard.current import memberships_of
from apps.dashboard.forms import add_errors
from apps.tenants.services.sign_up import SignUp
from apps.tenants.services.sign_up import sign_up as open_account


@open_page
@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    """Ends at the sign-in page whether the address was new or not: only its owner is told which."""
    if request.user.is_authenticated:
        return redirect("dashboard:overview")
    form = SignUpForm(request.POST or None)
    if form.is_valid():
        try:
            throttling.spend(throttling.SIGN_UPS, network_of(client_ip(request)))
            wanted = SignUp(language=form.language(), **form.cleaned_data)
            open_account(wanted=wanted, sign_in_link=absolute(request, "dashboard:sign-in"))
        except HouseError as error:
            add_errors(form, error)
        else:
            messages.success(request, _("Thank you. Sign in with the password you just chose."))
            return redirect("dashboard:sign-in")
    return render(request, "dashboard/accounts/sign_up.html", {"form": form})


@personal_page
@require_http_methods(["GET", "POST"])
def choose_tenant(request: DashboardRequest) -> HttpResponse:
    memberships = memberships_of(request.user.pk)
    if request.method == "POST":
        chosen = request.POST.get("tenant", "")
        membership = next((m for m in memberships if m.tenant.public_id == chosen), None)
        if membership is None:
            raise NotFound
        remember_tenant(request, membership)
        return redirect("dashboard:overview")
    return render(request, "dashboard/accounts/choose_tenant.html", {"choices": memberships})
